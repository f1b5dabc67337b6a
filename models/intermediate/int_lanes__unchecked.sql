{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        post_hook='{{ saw_changes(this.name) }}',
        meta={'follows_changes': true}
    )
}}
{{ require_full_build() }}

with touched as (
    select * from {{ ref('int_lanes__touched') }}
),

{% if derives_some() -%}
unchecked as (
    select
        account_name,
        symbol,
        min(flat_until_at) as flat_until_at
    from (
        select * from touched
        union all
        select * from {{ this }}
    ) as lanes
    group by account_name, symbol
)
{%- else -%}
-- All are: int_builds__scoped.is_all_unchecked.
unchecked as (
    select * from touched
    where false
)
{%- endif %}

select * from unchecked
