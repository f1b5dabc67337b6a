{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        pre_hook='select raw.claim_changes()'
    )
}}

{% set is_full = derives_all() -%}
{{ require_no_archive(is_full) }}

-- depends_on: {{ ref('exit_reason_aliases') }}, {{ ref('exit_reasons') }}, {{ source('alpaca', 'archived_marks') }}
with scoped as (
    select
        {{ settings_hash() }} as settings_hash,
        '{{ invocation_id }}' as invocation_id,
        -- A build that finds itself among these has been overtaken, by a full refresh too.
        {% if last_built('int_builds__scoped') -%}
        (
            select (invocation_id || earlier_invocation_ids)[1:10] from {{ this }}
        )
        {%- else -%}
        '{}'::text[]
        {%- endif %} as earlier_invocation_ids,
        '{}'::text[] as models_built,
        {{ is_full }} as is_full,
        {{ is_full }} as has_derived_all,
        {% if is_full -%} true {%- else -%} (select is_all_unchecked from {{ this }}) {%- endif %} as is_all_unchecked
)

select * from scoped
