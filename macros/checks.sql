{#
    What data tests look at that compare rows of the whole history. Of a long one
    (tested_whole_until_legs), in a build that derives some, the rows that it derived, and
    those of earlier builds until a build passed all these tests (int_lanes__unchecked,
    int_positions__unchecked): what stands was looked at when it was derived. `dbt test` by
    itself, and a build of everything, look at all. The test of the cash does so in each
    build: what is lost or doubled because a lane was cut at the wrong instant is on neither
    side of the others.
#}

{#
    Whether the test looks at all rows. Ask `execute and` it: while dbt parses it takes the
    other branch, and what only this one refers to stands in a comment, depends_on.
#}
{% macro looks_at_everything() -%}
    {%- if last_built('int_positions__unchecked') is none -%}{{ return(true) }}{%- endif -%}
    {%- set rows = run_query(
        "select 1 from " ~ last_built('int_builds__scoped') ~ " where invocation_id = '" ~ invocation_id ~ "'"
        ~ " and not is_all_unchecked and " ~ var('tested_whole_until_legs')
        ~ " < (select reltuples from pg_class where oid = '" ~ last_built('int_legs__built') ~ "'::regclass)"
    ).rows -%}
    {{ return(rows | length == 0) }}
{%- endmacro %}

{# The executions that count, of the lanes to look at. #}
{% macro executions_to_check() %}
-- depends_on: {{ ref('int_executions__resolved') }}
{%- if execute and looks_at_everything() %}
select
    event_id,
    account_name,
    symbol,
    signed_quantity,
    price
from {{ ref('int_executions__resolved') }}
{%- else %}
with executions as (
    {{ resolved_executions(ref('int_lanes__unchecked')) }}
),

timed as (
    select
        event_id,
        account_name,
        symbol,
        signed_quantity,
        price,
        {{ execution_happened_at() }} as happened_at
    from executions
)

select
    timed.event_id,
    timed.account_name,
    timed.symbol,
    timed.signed_quantity,
    timed.price
from timed
inner join {{ ref('int_lanes__unchecked') }} as lanes
    on timed.account_name = lanes.account_name
    and timed.symbol = lanes.symbol
    and timed.happened_at > lanes.flat_until_at
{%- endif %}
{% endmacro %}

{# The synthetic openings of the lanes to look at: they stand before all else. #}
{% macro openings_to_check() %}
{%- if execute and looks_at_everything() %}
select * from {{ ref('stg_alpaca__openings') }}
{%- else %}
select openings.*
from {{ ref('stg_alpaca__openings') }} as openings
inner join {{ ref('int_lanes__unchecked') }} as lanes
    on openings.account_name = lanes.account_name
    and openings.symbol = lanes.symbol
    and lanes.flat_until_at = '-infinity'
{%- endif %}
{% endmacro %}

{# The legs of the lanes to look at. #}
{% macro legs_to_check() %}
-- depends_on: {{ ref('int_lanes__unchecked') }}
{%- if execute and looks_at_everything() %}
select * from {{ ref('int_legs__built') }}
{%- else %}
{{ legs_since_flat(ref('int_lanes__unchecked'), ref('int_legs__built')) }}
{%- endif %}
{% endmacro %}

{#
    The rows of a relation that are of positions to look at; position_id: its column with
    the position's id.
#}
{% macro of_positions_to_check(relation, position_id) %}
-- depends_on: {{ ref('int_positions__unchecked') }}
{%- if execute and looks_at_everything() %}
select * from {{ relation }}
{%- else %}
select found.*
from {{ ref('int_positions__unchecked') }} as unchecked
cross join lateral (
    select * from {{ relation }} as relation
    where relation.{{ position_id }} = unchecked.position_id
    -- By the index, position by position: see legs_since_flat.
    offset 0
) as found
{%- endif %}
{% endmacro %}

{#
    SQL condition: the position is of what the lanes to look at held after they were last
    flat. positions: a name with account_name, symbol and entry_time.
#}
{% macro is_of_lanes_to_check(positions) -%}
    {%- if execute and looks_at_everything() -%}
        true
    {%- else -%}
        exists (
            select 1 from {{ ref('int_lanes__unchecked') }} as lanes
            where
                lanes.account_name = {{ positions }}.account_name
                and lanes.symbol = {{ positions }}.symbol
                and lanes.flat_until_at < {{ positions }}.entry_time
        )
    {%- endif -%}
{%- endmacro %}
