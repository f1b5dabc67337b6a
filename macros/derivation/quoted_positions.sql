{#
    The spread at the entry of each position, in percent of the mid: one row per position
    before which a quote was seen, at most entry_quote_max_age_seconds old; the last
    two-sided one. Trades in between say nothing of the spread and are passed over.

    positions: a relation with position_id, symbol_id, opened_at and is_opening_synthetic.
#}
{% macro quoted_positions(positions) %}
with numbered as materialized (
    select
        position_id,
        symbol_id,
        opened_at,
        opened_on.opened_on,
        row_number() over (partition by opened_on.opened_on order by positions.opened_at) as quote_number
    from {{ positions }} as positions
    cross join lateral (select {{ utc_date('positions.opened_at') }} as opened_on) as opened_on
    -- Nobody saw when the others were entered.
    where not positions.is_opening_synthetic
),

-- One question for each day: the answer then opens that day's marks and no others.
arrays as (
    select
        opened_on,
        array_agg(symbol_id order by quote_number) as symbol_ids,
        array_agg(opened_at order by quote_number) as instants
    from numbered
    group by opened_on
),

-- Materialized: within a join the planner would ask again for each row.
answered as materialized (
    select
        arrays.opened_on,
        quotes.*
    from arrays
    cross join lateral raw.last_quotes(
        arrays.symbol_ids, arrays.instants, interval '{{ var("entry_quote_max_age_seconds") }} seconds'
    ) as quotes
)

select
    numbered.position_id,
    {{ percent_of(
        '(answered.ask::numeric - answered.bid::numeric)',
        '((answered.ask::numeric + answered.bid::numeric) / 2)'
    ) }} as entry_spread_pct
from answered
inner join numbered
    on answered.opened_on = numbered.opened_on and answered.quote_number = numbered.quote_number
{% endmacro %}
