{#-
    Ephemeral, as what is computed from it: a view would keep the dates that it was built
    with, and `--select strategy_stats` with other dates would compute those.
-#}
{{ config(materialized='ephemeral') }}

{% set asked = as_of_range() %}

-- Read more than once, and by its index each time.
with positions as not materialized (
    select * from {{ ref('position_history') }}
    -- Of the others only the end was watched.
    where not is_opening_synthetic
),

-- Each by the index of exits: no history is read.
ends as (
    select
        (select min(exit_time) from positions) as first_exit_at,
        (select max(exit_time) from positions) as last_exit_at
),

exits as (
    select
        {{ trading_date('first_exit_at') }} as first_date,
        {{ trading_date('last_exit_at') }} as last_date
    from ends
    where last_exit_at is not null
),

dates as (
    {% if asked -%}
    -- Of a range that is wider than the history, what has rows at all.
    select asked.as_of_date::date as as_of_date
    from exits
    cross join
        lateral generate_series(
            greatest({{ date_literal(asked[0]) }}, exits.first_date)::timestamp,
            least({{ date_literal(asked[1]) }}, exits.last_date + {{ var('lookback_days') | int - 1 }}),
            interval '1 day'
        ) as asked (as_of_date)
    {%- else -%}
    select last_date as as_of_date
    from exits
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
