{#
    Never made anew, not by --full-refresh either: what was published once is known
    nowhere else.
#}
{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['id', 'valid_from'],
        full_refresh=false,
        indexes=[{'columns': ['id', 'valid_from'], 'unique': true}],
        on_schema_change='append_new_columns',
        post_hook=[
            '{{ analyze_anew(this) }}',
            '{{ saw_changes(this.name) }}',
            {'sql': 'vacuum (analyze) raw.changed_facts, raw.changed_marks', 'transaction': false}
        ],
        meta={'follows_changes': true}
    )
}}

-- depends_on: {{ ref('int_positions__touched') }}
-- The changes are taken off with it, not before these have seen them:
-- {{ ref('int_open_legs__marked') }}, {{ ref('int_open_positions__quoted') }}
{% set columns = adapter.get_columns_in_relation(ref('position_history')) | map(attribute='name') | list
    if execute else ['id'] -%}

with positions as (
    {% if derives_some() -%}
    select positions.*
    from {{ ref('int_positions__touched') }} as touched
    inner join {{ ref('position_history') }} as positions on touched.position_id = positions.id
    {%- else -%}
    select * from {{ ref('position_history') }}
    {%- endif %}
),

{% if is_incremental() -%}
last_versions as (
    {% if derives_some() -%}
    select versions.*
    from {{ ref('int_positions__touched') }} as touched
    inner join {{ this }} as versions on touched.position_id = versions.id
    where versions.valid_to is null
    {%- else -%}
    select * from {{ this }}
    where valid_to is null
    {%- endif %}
),

changed as (
    select
        positions.id as new_id,
        last_versions.id as old_id
    from positions
    full outer join last_versions on positions.id = last_versions.id
    where
        (
            {% for name in columns -%}
            positions.{{ name }}{{ ',' if not loop.last }}
            {% endfor -%}
        )
        is distinct from
        (
            {% for name in columns -%}
            last_versions.{{ name }}{{ ',' if not loop.last }}
            {% endfor -%}
        )
),

ended as (
    select
        {% for name in columns -%}
        last_versions.{{ name }},
        {% endfor -%}
        last_versions.valid_from,
        current_timestamp as valid_to
    from changed
    inner join last_versions on changed.old_id = last_versions.id
),

begun as (
    select positions.*
    from changed
    inner join positions on changed.new_id = positions.id
),
{%- else -%}
begun as (
    select * from positions
),
{%- endif %}

versions as (
    select
        {% for name in columns -%}
        {{ name }},
        {% endfor -%}
        current_timestamp as valid_from,
        null::timestamptz as valid_to
    from begun
    {%- if is_incremental() %}

    union all

    select * from ended
    {%- endif %}
)

select * from versions
