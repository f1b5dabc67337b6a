-- Each activity of the broker is one that the models act on, or known to move the
-- account's cash alone (deposits, withdrawals, journals, interest).
-- Why a warning: an unknown type can be harmless, or it can be shares that came or went
-- (SPIN, MA, ACATS, JNLS, OPCA, ...), and then the positions of its symbol are wrong.
-- A returned row is an activity that changed nothing here: its type is unknown, or a
-- field that its type needs is missing.
{{ config(severity='warn') }}

with activities as (
    select * from {{ ref('stg_alpaca__account_activities') }}
),

events as (
    select * from {{ ref('int_position_events__ordered') }}
),

-- Of a split's two rows one gives the event its id; the other is known by its date.
splits as (
    select
        events.account_name,
        events.symbol,
        activities.activity_date
    from events
    inner join activities on events.event_id = activities.event_id
    where events.moves = 'split'
)

select
    activities.account_name,
    activities.event_id,
    activities.activity_type,
    activities.activity_date,
    activities.symbol,
    activities.quantity,
    activities.price,
    activities.description
from activities
left join events on activities.event_id = events.event_id
left join splits
    on activities.activity_type = 'SPLIT'
    and activities.account_name = splits.account_name
    and activities.symbol = splits.symbol
    and activities.activity_date = splits.activity_date
where
    events.event_id is null
    and splits.symbol is null
    and activities.activity_type not in ('FEE', 'CFEE', 'CSD', 'CSW', 'JNLC', 'ACATC', 'INT', 'TRANS')
    and not (activities.activity_type like 'DIV%' and activities.symbol is not null)
