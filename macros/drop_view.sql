{#-
    One view is dropped at a time. dbt replaces views side by side and drops each old one
    with all that depends on it; two such drops that meet in a common dependent wait for
    each other's locks, and PostgreSQL ends one of them as a deadlock.
-#}
{% macro postgres__drop_view(relation) -%}
    select pg_advisory_xact_lock(6120084);
    drop view if exists {{ relation.render() }} cascade
{%- endmacro %}
