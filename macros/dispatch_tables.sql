{#
    The rows of one of the dispatcher's tables, to stand behind `from`: those recorded in
    the raw schema and, where `<table>_relation` names a table that the bots have already,
    those of it whose key is not recorded. Dispatched: it reads the catalog.
#}
{% macro dispatch_rows(table) %}
    {{- adapter.dispatch("dispatch_rows")(table) -}}
{% endmacro %}

{% macro default__dispatch_rows(table) -%}
{%- set relation = var(table ~ '_relation') -%}
{%- set key = dispatch_columns(table)[0][0] -%}
{%- set names = dispatch_columns(table) | map(attribute=0) | list -%}
{%- if not relation and var(table ~ '_columns') -%}
    {{ exceptions.raise_compiler_error(
        table ~ '_columns is set, but ' ~ table ~ '_relation does not name a table'
    ) }}
{%- endif -%}
{%- if not relation -%}
{{ source('dispatch', table) }}
{%- else -%}
(
    select {{ names | join(', ') }}
    from {{ source('dispatch', table) }}

    union all

    select {% for name in names %}own.{{ name }}{{ ', ' if not loop.last }}{% endfor %}
    from (
        select
            {{ own_dispatch_columns(table, relation) | join(',\n            ') }}
        from {{ relation }} as own_table
    ) as own
    left join {{ source('dispatch', table) }} as recorded
        on lower(own.{{ key }}::text) = lower(recorded.{{ key }}::text)
    where recorded.{{ key }} is null
) as {{ table }}
{%- endif -%}
{%- endmacro %}

{#
    The select list that turns the bots' own table into ours, by `<table>_columns` (our
    column: their column, an SQL expression, or null) and else by the same name. Stops
    the run where the table or a column is not there: a guess would be an empty result.
#}
{% macro own_dispatch_columns(table, relation) -%}
    {%- set ours = dispatch_columns(table) -%}
    {%- if not execute -%}
        {%- set placeholders = [] -%}
        {%- for name, type, need in ours -%}
            {%- do placeholders.append('null::' ~ type ~ ' as ' ~ name) -%}
        {%- endfor -%}
        {{ return(placeholders) }}
    {%- endif -%}

    {%- set theirs = {} -%}
    {%- for row in run_query(relation_columns_sql(relation)).rows -%}
        {%- do theirs.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {%- set mapping = var(table ~ '_columns') or {} -%}
    {%- set names = ours | map(attribute=0) | list -%}
    {%- set wrong = [] -%}
    {%- if not theirs -%}
        {%- do wrong.append('there is no such table in database ' ~ target.dbname) -%}
    {%- else -%}
        {%- for name in mapping if name not in names -%}
            {%- do wrong.append(
                name ~ ' in ' ~ table ~ '_columns is none of our columns: ' ~ names | join(', ')
            ) -%}
        {%- endfor -%}
    {%- endif -%}

    {%- set expressions = [] -%}
    {%- for name, type, need in ours if theirs -%}
        {%- set is_mapped = name in mapping -%}
        {%- set expression = mapping[name] if is_mapped else name -%}
        {%- set plain = dispatch_column_name(expression) -%}
        {%- if expression is none and need == 'required' -%}
            {%- do wrong.append(name ~ ' may not be null') -%}
        {%- elif plain and plain not in theirs and (is_mapped or need != 'optional') -%}
            {%- do wrong.append(
                'it has no column ' ~ plain ~ ': name the one that holds ' ~ name
                ~ ' in ' ~ table ~ '_columns' ~ (', or null' if need != 'required')
            ) -%}
        {%- elif type == 'timestamptz' and theirs.get(plain) == 'timestamp without time zone' -%}
            {%- do wrong.append(
                plain ~ ' has no time zone: give it one in ' ~ table ~ '_columns, such as '
                ~ name ~ ': "' ~ plain ~ " at time zone 'UTC'\""
            ) -%}
        {%- endif -%}
        {%- if expression is none or (plain and plain not in theirs) -%}
            {%- set expression = 'null' -%}
        {%- endif -%}
        {%- do expressions.append('(' ~ expression ~ ')::' ~ type ~ ' as ' ~ name) -%}
    {%- endfor -%}
    {%- if wrong -%}
        {{ exceptions.raise_compiler_error(
            table ~ '_relation ' ~ relation ~ ': ' ~ wrong | join('; ')
            ~ (' (its columns: ' ~ theirs | join(', ') ~ ')' if theirs)
        ) }}
    {%- endif -%}
    {{ return(expressions) }}
{%- endmacro %}
