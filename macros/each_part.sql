{#
    A query over the positions of a full build, as one for each part of them, which parallel
    workers take in turn; in other builds the query as it is. The parts are of equal size,
    because ids are hashes. Why not the planner's own parallel plan: it has none for
    array_agg with an order.

    The model has the setting parallel_leader_participation = off: the session itself only
    waits for rows. Where it takes a part of its own, the workers wait for it with theirs.

    query: a macro of a part, which puts of_part() where it reads positions.
    columns: names and types of what the query selects.
#}
{% macro each_part(query, columns) %}
    {%- if not execute or model.resource_type != 'model' or derives_some() -%}
{{ query() }}
    {%- else -%}
    {%- for part in ['0', '4', '8', 'c'] %}
select * from raw.query_rows($part${{ query(part) }}$part$) as ({{ columns }})
        {%- if not loop.last %}
union all
        {%- endif %}
    {%- endfor -%}
    {%- endif -%}
{% endmacro %}


{# A condition: the id is of that fourth of all, by its first hexadecimal digit, the fourth's lowest. #}
{% macro of_part(position_id, part) -%}
    {%- set last = {'0': '3', '4': '7', '8': 'b', 'c': 'f'}[part] -%}
    {{ position_id }} between '{{ part }}0000000-0000-0000-0000-000000000000'
    and '{{ last }}fffffff-ffff-ffff-ffff-ffffffffffff'
{%- endmacro %}
