{#-
    Ephemeral, as what is computed from it: a view would keep the dates that it was built
    with, and `--select strategy_stats` with other dates would compute those.
-#}
{{ config(materialized='ephemeral') }}

{% set asked = as_of_range() %}

with positions as ( -- noqa: ST03
    select * from {{ ref('position_history') }}
    -- Of the others only the end was watched.
    where not is_opening_synthetic
),

dates as (
    {% if asked -%}
    select {{ date_literal(asked[0]) }} + later.number as as_of_date
    from generate_series(0, {{ date_literal(asked[1]) }} - {{ date_literal(asked[0]) }}) as later (number)
    {%- else -%}
    select {{ trading_date('max(exit_time)') }} as as_of_date
    from positions
    having count(*) > 0
    {%- endif %}
),

-- Instants, so that no position's own date has to be worked out.
bounded as (
    select
        as_of_date,
        {{ new_york_instant('(as_of_date - ' ~ (var('lookback_days') | int - 1) ~ ')', '00:00') }} as exits_from,
        {{ new_york_instant('(as_of_date + 1)', '00:00') }} as exits_before
    from dates
)

select * from bounded
