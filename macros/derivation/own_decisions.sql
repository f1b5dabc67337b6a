{# Whether decisions are read from tables of the bots, where nothing notes their changes. #}
{% macro reads_own_decisions() -%}
    {{ return(
        var('dispatch_recommendations_relation') is not none or var('dispatch_executions_relation') is not none
    ) }}
{%- endmacro %}

{# What identifies a decision, under which ids it is asked for, and a hash of all it says. #}
{% macro own_decisions() %}
select
    'execution' as decision,
    execution_uuid::text as decision_id,
    account_name,
    order_id,
    client_order_id,
    md5(executions::text) as content_hash
from {{ ref('stg_dispatch__executions') }} as executions

union all

select
    'recommendation' as decision,
    recommendation_id as decision_id,
    account_name,
    null as order_id,
    null as client_order_id,
    md5(recommendations::text) as content_hash
from {{ ref('stg_dispatch__recommendations') }} as recommendations
{% endmacro %}

{#
    Notes (pre_hook), as the triggers of the raw tables do, the decisions that are not as
    they were when `seen` was built: new, changed and gone ones. Nothing where only the raw
    tables are read.
#}
{% macro note_own_decisions(seen) -%}
    {%- if not execute or not reads_own_decisions() or last_built(seen.name) is none -%}{{ return('') }}{%- endif -%}
    with differing as (
        (select * from ({{ own_decisions() }}) as present except select * from {{ seen }})
        union all
        (select * from {{ seen }} except select * from ({{ own_decisions() }}) as present)
    )

    insert into {{ source('alpaca', 'changed_facts') }} (kind, account_name, reference, is_claimed)
    select distinct
        asked.kind,
        differing.account_name,
        asked.reference,
        true
    from differing
    cross join lateral (
        values
        ('order', differing.order_id),
        ('client_order', differing.client_order_id),
        ('recommendation', case differing.decision when 'recommendation' then differing.decision_id end)
    ) as asked (kind, reference)
    where asked.reference is not null
{%- endmacro %}
