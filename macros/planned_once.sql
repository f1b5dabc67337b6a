{#
    A view by a function that the server plans once in a session, and again when a table
    beneath it changes. For a long chain of views that is asked again and again for little:
    to plan that of the open positions takes as long as to read a thousand of them.

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
    create or replace function {{ relation.schema }}.{{ relation.identifier }}_planned() returns setof {{ relation }}
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
    begin
        return query select * from {{ relation }};
    end
    $$
{%- endmacro %}
