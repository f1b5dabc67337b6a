{#
    A table, unlike what else is known of open positions: what was quoted at an entry
    seldom changes, and a view would ask for it on as many days as positions are old. Never
    dropped, as int_open_legs__marked.
#}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        full_refresh=false,
        indexes=[{'columns': ['position_id']}],
        post_hook='analyze {{ this }}'
    )
}}

with legs as (
    select * from {{ ref('int_legs__built') }}
    where is_open_position and leg_number = 1
),

positions as (
    select
        position_id,
        symbol_id,
        leg_started_at as opened_at,
        event_type = 'OPENING' as is_opening_synthetic
    from legs
),

quoted as (
    {{ quoted_positions('positions') }}
),

-- Those before which nothing was quoted too: nobody need ask again.
joined as (
    select
        positions.position_id,
        positions.opened_at,
        quoted.entry_spread_pct
    from positions
    left join quoted on positions.position_id = quoted.position_id
)

select * from joined
