{#
    How many legs are open is counted at each build: it is what active_positions reads, and
    a few of very many. Of ids that are random the hash is indexed: a night touches two
    thirds of the pages that it would in a tree, each of which goes to the log whole.
#}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_lanes',
        indexes=[
            {'columns': ['position_id']},
            {'columns': ['order_id'], 'type': 'hash'},
            {'columns': ['client_order_id'], 'type': 'hash'},
            {'columns': ['account_name', 'symbol', 'leg_started_at']},
            {'columns': ['symbol_id', 'leg_ended_at', 'leg_started_at']},
            {'columns': ['is_open_position']}
        ],
        post_hook=[
            '{{ analyze_anew(this) }}',
            '{{ sample_little(this, "is_open_position") }}',
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

legs as (
    {{ rebuilt_legs('lanes') }}
)
{%- else -%}
with events as (
    select * from {{ ref('int_position_events__accumulated') }}
),

legs as (
    {{ built_legs('events') }}
)
{%- endif %}

select * from legs
