-- What came while the builds ran, for this connection alone: accounts and symbols of
-- facts, and symbols of marks (of all accounts: null), which state no time of arrival
-- and are known by their own.
create temporary table arrived as
select account_name, symbol from raw.fills where ingested_at >= %(started_at)s
union
select account_name, symbol from raw.orders where ingested_at >= %(started_at)s
union
select account_name, symbol from raw.account_activities where ingested_at >= %(started_at)s
union
select account_name, symbol from raw.openings where ingested_at >= %(started_at)s
union
select null as account_name, instruments.symbol
from raw.marks
inner join raw.instruments on marks.symbol_id = instruments.symbol_id
where marks.ts >= %(started_at)s::timestamptz - interval '1 hour'
union
select positions.account_name, coalesce(positions.option_symbol, positions.ticker)
from analytics.position_history as positions
inner join raw.dispatch_executions as executions on positions.execution_uuid = executions.execution_uuid
left join raw.dispatch_recommendations as recommendations
    on executions.recommendation_id = recommendations.recommendation_id
where executions.ingested_at >= %(started_at)s or recommendations.ingested_at >= %(started_at)s
