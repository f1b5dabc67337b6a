-- Staging tables of one connection, empty again after each transaction. `line` is the
-- whole recorded line: the database cuts the payload out of it, so that no number in
-- it passes through a float.
create temp table if not exists stage_marks (
    ts timestamptz, price double precision, bid double precision, ask double precision,
    symbol_id integer, is_usable boolean
) on commit delete rows;

create temp table if not exists stage_fills (
    event_id text, kind text, account_name text, order_id text, client_order_id text,
    execution_id uuid, supersedes text, superseded_by text, symbol text, side text,
    qty numeric, price numeric, cum_qty numeric, position_qty numeric,
    executed_at timestamptz, source text, received_at timestamptz, line text
) on commit delete rows;

create temp table if not exists stage_events (
    event_id text, event_type text, account_name text, order_id text, symbol text,
    source text, fill_event_id text, line text
) on commit delete rows;

create temp table if not exists stage_orders (
    account_name text, order_id text, client_order_id text, parent_order_id text,
    symbol text, asset_class text, side text, order_type text, order_class text,
    time_in_force text, status text, qty numeric, notional numeric, filled_qty numeric,
    filled_avg_price numeric, limit_price numeric, stop_price numeric,
    trail_price numeric, trail_percent numeric, commission numeric, legs jsonb,
    submitted_at timestamptz, updated_at timestamptz, received_at timestamptz, line text
) on commit delete rows;

create temp table if not exists stage_activities (
    account_name text, activity_id text, status text, activity_type text,
    activity_sub_type text, activity_date date, occurred_at timestamptz, symbol text,
    qty numeric, price numeric, net_amount numeric, per_share_amount numeric,
    group_id text, description text, received_at timestamptz, line text
) on commit delete rows;

create temp table if not exists stage_recommendations (
    recommendation_id text, account_name text, ticker text, strategy_type text,
    confidence numeric, features_snapshot jsonb, sentiment_snapshot jsonb,
    created_at timestamptz
) on commit delete rows;

create temp table if not exists stage_executions (
    execution_uuid uuid, recommendation_id text, account_name text,
    alpaca_order_id text, client_order_id text, intent text, exit_reason text,
    strategy_type text, max_hold_minutes integer, stop_price numeric,
    target_price numeric, created_at timestamptz
) on commit delete rows;

create temp table if not exists stage_quarantine (
    reason_code text, reason text, source text, account_name text, message text,
    message_hash text, received_at timestamptz
) on commit delete rows;
