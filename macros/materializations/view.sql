{#-
    dbt's `view` for Postgres, but a view that stands as it would be written is left alone:
    dbt's own makes each anew at each run and drops the old one with all views that read
    it. Between two builds somebody always reads active_positions; and a run of a few models
    would take away views that it does not make. What a view was written from is kept as
    its comment.
-#}
{% materialization view, adapter='postgres' %}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {#- Without the database's name: the views of a copy, or of one renamed, stand too. -#}
    {%- set unnamed = sql | replace('"' ~ target.dbname ~ '".', '') -%}
    {%- set source_comment = 'dbt: ' ~ local_md5(unnamed) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if existing_relation is not none and existing_relation.is_view and written_from(target_relation) == source_comment -%}
        {% call noop_statement('main', 'VIEW STANDS', 'VIEW STANDS') -%}
            {{ sql }}
        {%- endcall %}
    {%- else -%}
        {{ drop_relation_if_exists(existing_relation) }}
        {% call statement('main') -%}
            {{ get_create_view_as_sql(target_relation, sql) }}
            comment on view {{ target_relation }} is '{{ source_comment }}'
        {%- endcall %}
        {% do apply_grants(target_relation, config.get('grants'), should_revoke=false) %}
        {% do persist_docs(target_relation, model) %}
        {{ run_hooks(post_hooks, inside_transaction=True) }}
        {{ adapter.commit() }}
    {%- endif -%}

    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization %}


{#
    What a view was written from, as its comment says. The first view of a run asks for all
    of them, because each one that asks has to connect anew: a night of 28 views that stand
    does not. The answer is kept in dbt's graph, which lasts as long as a run.
#}
{% macro written_from(relation) -%}
    {%- if 'comments_of_views' not in graph -%}
        {%- set comments = {} -%}
        {%- for row in run_query(
            "select nspname, relname, obj_description(pg_class.oid, 'pg_class') from pg_class"
            ~ " inner join pg_namespace on relnamespace = pg_namespace.oid"
            ~ " where relkind = 'v' and obj_description(pg_class.oid, 'pg_class') like 'dbt: %'"
        ).rows -%}
            {%- do comments.update({row[0] ~ '.' ~ row[1]: row[2]}) -%}
        {%- endfor -%}
        {%- do graph.update({'comments_of_views': comments}) -%}
    {%- endif -%}
    {{ return(graph['comments_of_views'].get(relation.schema ~ '.' ~ relation.identifier)) }}
{%- endmacro %}
