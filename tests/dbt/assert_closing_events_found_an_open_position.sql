-- Each expiry, assignment, exercise and split finds an open position, and the first three
-- take no more than is open.
-- Why a warning: the events are right, and what is missing is a fill from before the
-- recording began, or one in a gap that catch-up has yet to close.
-- A returned row is an event that found less than it takes.
{{ config(severity='warn') }}

select
    account_name,
    symbol,
    event_id,
    event_type,
    happened_at,
    amount,
    quantity_before
from {{ ref('int_position_events__accumulated') }}
where
    (moves = 'close' and amount > abs(quantity_before))
    or (moves = 'split' and amount <> abs(quantity_before))
