{# The legs that fees can be for: a synthetic opening is no trade that was charged for. #}
{% macro charged_legs(legs) %}
select * from {{ legs }}
where moves = 'trade' and event_type <> 'OPENING'
{% endmacro %}


{#
    A query, lateral to a row of another relation: the last instant at which a symbol was
    traded before another, no row where there is none. A fee row that names a symbol belongs
    to the fills of that trading date: brokers post it a day later.

    traded_legs: what charged_legs() selects. row: has account_name and symbol.
#}
{% macro last_trade_before(traded_legs, row, instant) %}
select legs.leg_started_at
from {{ traded_legs }} as legs
where
    legs.account_name = {{ row }}.account_name
    and legs.symbol = {{ row }}.symbol
    and legs.leg_started_at < {{ instant }}
order by legs.leg_started_at desc
limit 1
{% endmacro %}
