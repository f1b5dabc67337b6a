{#
    A view by a function that the server plans once in a session, and again when a table
    beneath it changes. For a long chain of views that is asked again and again for little:
    to plan that of a thousand open positions takes half as long as to read them.

    As an expression in from: the function, or the relation where there is none, as in
    unit tests.
#}
{% macro planned_once(relation) -%}
    {%- if execute and model.resource_type == 'model' -%}
        {{ relation.schema }}.{{ relation.identifier }}_planned()
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}

{#
    The function (post_hook of the view). Security definer: who may read a view on it need
    have no right on what is beneath, as with views alone.
#}
{% macro create_planned_once(relation) -%}
    {#- Without the database's name: the text is read when it runs, in a copy or a restored dump too. -#}
    {%- set view = relation.include(database=false) -%}
    create or replace function {{ view.schema }}.{{ view.identifier }}_planned() returns setof {{ view }}
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
    begin
        return query select * from {{ view }};
    end
    $$
{%- endmacro %}
