-- The raw schema: what was observed, as it was observed. DESIGN: one table per kind
-- of fact, append only but for the few columns named below.

create table raw.instruments (
    symbol_id integer generated always as identity primary key,
    symbol text not null unique,
    asset_class text not null,
    ticker text not null,
    multiplier integer not null,
    option_type text,
    strike_price numeric,
    expiration_date date,
    first_seen_at timestamptz not null default clock_timestamp()
);
comment on table raw.instruments is 'One row per symbol ever seen in a fill, an order, an activity or a mark.';
comment on column raw.instruments.ticker is 'The underlying: for an option the root of its OCC symbol without the digit of an adjusted contract, else the symbol itself.';

create table raw.fills (
    event_id text primary key,
    kind text not null,
    account_name text not null,
    order_id text not null,
    client_order_id text,
    execution_id uuid,
    supersedes text,
    superseded_by text,
    symbol text not null references raw.instruments (symbol),
    side text not null,
    qty numeric not null,
    price numeric not null,
    cum_qty numeric,
    position_qty numeric,
    executed_at timestamptz not null,
    source text not null,
    received_at timestamptz not null,
    ingested_at timestamptz not null default clock_timestamp(),
    payload jsonb not null
);
comment on table raw.fills is 'One row per execution. Append only: afterwards only cum_qty (REST wins over the stream) and superseded_by ever change, the payload never.';
comment on column raw.fills.event_id is 'exec:<execution id>, or oc:<order id>:<cum_qty>:<qty>:<price> where the broker sent no execution id.';
comment on column raw.fills.supersedes is 'For bust and correct: the event_id of the execution that it takes back or replaces, which may arrive later or never.';
comment on column raw.fills.superseded_by is 'event_id of the bust or correction that names this execution.';
comment on column raw.fills.qty is 'Quantity of this execution, positive; the side tells the direction.';
comment on column raw.fills.cum_qty is 'The running total of the order after this execution.';

-- Two copies of one execution under different ids meet here. A superseded execution
-- is left out because after a bust the order may reach the same cum_qty again.
create unique index fills_one_live_execution on raw.fills (account_name, order_id, cum_qty)
where kind = 'fill' and superseded_by is null;
create index fills_supersedes on raw.fills (supersedes) where supersedes is not null;
create index fills_lane on raw.fills (account_name, symbol, executed_at);
create index fills_ingested_at on raw.fills (ingested_at);

create table raw.alpaca_event_dedupe (
    event_id text primary key,
    event_type text not null,
    account_name text not null,
    order_id text,
    symbol text,
    source text not null,
    fill_event_id text references raw.fills (event_id) on delete cascade,
    processed_at timestamptz not null default clock_timestamp(),
    event_data jsonb not null
);
comment on table raw.alpaca_event_dedupe is 'One row per trade event or activity ever processed, written in the transaction of its fact. Marks dedupe by their own key.';
comment on column raw.alpaca_event_dedupe.fill_event_id is 'The fill that this event is; another event_id than its own where the stream and REST named one execution differently (an alias).';
create index alpaca_event_dedupe_fill on raw.alpaca_event_dedupe (fill_event_id) where fill_event_id is not null;

create table raw.marks (
    ts timestamptz not null,
    price double precision not null,
    bid double precision,
    ask double precision,
    symbol_id integer not null,
    is_usable boolean not null,
    primary key (symbol_id, ts, price)
) partition by range (ts);
comment on table raw.marks is 'One row per distinct observation of a symbol. Wide columns first: no padding; no surrogate key and no foreign key: both were measured to cost more than they tell.';
comment on column raw.marks.price is 'Mid of a two-sided quote, or the price of a trade; 0 where the observation gives no price, so that price > 0 is what usable means.';

create table raw.orders (
    account_name text not null,
    order_id text not null,
    client_order_id text,
    parent_order_id text,
    symbol text,
    asset_class text,
    side text,
    order_type text,
    order_class text,
    time_in_force text,
    status text,
    qty numeric,
    notional numeric,
    filled_qty numeric,
    filled_avg_price numeric,
    limit_price numeric,
    stop_price numeric,
    trail_price numeric,
    trail_percent numeric,
    commission numeric,
    legs jsonb,
    submitted_at timestamptz,
    updated_at timestamptz not null,
    received_at timestamptz not null,
    ingested_at timestamptz not null default clock_timestamp(),
    payload jsonb not null,
    primary key (account_name, order_id)
);
comment on table raw.orders is 'One row per order: its latest known state, by the broker''s own updated_at. parent_order_id is known only once the parent was seen with its legs.';
create index orders_client_order_id on raw.orders (account_name, client_order_id);
create index orders_parent_order_id on raw.orders (account_name, parent_order_id) where parent_order_id is not null;

create table raw.account_activities (
    account_name text not null,
    activity_id text not null,
    status text not null,
    activity_type text not null,
    activity_sub_type text,
    activity_date date not null,
    occurred_at timestamptz,
    symbol text references raw.instruments (symbol),
    qty numeric,
    price numeric,
    net_amount numeric,
    per_share_amount numeric,
    group_id text,
    description text,
    received_at timestamptz not null,
    ingested_at timestamptz not null default clock_timestamp(),
    payload jsonb not null,
    -- the type too: an option's exercise and its stock leg can carry one id
    primary key (account_name, activity_id, status, activity_type)
);
comment on table raw.account_activities is 'One row per version of a non-trade activity: a status that changed later is a row of its own.';
comment on column raw.account_activities.occurred_at is 'The instant, where the broker states one; most rows have only a date.';

create table raw.dispatch_recommendations (
    recommendation_id text primary key,
    account_name text,
    ticker text,
    strategy_type text,
    confidence numeric,
    features_snapshot jsonb,
    sentiment_snapshot jsonb,
    created_at timestamptz not null,
    ingested_at timestamptz not null default clock_timestamp()
);
comment on table raw.dispatch_recommendations is 'One row per decision to enter a trade, with what was known at that moment.';

create table raw.dispatch_executions (
    execution_uuid uuid primary key,
    recommendation_id text,
    account_name text not null,
    alpaca_order_id text,
    client_order_id text,
    intent text not null,
    exit_reason text,
    strategy_type text,
    max_hold_minutes integer,
    stop_price numeric,
    target_price numeric,
    created_at timestamptz not null,
    ingested_at timestamptz not null default clock_timestamp()
);
comment on table raw.dispatch_executions is 'One row per order that the dispatcher sent. A row sent again may fill in what was null, never change what was said.';
create index dispatch_executions_order on raw.dispatch_executions (account_name, alpaca_order_id);
create index dispatch_executions_client_order on raw.dispatch_executions (account_name, client_order_id);

create table raw.quarantine (
    id bigint generated always as identity primary key,
    reason_code text not null,
    reason text not null,
    source text,
    account_name text,
    message text not null,
    message_hash text not null unique,
    received_at timestamptz,
    quarantined_at timestamptz not null default clock_timestamp()
);
comment on table raw.quarantine is 'One row per distinct message that could not be read or contradicts what is stored, as text, with the reason.';

create table raw.heartbeats (
    account_name text primary key,
    live_since timestamptz,
    last_event_at timestamptz,
    last_catchup_at timestamptz,
    spool_depth bigint not null default 0
);
comment on table raw.heartbeats is 'One row per account of a running ingester.';
