{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        pre_hook='select raw.claim_changes()'
    )
}}

{% set settings = [
    var('dust_quantity'),
    var('entry_quote_max_age_seconds'),
    var('dispatch_recommendations_relation'),
    var('dispatch_recommendations_columns'),
    var('dispatch_executions_relation'),
    var('dispatch_executions_columns')
] -%}

with aliases as (
    select * from {{ ref('exit_reason_aliases') }}
),

labels as (
    select * from {{ ref('exit_reasons') }}
),

-- What the models depend on beside the facts. Where it changed, no row stands.
settings as (
    select
        md5(
            '{{ settings | join(" ") | replace("'", "''") }} '
            || (select string_agg(alias || '>' || label, ' ' order by alias, label) from aliases)
            || (select string_agg(label, ' ' order by label) from labels)
        ) as settings_hash
),

scoped as (
    select
        settings.settings_hash,
        '{{ invocation_id }}' as invocation_id,
        '{}'::text[] as models_built,
        {% if is_incremental() and not is_any_unbuilt() -%}
        -- A full build that did not finish is taken up again as one.
        not exists (
            select 1 from {{ this }} as last_build
            where not last_build.is_full and last_build.settings_hash = settings.settings_hash
        ) as is_full
        {%- else -%}
        true as is_full
        {%- endif %}
    from settings
)

select * from scoped
