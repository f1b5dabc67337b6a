{# What stops a run at its start (on-run-start), before it changes a row. #}

{#
    dbt's --empty, under which each model reads no rows: those that follow changes would take
    the rows that stand for gone.
#}
{% macro refuse_empty() -%}
    {%- if execute and flags.EMPTY -%}
        {{ exceptions.raise_compiler_error(
            '--empty is refused, because what is derived already would be lost: leave it out'
        ) }}
    {%- endif -%}
{%- endmacro %}

{#
    A database whose raw schema is older than these models. On a part of its tables and
    functions a build would fail in a hundred places, or, with an older function, give other
    rows. A newer schema is no obstacle: migrations only add. Documentation needs no raw
    schema.
#}
{% macro require_migrations() -%}
    {#- As many as ingest/sql/migrations has. -#}
    {%- set needed = 13 -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'seed', 'test', 'retry') -%}
        {%- set applied = 0 -%}
        {%- if run_query("select to_regclass('raw.schema_migrations')").rows[0][0] -%}
            {%- set applied = run_query("select count(*) from raw.schema_migrations").rows[0][0] | int -%}
        {%- endif -%}
        {%- if applied < needed -%}
            {{ exceptions.raise_compiler_error(
                'the database has ' ~ applied ~ ' of ' ~ needed ~ ' migrations: run excursion migrate, then this again'
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
