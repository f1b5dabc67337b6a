{#
    The legs of the closed positions that a build derives: those that it touches, or all.
    part: the part of the positions that is asked for, see each_part().
#}
{% macro legs_to_derive(part=none) %}
select legs.*
from {{ ref('int_legs__built') }} as legs
{% if derives_some() -%}
inner join {{ ref('int_positions__touched') }} as touched on legs.position_id = touched.position_id
{% endif -%}
where
    not legs.is_open_position
    {% if part %}and {{ of_part('legs.position_id', part) }}{% endif %}
{% endmacro %}
