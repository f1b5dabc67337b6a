{{
    config(
        materialized='incremental',
        incremental_strategy='replace_work',
        indexes=[{'columns': ['observed_date']}],
        post_hook='analyze {{ this }}'
    )
}}

with legs as not materialized (
    select * from {{ ref('int_legs__built') }}
),

{% if derives_some() -%}
lanes as (
    select * from {{ ref('int_lanes__touched') }}
),

rebuilt as (
    {{ legs_since_flat('lanes', 'legs') }}
),

marked_dates as (
    select distinct
        symbol_id,
        {{ utc_date('hour_at') }} as observed_date
    from {{ source('alpaca', 'changed_marks') }}
    where is_claimed
),
{%- else -%}
rebuilt as (
    select * from legs
),
{%- endif %}

newest as (
    select max(observed_date) as observed_date from {{ ref('stg_alpaca__mark_days') }}
),

-- A leg that is open has no last day of its own. The days are a column, not rows to join
-- to: that was measured to take half as long again.
dated as (
    select
        rebuilt.*,
        {{ utc_date('rebuilt.leg_started_at') }} + generate_series(
            0,
            least({{ utc_date('rebuilt.leg_ended_at') }}, newest.observed_date)
            - {{ utc_date('rebuilt.leg_started_at') }}
        ) as observed_date
    from rebuilt
    cross join newest
    where newest.observed_date is not null

    {% if derives_some() -%}
    union

    {{ legs_held_on('marked_dates', 'legs') }}
    {%- endif %}
),

-- From the start of the leg to its end, or what of that lies in the day.
touched as (
    select
        position_id,
        leg_number,
        symbol_id,
        quantity_after,
        is_open_position,
        observed_date,
        greatest(leg_started_at, {{ utc_midnight('observed_date') }}) as observed_from,
        least(leg_ended_at, {{ utc_midnight('observed_date + 1') }}) as observed_until
    from dated
    -- No time, no marks.
    where
        quantity_after <> 0
        and leg_started_at < leg_ended_at
)

select * from touched
