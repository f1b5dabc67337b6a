"""What the marts promise: every fill in a position, sums, P&L, bounds, statistics."""

from __future__ import annotations

from decimal import Decimal

from psycopg2.extensions import connection as Connection  # noqa: N812

from ingest.verify_raw import all_rows, one_row, require

#: Win rates are stored with nine decimals.
ROUNDING = Decimal("1e-9")

BUILD = "run `dbt build`"
LISTED = 5


def executions(connection: Connection) -> str:
    """Every effective execution is in a position, or cut between two."""
    found = one_row(connection, "verify_executions")
    require(found.executions > 0, f"no execution is in a position: {BUILD}")
    require(
        not found.missing,
        f"{found.missing:,} of {found.executions:,} executions are in no position, as"
        f" {found.example}: {BUILD}",
    )
    require(
        not found.repeated,
        f"{found.repeated:,} executions are in more than two positions",
    )
    return (
        f"{found.executions:,} of {found.executions:,} effective executions are in a"
        f" position; {found.cut:,} cross zero and are cut between two"
    )


def quantities(connection: Connection) -> str:
    """Sums of fills are sums of positions, per account and symbol."""
    found = one_row(connection, "verify_quantities")
    require(found.fills > 0, f"there are no positions: {BUILD}")
    require(
        not found.differing,
        f"{found.differing:,} sums of fills and positions differ, as {found.example}",
    )
    return (
        f"{found.fills:,} fills add up to their positions in {found.lanes:,} pairs of"
        f" account and symbol, and to {found.closed:,} closed positions"
    )


def profit(connection: Connection) -> str:
    """P&L is what prices and quantity say, net P&L what fees and dividends leave."""
    found = one_row(connection, "verify_profit")
    require(found.positions > 0, f"position_history is empty: {BUILD}")
    wrong = found.wrong_pnl + found.wrong_net + found.wrong_label
    require(
        not wrong,
        f"of {found.positions:,} positions {found.wrong_pnl:,} have a P&L,"
        f" {found.wrong_net:,} a net P&L and {found.wrong_label:,} a label that does"
        f" not follow from the rest, as {found.example}",
    )
    return (
        "P&L = (exit - entry) x quantity x multiplier, net = P&L - fees + dividends,"
        f" in {found.positions:,} of {found.positions:,} positions;"
        f" net {found.net_dollars:,.2f} dollars in all"
    )


def bounds(connection: Connection) -> str:
    """Worst <= 0 and P&L <= best, and what else no position can break."""
    found = one_row(connection, "verify_bounds")
    require(found.positions > 0, f"position_history is empty: {BUILD}")
    require(
        not found.impossible,
        f"{found.impossible:,} of {found.positions:,} positions break worst <= P&L <="
        f" best, 100 % or their lifetime, as {found.example}",
    )
    return (
        "worst <= min(0, P&L), best >= max(0, P&L), 100 % and lifetimes hold in"
        f" {found.positions:,} of {found.positions:,} positions"
    )


def freshness(connection: Connection) -> str:
    """position_history knows every close that the raw schema knows."""
    found = one_row(connection, "verify_freshness")
    require(
        not found.waiting_closes,
        f"{found.waiting_closes:,} closing events are not in position_history, with"
        f" {found.waiting_events:,} events in all since the last build: {BUILD}",
    )
    require(
        not found.differing,
        f"{found.differing:,} positions are closed in the legs or in position_history,"
        f" not in both: {BUILD}",
    )
    require(found.positions > 0, f"position_history is empty: {BUILD}")
    others = f"; {found.waiting_events:,} that close nothing wait for the next build"
    return (
        f"every closing event is in position_history, {found.positions:,} rows to"
        f" {found.newest_exit:%Y-%m-%d %H:%M:%S} UTC"
        + (others if found.waiting_events else "")
    )


def features(connection: Connection, threshold: Decimal) -> str:
    """Recommended entries have the features that the recommendation was made from."""
    found = one_row(connection, "verify_features")
    if not found.recommended:
        return "no position was recommended by a dispatcher: nothing to cover"
    share = 100 * Decimal(found.featured) / found.recommended
    seen = (
        f"{found.featured:,} of {found.recommended:,} recommended entries have features"
        f" ({share:.1f} %, threshold {threshold:f} %)"
    )
    require(share >= threshold, seen)
    return seen


def exit_reasons(connection: Connection) -> str:
    """Every label is one of the fixed ones; texts without a label are listed."""
    found = one_row(connection, "verify_exit_reasons")
    require(found.positions > 0, f"position_history is empty: {BUILD}")
    require(
        not found.strange,
        f"{found.strange:,} positions have labels that seeds/exit_reasons.csv lacks:"
        f" {', '.join(found.strange_labels or ())}",
    )
    seen = f"{found.positions:,} positions, {found.labels} labels, all known"
    if not found.unmapped:
        return f"{seen}; every text of the dispatcher is mapped"
    texts = found.unmapped_texts
    listed = ", ".join(repr(text) for text in texts[:LISTED])
    more = f" and {len(texts) - LISTED} more" if len(texts) > LISTED else ""
    return (
        f"{seen}; unmapped, so unknown, in {found.unmapped:,} positions: {listed}{more}"
        " (add them to seeds/exit_reason_aliases.csv)"
    )


def statistics(connection: Connection) -> str:
    """The newest statistics exist, and are those of the positions in their window."""
    newest = one_row(connection, "verify_newest_exit").newest_exit
    require(newest is not None, f"position_history is empty: {BUILD}")
    rows = all_rows(connection, "verify_statistics")
    require(bool(rows), f"strategy_stats is empty: {BUILD}")
    seen = []
    for row in rows:
        window = f"{row.lookback_days} days to {row.as_of_date}"
        require(
            row.as_of_date >= newest,
            f"the newest statistics are of {row.as_of_date}, the newest exit of"
            f" {newest}: {BUILD}",
        )
        require(
            row.n_trades == row.positions,
            f"{window}: n_trades is {row.n_trades:,}, position_history has"
            f" {row.positions:,}: {BUILD}",
        )
        recomputed = Decimal(row.wins) / row.positions if row.positions else None
        require(
            recomputed is not None and abs(row.win_rate - recomputed) <= ROUNDING,
            f"{window}: win_rate is {row.win_rate}, {row.wins:,} wins of"
            f" {row.positions:,} are {recomputed}",
        )
        require(
            not row.n_falling,
            f"{window}: percentiles fall in {row.n_falling:,} of {row.n_rows:,} rows",
        )
        seen.append(
            f"{window}: {row.n_rows:,} rows, n = {row.n_trades:,} positions, win rate"
            f" {row.win_rate:.4f} recomputed, percentiles rise"
        )
    return "; ".join(seen)
