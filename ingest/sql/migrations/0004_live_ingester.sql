-- What the live ingester knows beyond the streams' facts: what the broker last said of
-- each position, where a history begins in the middle of one, and how it is doing.

create table raw.broker_positions (
    account_name text not null,
    symbol text not null references raw.instruments (symbol),
    qty numeric not null,
    avg_entry_price numeric,
    observed_at timestamptz not null,
    ingested_at timestamptz not null default clock_timestamp(),
    primary key (account_name, symbol)
);
comment on table raw.broker_positions is 'One row per (account, symbol) that the broker ever reported a position of: what it said last. It is compared with the fills, never a source of them.';
comment on column raw.broker_positions.qty is 'Signed; 0 once the broker no longer lists the position.';

create table raw.openings (
    account_name text not null,
    symbol text not null references raw.instruments (symbol),
    qty numeric not null,
    price numeric not null,
    opened_at timestamptz not null,
    price_source text not null,
    reason text not null,
    ingested_at timestamptz not null default clock_timestamp(),
    primary key (account_name, symbol)
);
comment on table raw.openings is 'One row per (account, symbol) whose recorded history begins in the middle of a position: the synthetic opening that stands for what was traded before.';
comment on column raw.openings.qty is 'Signed quantity held before the first recorded event.';
comment on column raw.openings.price is 'The broker''s average entry price, or the price of the first fill where the broker states none: price_source tells which.';
comment on column raw.openings.opened_at is 'Not after the first recorded event of the symbol in the account.';

alter table raw.openings add constraint openings_qty_not_zero
check (qty <> 0) not valid;
alter table raw.openings add constraint openings_price_source_known
check (price_source in ('broker', 'first_fill')) not valid;
alter table raw.openings validate constraint openings_qty_not_zero;
alter table raw.openings validate constraint openings_price_source_known;

alter table raw.heartbeats
add column started_at timestamptz,
add column beat_at timestamptz;
comment on column raw.heartbeats.beat_at is 'When the ingester last wrote this row; old means that no ingester runs.';
comment on column raw.heartbeats.live_since is 'Since when the trading stream delivers; null while it does not.';
comment on column raw.heartbeats.spool_depth is 'Bytes received and not yet committed to the database.';
