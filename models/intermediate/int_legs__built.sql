{#
    How many legs are open is counted at each build: it is what active_positions reads, and
    a few of very many.
#}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_lanes',
        indexes=[
            {'columns': ['position_id']},
            {'columns': ['account_name', 'order_id']},
            {'columns': ['account_name', 'client_order_id']},
            {'columns': ['account_name', 'symbol', 'leg_started_at']},
            {'columns': ['symbol_id', 'leg_ended_at', 'leg_started_at']},
            {'columns': ['is_open_position']}
        ],
        post_hook=[
            '{{ analyze_anew(this) }}',
            'analyze {{ this }} (is_open_position)',
            '{{ saw_changes(this.name) }}'
        ],
        meta={'follows_changes': true}
    )
}}
{{ require_full_build() }}

-- depends_on: {{ ref('int_positions__replaced') }}, {{ ref('int_position_events__accumulated') }}
{% if derives_some() -%}
with lanes as (
    select * from {{ ref('int_lanes__touched') }}
),

executions as (
    {{ resolved_executions('lanes') }}
),

broker_events as (
    {{ interpreted_broker_events('lanes') }}
),

ordered as (
    {{ ordered_position_events('executions', 'broker_events', 'lanes') }}
),

events as (
    {{ accumulated_position_events('ordered') }}
),
{%- else -%}
with events as (
    select * from {{ ref('int_position_events__accumulated') }}
),
{%- endif %}

legs as (
    {{ built_legs('events') }}
)

select * from legs
