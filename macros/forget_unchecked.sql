{#
    The end of a run (on-run-end): where all tests that look at what is unchecked ran and
    passed, nothing is, but lanes with facts that came meanwhile, which were not judged; where
    there are some, all positions stay, those that are no more too. Not by a build that
    another one has overtaken.
#}
{% macro forget_unchecked(results) -%}
    {%- if not execute or flags.WHICH != 'build' or last_built('int_positions__unchecked') is none -%}
        {{ return('') }}
    {%- endif -%}
    {%- set passed = results | selectattr('status', 'equalto', 'pass') | map(attribute='node.unique_id') | list -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'test' and node.unique_id not in passed -%}
        {%- for parent in node.depends_on.nodes if parent.endswith('__unchecked') -%}
            {{ return('') }}
        {%- endfor -%}
    {%- endfor -%}
    {%- set scope = last_built('int_builds__scoped') -%}
    {%- set lanes = last_built('int_lanes__unchecked') -%}
    {%- set positions = last_built('int_positions__unchecked') -%}
    {%- set legs = last_built('int_legs__built') -%}
    {%- set newest = "(select * from " ~ scope ~ " where invocation_id = '" ~ invocation_id ~ "') as newest" -%}
    begin;
    -- Once: a fact that comes during these statements is the next build's.
    create temporary table unjudged on commit drop as
    select account_name, symbol from {{ last_built('int_lanes__unclaimed') }};
    delete from {{ positions }}
    using {{ newest }}
    where newest.is_all_unchecked or not exists (select 1 from unjudged);
    insert into {{ positions }} (position_id)
    select distinct legs.position_id
    from unjudged
    inner join {{ newest }} on newest.is_all_unchecked
    inner join {{ legs }} as legs using (account_name, symbol);
    delete from {{ lanes }} as lanes
    using {{ newest }}
    where
        newest.is_all_unchecked
        or not exists (
            select 1 from unjudged
            where unjudged.account_name = lanes.account_name and unjudged.symbol = lanes.symbol
        );
    insert into {{ lanes }} (account_name, symbol, flat_until_at)
    select unjudged.account_name, unjudged.symbol, '-infinity'
    from unjudged
    inner join {{ newest }} on newest.is_all_unchecked;
    update {{ scope }} set is_all_unchecked = false where invocation_id = '{{ invocation_id }}';
    commit
{%- endmacro %}
