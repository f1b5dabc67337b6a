"""A fault for every data test: SQL that makes a built sample untrue in one way."""

from __future__ import annotations

#: Some row of position_history, the same one every time, by a condition.
ROW = """
    update analytics.position_history set {change}
    where id = (
        select id from analytics.position_history where {where} order by id limit 1
    )
"""
NOTIONAL = "(quantity * entry_price * multiplier)"

#: The same of active_positions: the view as a table, so that a row of it can be wrong.
ACTIVE = """
    alter view analytics.active_positions rename to live_positions;
    create table analytics.active_positions as
    select * from analytics.live_positions;
    update analytics.active_positions set {change}
    where id = (
        select id from analytics.active_positions where {where} order by id limit 1
    )
"""

#: strategy_stats of everything together.
TOTAL = """
    update analytics.strategy_stats set {change}
    where is_all_tickers and strategy_type = 'ALL' and asset_type = 'ALL'
"""

FAULTS = {
    # The extremes
    "position_history_worst_is_at_most_zero_and_pnl": ROW.format(
        where="pnl_dollars > 1",
        change=f"""
            worst_unrealized_pnl_dollars = 0.01,
            worst_unrealized_pnl_pct = 100 * 0.01 / {NOTIONAL}
        """,
    ),
    "position_history_best_is_at_least_zero_and_pnl": ROW.format(
        where="pnl_dollars > 1",
        change=f"""
            best_unrealized_pnl_dollars = pnl_dollars - 0.01,
            best_unrealized_pnl_pct = 100 * (pnl_dollars - 0.01) / {NOTIONAL},
            end_give_back_dollars = -0.01
        """,
    ),
    "position_history_long_loses_at_most_everything": ROW.format(
        where="side = 'long'",
        change=f"""
            worst_unrealized_pnl_pct = -101,
            worst_unrealized_pnl_dollars = -1.01 * {NOTIONAL}
        """,
    ),
    "position_history_short_gains_at_most_everything": ROW.format(
        where="side = 'short'",
        change=f"""
            best_unrealized_pnl_pct = 101,
            best_unrealized_pnl_dollars = 1.01 * {NOTIONAL},
            end_give_back_dollars = 1.01 * {NOTIONAL} - pnl_dollars,
            max_give_back_dollars = 2.02 * {NOTIONAL} + abs(pnl_dollars)
        """,
    ),
    "position_history_extremes_are_within_the_life": ROW.format(
        where="true", change="worst_unrealized_at = entry_time - interval '1 second'"
    ),
    # The accounts
    "position_history_pnl_is_price_difference_times_quantity": ROW.format(
        where="exit_price > 1", change="exit_price = exit_price + 0.01"
    ),
    "position_history_net_pnl_is_pnl_less_fees_plus_dividends": ROW.format(
        where="fees_dollars = 0", change="fees_dollars = 0.01"
    ),
    "position_history_percentages_are_of_the_entry_notional": ROW.format(
        where="pnl_pct > 1", change="pnl_pct = pnl_pct / 100"
    ),
    "position_history_gives_back_at_least_best_less_pnl": ROW.format(
        where="end_give_back_dollars > 1", change="max_give_back_dollars = 0"
    ),
    # The interface
    "position_history_has_its_31_columns_in_order": """
        alter table analytics.position_history rename entry_iv_rank to other;
        alter table analytics.position_history
        rename entry_spread_pct to entry_iv_rank;
        alter table analytics.position_history rename other to entry_spread_pct
    """,
    # The labels
    "position_history_exit_reason_is_in_the_list": ROW.format(
        where="true", change="exit_reason = 'take_profit'"
    ),
    "position_history_exit_reason_source_is_in_the_list": ROW.format(
        where="true", change="exit_reason_source = 'guess'"
    ),
    "position_history_strategy_type_is_in_the_list": ROW.format(
        where="true", change="strategy_type = 'scalp'"
    ),
    "position_history_instrument_type_is_in_the_list": ROW.format(
        where="true", change="instrument_type = 'FUTURE'"
    ),
    "position_history_side_is_in_the_list": ROW.format(
        where="true", change="side = 'flat'"
    ),
    "active_positions_strategy_type_is_in_the_list": ACTIVE.format(
        where="true", change="strategy_type = 'scalp'"
    ),
    "active_positions_instrument_type_is_in_the_list": ACTIVE.format(
        where="true", change="instrument_type = 'FUTURE'"
    ),
    "active_positions_side_is_in_the_list": ACTIVE.format(
        where="side = 'long'", change="side = 'flat'"
    ),
    "active_positions_status_is_in_the_list": ACTIVE.format(
        where="true", change="status = 'closed'"
    ),
    "strategy_stats_strategy_type_is_in_the_list": """
        update analytics.strategy_stats set strategy_type = 'scalp'
        where strategy_type = 'unassigned'
    """,
    "strategy_stats_asset_type_is_in_the_list": """
        update analytics.strategy_stats set asset_type = 'bond'
        where asset_type = 'crypto'
    """,
    "assert_exit_reason_aliases_mean_one_label": """
        insert into analytics.exit_reason_aliases (alias, label)
        values ('Take profit!', 'sl')
    """,
    "exit_reason_aliases_label_is_in_the_list": """
        update analytics.exit_reason_aliases set label = 'target'
        where alias = 'take_profit'
    """,
    # Open positions
    "active_positions_worst_is_at_most_zero_and_pnl": ACTIVE.format(
        where="unrealized_pnl_dollars > 1", change="worst_unrealized_pnl_dollars = 0.01"
    ),
    "active_positions_best_is_at_least_zero_and_pnl": ACTIVE.format(
        where="unrealized_pnl_dollars < -1",
        change="best_unrealized_pnl_dollars = -0.01",
    ),
    "active_positions_long_loses_at_most_everything": ACTIVE.format(
        where="side = 'long'", change="worst_unrealized_pnl_pct = -101"
    ),
    "active_positions_short_gains_at_most_everything": ACTIVE.format(
        where="side = 'short'", change="best_unrealized_pnl_pct = 101"
    ),
    "active_positions_required_columns_are_not_null": ACTIVE.format(
        where="true", change="entry_price = null"
    ),
    # From flat to flat
    "assert_one_position_open_per_account_and_symbol": """
        with successive as (
            select
                id,
                lead(entry_time) over (
                    partition by account_name, coalesce(option_symbol, ticker)
                    order by entry_time, exit_time
                ) as next_entry_time
            from analytics.position_history
        )

        update analytics.position_history as position
        set exit_time = successive.next_entry_time + interval '1 microsecond'
        from successive
        where
            position.id = successive.id
            and position.id = (
                select id from successive
                where next_entry_time is not null
                order by id limit 1
            )
    """,
    # The leg of one position also in another, with a number of its own there.
    "assert_no_fill_is_in_two_positions": """
        insert into analytics_intermediate.int_legs__built
        select copied.*
        from (
            select * from analytics_intermediate.int_legs__built
            where event_type = 'FILL' and part = 1 and not is_open_position
            order by event_id limit 1
        ) as leg
        cross join lateral jsonb_populate_record(
            leg::analytics_intermediate.int_legs__built,
            jsonb_build_object(
                'position_id',
                (
                    select max(id::text) from analytics.position_history
                    where id <> leg.position_id
                ),
                'leg_number',
                999
            )
        ) as copied
    """,
    "assert_no_fill_is_in_no_position": """
        delete from analytics_intermediate.int_legs__built
        where event_id = (
            select event_id from analytics_intermediate.int_legs__built
            where event_type = 'FILL' and leg_number = 2 and not is_open_position
            group by event_id
            having count(*) = 1
            order by event_id limit 1
        )
    """,
    # Sums of fills and of positions
    "assert_fills_and_positions_have_the_same_cash": """
        update raw.fills set price = price + 1
        where event_id = (
            select event_id from raw.fills
            where kind = 'fill' and superseded_by is null
            order by event_id limit 1
        );
        -- Else the next build would see it, and the test leave it to that.
        delete from raw.changed_facts
    """,
    "assert_fills_and_positions_have_the_same_quantity": ROW.format(
        # A split's units are compared by cash alone.
        where="""
            (account_name, coalesce(option_symbol, ticker)) not in (
                select account_name, symbol from raw.account_activities
                where activity_type = 'SPLIT'
            )
        """,
        change="""
            quantity = 2 * quantity,
            entry_price = entry_price / 2,
            exit_price = exit_price / 2
        """,
    ),
    # What the dispatcher knew
    "assert_recommended_entries_have_features": ROW.format(
        where="entry_features_json is not null", change="entry_features_json = null"
    ),
    "assert_recommendations_kept_their_features": """
        with chosen as (
            select history.id, executions.recommendation_id
            from analytics.position_history as history
            inner join raw.dispatch_executions as executions
                on history.execution_uuid = executions.execution_uuid
            where history.entry_features_json is not null
            limit 1
        ),

        forgotten as (
            update raw.dispatch_recommendations set features_snapshot = null
            where recommendation_id in (select recommendation_id from chosen)
        )

        update analytics.position_history set entry_features_json = null
        where id in (select id from chosen)
    """,
    "assert_no_recommendation_is_younger_than_its_entry": """
        update raw.dispatch_recommendations set created_at = 'infinity'
        where recommendation_id in (
            select min(executions.recommendation_id)
            from raw.dispatch_executions as executions
            inner join analytics.position_history as history
                on executions.execution_uuid = history.execution_uuid
        )
    """,
    # Statistics
    "strategy_stats_mae_percentiles_do_not_fall": TOTAL.format(
        change="mae_p70 = mae_p90 + 1"
    ),
    "strategy_stats_mfe_percentiles_do_not_fall": TOTAL.format(
        change="mfe_p90 = mfe_p50 - 1"
    ),
    "strategy_stats_return_percentiles_do_not_fall": TOTAL.format(
        change="return_p25 = return_p90 + 1"
    ),
    "strategy_stats_sharpe_is_null_under_30_trades": """
        update analytics.strategy_stats set sharpe = 1
        where n_trades = (select min(n_trades) from analytics.strategy_stats)
    """,
    "assert_strategy_stats_cover_the_date": """
        delete from analytics.strategy_stats
        where as_of_date = (select max(as_of_date) from analytics.strategy_stats)
    """,
    # Warnings
    "assert_exit_reason_texts_are_mapped": ROW.format(
        where="exit_reason_source = 'dispatch'",
        change="exit_reason = 'unknown', exit_reason_raw = 'Felt like it'",
    ),
    "assert_broker_activities_are_interpreted": """
        insert into raw.account_activities (
            account_name, activity_id, status, activity_type, activity_date, qty,
            received_at, payload
        )
        values (
            'momentum', 'spin-off', 'executed', 'SPIN', '2025-03-05', 10,
            '2025-03-06', '{}'
        )
    """,
    "assert_closing_events_found_an_open_position": """
        insert into raw.account_activities (
            account_name, activity_id, status, activity_type, activity_date, symbol,
            qty, received_at, payload
        )
        select
            account_name, 'again', status, activity_type, activity_date, symbol, qty,
            received_at, payload
        from raw.account_activities
        where activity_type = 'OPEXP'
    """,
    "fills_constraints_hold": """
        alter table raw.fills drop constraint fills_kind_known;
        alter table raw.fills
        add constraint fills_kind_known check (kind <> '') not valid
    """,
    "instruments_constraints_hold": """
        alter table raw.instruments drop constraint instruments_pkey cascade
    """,
    "alpaca_event_dedupe_constraints_hold": """
        alter table raw.alpaca_event_dedupe drop constraint alpaca_event_dedupe_pkey
    """,
    "orders_constraints_hold": "alter table raw.orders drop constraint orders_pkey",
    "quarantine_constraints_hold": """
        alter table raw.quarantine drop constraint quarantine_pkey
    """,
    "assert_quarantine_is_empty": """
        insert into raw.quarantine (reason_code, reason, message, message_hash)
        values ('malformed', 'not JSON', '{', 'hash')
    """,
    "assert_corrections_name_a_known_execution": """
        insert into raw.fills (
            event_id, kind, account_name, order_id, supersedes, symbol, side, qty,
            price, executed_at, source, received_at, payload
        )
        select
            'exec:bust', 'bust', account_name, 'other', 'exec:missing', symbol, side,
            qty, price, executed_at, source, received_at, payload
        from raw.fills
        where kind = 'fill'
        limit 1
    """,
    "assert_orders_fill_without_a_hole": """
        update raw.fills set cum_qty = cum_qty + 1
        where event_id = (
            select max(event_id) from raw.fills
            where
                order_id in (
                    select order_id from raw.fills
                    group by order_id
                    having count(*) = 1 and bool_and(kind = 'fill')
                )
        )
    """,
}
