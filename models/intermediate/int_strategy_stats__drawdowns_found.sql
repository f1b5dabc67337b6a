with positions as (
    select * from {{ ref('int_closed_positions__windowed') }}
),

levels as (
    select
        tickers.ticker_bit,
        strategies.strategy_bit,
        assets.asset_bit
    from (values (0), (4)) as tickers (ticker_bit)
    cross join (values (0), (2)) as strategies (strategy_bit)
    cross join (values (0), (1)) as assets (asset_bit)
),

-- A drawdown needs its trades in order, which an aggregate does not have: each position
-- once per roll-up, with the level that grouping() would give it.
expanded as (
    select
        levels.ticker_bit + levels.strategy_bit + levels.asset_bit as rollup_level,
        case when levels.ticker_bit = 0 then positions.ticker else 'ALL' end as ticker,
        case when levels.strategy_bit = 0 then positions.strategy_type else 'ALL' end as strategy_type,
        case when levels.asset_bit = 0 then positions.asset_type else 'ALL' end as asset_type,
        positions.id,
        positions.exit_time,
        positions.net_pnl_dollars
    from positions
    cross join levels
),

running as (
    select
        *,
        sum(net_pnl_dollars) over (
            partition by rollup_level, ticker, strategy_type, asset_type
            order by exit_time, id
        ) as equity_dollars
    from expanded
),

-- The running maximum starts at 0, before the first trade.
falling as (
    select
        *,
        greatest(
            0,
            max(equity_dollars) over (
                partition by rollup_level, ticker, strategy_type, asset_type
                order by exit_time, id
            )
        ) - equity_dollars as drawdown_dollars
    from running
),

found as (
    select
        rollup_level,
        ticker,
        strategy_type,
        asset_type,
        max(drawdown_dollars) as max_drawdown_dollars
    from falling
    group by rollup_level, ticker, strategy_type, asset_type
)

select * from found
