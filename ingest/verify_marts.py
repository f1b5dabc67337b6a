"""What the marts promise: every fill in a position, sums, P&L, bounds, statistics."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from decimal import Decimal

from psycopg2.extensions import connection as Connection  # noqa: N812

from ingest.verify_raw import all_rows, counted, one_row, require

#: Win rates are stored with nine decimals.
ROUNDING = Decimal("1e-9")

BUILD = "run `.venv/bin/dbt build`"
#: For rows that no new fact explains: no build but this one derives them again.
ANEW = "if a build does not mend it, run `.venv/bin/dbt build --full-refresh`"
LISTED = 5

#: How many closed and how many open positions have their marks read again.
SAMPLE = 200


def executions(connection: Connection) -> str:
    """Every effective execution is in a position, or cut between two."""
    found = one_row(connection, "verify_executions")
    require(found.executions > 0, f"no execution is in a position: {BUILD}")
    require(
        not found.missing,
        f"{found.missing:,} of {counted(found.executions, 'execution')}"
        f" {'is' if found.missing == 1 else 'are'} in no position, as"
        f" {found.example}: {BUILD}; {ANEW}",
    )
    require(
        not found.repeated,
        counted(found.repeated, "execution is", "executions are")
        + f" in more than two positions: {ANEW}",
    )
    return (
        f"{found.executions:,} of {found.executions:,} effective executions are in a"
        f" position; {counted(found.cut, 'crosses', 'cross')} zero and"
        f" {'is' if found.cut == 1 else 'are'} cut between two"
    )


def quantities(connection: Connection) -> str:
    """Sums of fills are sums of positions, per account and symbol."""
    found = one_row(connection, "verify_quantities")
    require(found.fills > 0, f"there are no positions: {BUILD}")
    require(
        not found.differing,
        f"the sums of fills and of positions differ in"
        f" {counted(found.differing, 'case')}, as {found.example}: {ANEW}",
    )
    return (
        f"{counted(found.fills, 'fill adds', 'fills add')} up to their positions in"
        f" {counted(found.lanes, 'pair')} of account and symbol, and to"
        f" {counted(found.closed, 'closed position')}"
    )


def profit(connection: Connection) -> str:
    """P&L is what prices and quantity say, net P&L what fees and dividends leave."""
    found = one_row(connection, "verify_profit")
    require(found.positions > 0, f"position_history is empty: {BUILD}")
    wrong = found.wrong_pnl + found.wrong_net + found.wrong_label
    require(
        not wrong,
        f"of {counted(found.positions, 'position')} the P&L of {found.wrong_pnl:,}, the"
        f" net P&L of {found.wrong_net:,} and the label of {found.wrong_label:,} do not"
        f" follow from the rest, as {found.example}: {ANEW}",
    )
    return (
        "P&L = (exit - entry) x quantity x multiplier, net = P&L - fees + dividends,"
        f" in {found.positions:,} of {counted(found.positions, 'position')};"
        f" net {found.net_dollars:,.2f} dollars in all"
    )


def bounds(connection: Connection) -> str:
    """Worst <= 0 and P&L <= best, and what else no position can break."""
    found = one_row(connection, "verify_bounds")
    require(found.positions > 0, f"position_history is empty: {BUILD}")
    require(
        not found.impossible,
        f"worst <= P&L <= best, 100 % or a lifetime is broken in {found.impossible:,}"
        f" of {counted(found.positions, 'position')}, as {found.example}: {ANEW}",
    )
    return (
        "worst <= min(0, P&L), best >= max(0, P&L), 100 % and lifetimes hold in"
        f" {found.positions:,} of {counted(found.positions, 'position')}"
    )


def excursions(connection: Connection) -> str:
    """Best, worst and last mark are those of the marks themselves, in a sample."""
    found = one_row(connection, "verify_excursions", sample=SAMPLE)
    positions = found.closed + found.opened
    # None is left to look at where all were archived or wait: no broken promise.
    require(found.history + positions > 0, f"there are no positions: {BUILD}")
    require(
        not found.differing,
        f"the best or worst P&L or the last mark of {found.differing:,} of"
        f" {counted(positions, 'position')} is not what the marks say, as of"
        f" {found.example}: {ANEW}",
    )
    return (
        f"best and worst P&L of {found.closed:,} closed and {found.opened:,} open"
        f" {'position' if positions == 1 else 'positions'}, and the last marks of the"
        f" open ones, are those of {counted(found.marks, 'mark')} read again"
    )


def freshness(connection: Connection) -> str:
    """position_history knows every close that the raw schema knows."""
    found = one_row(connection, "verify_freshness")
    require(
        not found.waiting_closes,
        f"{counted(found.waiting_closes, 'closing event is', 'closing events are')} not"
        f" in position_history, with {counted(found.waiting_events, 'event')} in all"
        f" since the last build: {BUILD}",
    )
    require(
        not found.differing,
        f"{counted(found.differing, 'position is', 'positions are')} closed in the legs"
        f" or in position_history, not in both: {BUILD}; {ANEW}",
    )
    require(found.positions > 0, f"position_history is empty: {BUILD}")
    seen = (
        "every closing event is in position_history,"
        f" {counted(found.positions, 'row')} to"
        f" {found.newest_exit:%Y-%m-%d %H:%M:%S} UTC"
    )
    if found.noted_facts or found.noted_hours:
        seen += (
            f"; {counted(found.noted_facts, 'fact')} and the marks of"
            f" {counted(found.noted_hours, 'hour')} wait for the next build"
        )
    return seen


def features(connection: Connection, threshold: Decimal) -> str:
    """Recommended entries have the features that the recommendation was made from."""
    found = one_row(connection, "verify_features")
    if not found.recommended:
        return "no position was recommended by a dispatcher: nothing to cover"
    share = 100 * Decimal(found.featured) / found.recommended
    seen = (
        f"{found.featured:,} of"
        f" {counted(found.recommended, 'recommended entry', 'recommended entries')}"
        f" {'has' if found.featured == 1 else 'have'} features ({share:.1f} %,"
        f" threshold {threshold:f} %)"
    )
    if found.missing:
        seen += f"; {found.missing:,} came without a features_snapshot"
    lost = found.recommended - found.featured - found.missing
    if lost:
        seen += f"; {lost:,} lost theirs in the models: {BUILD}"
    require(not lost and share >= threshold, seen)
    return seen


def exit_reasons(connection: Connection) -> str:
    """Every label is one of the fixed ones; texts without a label are listed."""
    found = one_row(connection, "verify_exit_reasons")
    require(found.positions > 0, f"position_history is empty: {BUILD}")
    require(
        not found.strange,
        f"{counted(found.strange, 'position has', 'positions have')} labels that"
        f" seeds/exit_reasons.csv lacks:"
        f" {', '.join(found.strange_labels or ())}",
    )
    seen = (
        f"{counted(found.positions, 'position')}, {counted(found.labels, 'label')},"
        " all known"
    )
    if not found.unmapped:
        return f"{seen}; every text of the dispatcher is mapped"
    lines = _alias_lines(found.unmapped_texts)
    listed = ", ".join(f"`{line}`" for line in lines[:LISTED])
    more = f" and {len(lines) - LISTED} more" if len(lines) > LISTED else ""
    return (
        f"{seen}; unmapped, so unknown, in {counted(found.unmapped, 'position')}: add"
        f" {listed}{more} to seeds/exit_reason_aliases.csv, then `.venv/bin/dbt build`"
    )


def _alias_lines(texts: Iterable[str]) -> list[str]:
    """A line of the seed for each text, its label left to the user.

    Texts that the models fold into one need one line.
    """
    lines: dict[str, str] = {}
    for text in texts:
        folded = re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")
        line = io.StringIO()
        csv.writer(line).writerow((" ".join(text.split()), "<label>"))
        lines.setdefault(folded, line.getvalue().rstrip())
    return list(lines.values())


def statistics(connection: Connection) -> str:
    """The newest statistics exist, and are those of the positions in their window."""
    closed = one_row(connection, "verify_newest_exit")
    require(closed.positions > 0, f"position_history is empty: {BUILD}")
    newest = closed.newest_exit
    if newest is None:
        return "no closed position was watched from its opening: nothing to count yet"
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
            f"{window}: win_rate is {row.win_rate}, {counted(row.wins, 'win')} of"
            f" {row.positions:,} are {recomputed}",
        )
        require(
            not row.n_falling,
            f"{window}: percentiles fall in {row.n_falling:,} of"
            f" {counted(row.n_rows, 'row')}",
        )
        seen.append(
            f"{window}: {counted(row.n_rows, 'row')}, n ="
            f" {counted(row.n_trades, 'position')}, win rate"
            f" {row.win_rate:.4f} recomputed, percentiles rise"
        )
    return "; ".join(seen)
