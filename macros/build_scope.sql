{# What int_builds__scoped finds at the start of a build: whether it derives everything. #}

{#
    Whether a model that keeps rows of earlier builds is not there: then all are made
    anew together. One of which each build makes all rows (is_made_whole) may be missing.
#}
{% macro is_any_unbuilt() -%}
    {%- for name in follows_changes() if execute and last_built(name) is none -%}
        {%- if not graph.nodes['model.excursion.' ~ name].config.meta.get('is_made_whole') -%}
            {{ return(true) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(false) }}
{%- endmacro %}

{#
    SQL expression: a hash of what the models depend on beside the facts. Where it changed,
    no row stands.
#}
{% macro settings_hash() -%}
    {%- set settings = [
        var('dust_quantity'),
        var('entry_quote_max_age_seconds'),
        var('dispatch_recommendations_relation'),
        var('dispatch_recommendations_columns'),
        var('dispatch_executions_relation'),
        var('dispatch_executions_columns')
    ] -%}
    md5(
        '{{ settings | join(" ") | replace("'", "''") }} '
        || coalesce((
            select string_agg(alias || '>' || label, ' ' order by alias, label) from {{ ref('exit_reason_aliases') }}
        ), '')
        || coalesce((select string_agg(label, ' ' order by label) from {{ ref('exit_reasons') }}), '')
    )
{%- endmacro %}

{#
    For int_builds__scoped: whether the build that begins derives everything. A full build
    that did not finish is taken up again as one.
#}
{% macro derives_all() -%}
    {%- if not execute or not is_incremental() or is_any_unbuilt() -%}{{ return(true) }}{%- endif -%}
    {%- set rows = run_query(
        "select count(*) from " ~ this ~ " where not is_full and settings_hash = " ~ settings_hash()
    ).rows -%}
    {{ return(rows[0][0] == 0) }}
{%- endmacro %}

{#
    For int_builds__scoped: stops a build of everything while marks are archived, before
    it changes anything.
#}
{% macro require_no_archive(is_full) -%}
    {%- if execute and is_full and load_relation(source('alpaca', 'archived_marks')) is not none -%}
        {%- set days = run_query(
            "select min(utc_day)::text, count(distinct utc_day) from " ~ source('alpaca', 'archived_marks')
        ).rows[0] -%}
        {%- if days[1] -%}
            {{ exceptions.raise_compiler_error(
                'everything would be derived again (a full refresh, or a seed or variable changed), and the marks of '
                ~ days[1] ~ ' day(s) are archived, the first of ' ~ days[0]
                ~ ': bring them back with excursion maintain --restore FILE'
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
