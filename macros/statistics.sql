{#
    A statistic as it is stored: 9 decimals. Sums and averages are taken in numeric, so
    that the same trades give the same digits whatever plan the database picks.
#}
{% macro statistic(expression) -%}
    ({{ expression }})::numeric(38, 9)
{%- endmacro %}

{#
    Bound of the Wilson score interval, 95 %, of a share. sign: '-' lower, '+' upper.
    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical
    inference", JASA 22 (1927). z = 1.959963984540054.
#}
{% macro wilson_bound(successes, trials, sign) -%}
    {%- set z = '1.959963984540054' -%}
    (
        {{ successes }} + {{ z }} ^ 2 / 2
        {{ sign }} {{ z }} * sqrt({{ successes }} * ({{ trials }} - {{ successes }})::numeric / {{ trials }} + {{ z }} ^ 2 / 4)
    ) / ({{ trials }} + {{ z }} ^ 2)
{%- endmacro %}

{# The percentile columns of strategy_stats: (kind, percentiles). #}
{% macro percentile_columns() -%}
    {{ return([
        ('mae', [50, 70, 80, 90]),
        ('mfe', [50, 70, 80, 90]),
        ('return', [10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90]),
    ]) }}
{%- endmacro %}

{#
    Aggregate: the largest fall of the running sum from its maximum, which begins at 0, in
    an order. Dispatched, because no engine has it built in.
#}
{% macro max_drawdown(gain, sorting) %}
    {{- adapter.dispatch("max_drawdown")(gain, sorting) -}}
{% endmacro %}

{% macro default__max_drawdown(gain, sorting) -%}
    raw.max_drawdown(array_agg({{ gain }} order by {{ sorting }}))
{%- endmacro %}
