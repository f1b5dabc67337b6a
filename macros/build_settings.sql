{# What the models of a build tell the server: hooks before and after them. #}

{#
    Settings (pre_hook) of the transaction of a model that derives some of its rows again:
    they are looked up by index. With its defaults, which are those of a spinning disk, the
    server reads whole tables for a few thousand rows, and a night costs more each night.
    Without parallel workers, which take longer to start than such a model takes: dbt's
    threads have the cores already.
#}
{% macro prefer_lookups() -%}
    {%- if execute and model.config.materialized == 'incremental' and derives_some() -%}
        set local random_page_cost = 1.1;
        set local max_parallel_workers_per_gather = 0
    {%- endif -%}
{%- endmacro %}

{#
    A setting (pre_hook) of the transaction of an intermediate model: its commit does not
    wait for the disk. The log is one, so the commit of a mart, which waits, takes with it
    all that were before. A server that breaks down can lose the last steps of a build:
    what they derived is then still claimed, and the next build derives it again.
#}
{% macro commit_later() -%}
    {%- if execute and model.config.materialized == 'incremental' -%}
        set local synchronous_commit = off
    {%- endif -%}
{%- endmacro %}

{#
    ANALYZE (post_hook) of a model that keeps rows of earlier builds, after it was made
    anew. What a night adds is autovacuum's to count: to sample a table costs the same
    however little of it changed.
#}
{% macro analyze_anew(relation) -%}
    {{ return('analyze ' ~ relation if is_full_build() else '') }}
{%- endmacro %}

{#
    A setting (post_hook) that a table keeps once it was made anew: ANALYZE of that column
    alone reads 3,000 rows, a tenth of what it would. Enough for what is true or false.
#}
{% macro sample_little(relation, column) -%}
    {{ return('alter table ' ~ relation ~ ' alter column ' ~ column ~ ' set statistics 10' if is_full_build() else '') }}
{%- endmacro %}
