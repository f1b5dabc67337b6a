{#
    The columns of the dispatcher's two tables: name, type, and whether a table that the
    trader's bots have already must fill it (`required`), must have it or be said to have
    none (`told`: without it something is not learnt), or may lack it (`optional`).
#}
{% macro dispatch_columns(table) -%}
    {{ return({
        'dispatch_recommendations': [
            ('recommendation_id', 'text', 'required'),
            ('account_name', 'text', 'optional'),
            ('ticker', 'text', 'optional'),
            ('strategy_type', 'text', 'optional'),
            ('confidence', 'numeric', 'optional'),
            ('features_snapshot', 'jsonb', 'told'),
            ('sentiment_snapshot', 'jsonb', 'optional'),
            ('created_at', 'timestamptz', 'required'),
        ],
        'dispatch_executions': [
            ('execution_uuid', 'uuid', 'required'),
            ('recommendation_id', 'text', 'told'),
            ('account_name', 'text', 'required'),
            ('alpaca_order_id', 'text', 'told'),
            ('client_order_id', 'text', 'told'),
            ('intent', 'text', 'required'),
            ('exit_reason', 'text', 'told'),
            ('strategy_type', 'text', 'told'),
            ('max_hold_minutes', 'integer', 'optional'),
            ('stop_price', 'numeric', 'optional'),
            ('target_price', 'numeric', 'optional'),
            ('created_at', 'timestamptz', 'required'),
        ],
    }[table]) }}
{%- endmacro %}

{# The column that an expression names, null where it is more than a name. #}
{% macro dispatch_column_name(expression) -%}
    {%- set text = '' if expression is none else expression | string | trim -%}
    {%- if modules.re.fullmatch('[A-Za-z_][A-Za-z0-9_$]*', text) -%}
        {{ return(text | lower) }}
    {%- elif modules.re.fullmatch('"[^"]+"', text) -%}
        {{ return(text[1:-1]) }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

{# Name and type of each column of a relation; no row where there is none. #}
{% macro relation_columns_sql(relation) -%}
    select
        attname,
        format_type(atttypid, null)
    from pg_attribute
    where
        attrelid = to_regclass('{{ relation | replace("'", "''") }}')
        and attnum > 0
        and not attisdropped
    order by attnum
{%- endmacro %}
