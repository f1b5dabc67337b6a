{#
    Lanes of this build and those that the model, which calls this, keeps of earlier ones: of
    each lane the earliest instant. lanes: a relation of the columns of int_lanes__touched.
#}
{% macro merged_lanes(lanes) %}
select
    account_name,
    symbol,
    min(flat_until_at) as flat_until_at
from (
    select * from {{ lanes }}
    union all
    select * from {{ this }}
) as lanes
group by account_name, symbol
{% endmacro %}
