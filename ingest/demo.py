"""``excursion demo``: everything from an empty database to answers, on generated data.

Any number may run at once: they queue on a lock in the database. A second run finds
everything done and says so.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest import config, dbt_project, embedded, stats_output
from ingest.database import connect
from ingest.errors import ExcursionError, UsageError
from ingest.facts import (
    Activity,
    Execution,
    Fill,
    Mark,
    OrderState,
    Recommendation,
    TradeEvent,
)
from ingest.migrate import migrate
from ingest.recording import parse_line, read_lines
from ingest.replay import replay
from ingest.sql import statement
from ingest.stats import report

SAMPLE = Path("sample") / "session.jsonl.gz"

#: One demo at a time for a database; any number that nobody else uses.
DEMO_LOCK = 6_120_081_004

SHOWN_POSITIONS = 10

GENERATED = (
    "The data of this demo are generated, not real: no account, no order and no price"
    " in them ever existed."
)


def run(settings: config.Settings, console: Console) -> None:
    """Show the whole system on the bundled sample.

    Raises:
        ExcursionError: The database holds other data, or a step failed; one line.
    """
    _say(console, GENERATED, "bold")
    dbt_project.require_checkout(settings)
    sample = settings.root / SAMPLE
    if not sample.is_file():
        raise UsageError(f"the bundled sample {SAMPLE} is not in the checkout")
    steps = _Steps(console)
    steps.run("database", lambda: _database(settings))
    connection = connect(settings, application_name="excursion-demo")
    with _only_demo(connection, console):
        _refuse_to_mix(connection, settings, sample)
        steps.run("migrations", lambda: _migrations(connection))
        steps.run("sample", lambda: _replay(connection, sample))
        steps.run("models", lambda: _build(connection, settings, console))
        _show(connection, settings, console)
    connection.close()


class _Steps:
    """One line per step: its name, what became of it, and the seconds it took."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def run(self, name: str, step: Callable[[], str]) -> None:
        started = time.monotonic()
        waiting = self._console.is_terminal
        if waiting:
            self._console.print(Text(f"  {name:<11} ..."), end="\r")
        outcome = step()
        seconds = time.monotonic() - started
        line = f"  {name:<11} {outcome} ({seconds:.1f} s)"
        self._console.print(Text(line), soft_wrap=True)


@contextmanager
def _only_demo(connection: Connection, console: Console) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", (DEMO_LOCK,))
        if cursor.fetchone() == (False,):
            _say(console, "  another demo is running on this database: waiting for it")
            connection.commit()
            cursor.execute("select pg_advisory_lock(%s)", (DEMO_LOCK,))
        connection.commit()
        try:
            yield
        finally:
            if not connection.closed:
                connection.rollback()
                cursor.execute("select pg_advisory_unlock(%s)", (DEMO_LOCK,))
                connection.commit()


def _database(settings: config.Settings) -> str:
    if settings.source is not config.Source.EMBEDDED:
        connect(settings).close()
        return f"{settings.database}, from {settings.source.value}"
    started = embedded.start(settings)
    return "started" if started.changed else "nothing new: already running"


def _migrations(connection: Connection) -> str:
    outcome = migrate(connection)
    if not outcome.applied:
        return f"nothing new: {outcome.in_place} in place"
    return f"{len(outcome.applied)} applied, {outcome.tables} tables"


def _refuse_to_mix(
    connection: Connection, settings: config.Settings, sample: Path
) -> None:
    """Raise ExcursionError rather than put generated trades among somebody's own.

    The sample is known by the ids of its events, orders and decisions: account names
    could be anybody's. Where all of it is here already, a replay adds nothing.
    """
    if settings.source is config.Source.EMBEDDED:
        own = "EXCURSION_STATE_DIR=.excursion/demo"
    else:
        own = "DATABASE_URL=postgresql:///excursion_demo (made with createdb)"
    advice = f"give the demo a database of its own, as {own}"
    with connection, connection.cursor() as cursor:
        cursor.execute(statement("reports/demo_strangers"))
        is_ours, has_tables = cursor.fetchone() or (False, False)
        if not is_ours:
            if has_tables:
                raise ExcursionError(
                    f"{settings.database} has a schema raw or analytics that excursion"
                    f" did not make: {advice}"
                )
            return
        ids = _ids(sample)
        cursor.execute(statement("reports/demo_contents"), ids)
        of_sample, of_others, has_others = cursor.fetchone() or (0, 0, False)
    if of_sample < len(ids["event_ids"]) and (of_others or has_others):
        raise ExcursionError(
            f"{settings.database} holds data that are not the sample's ({of_others:,}"
            f" events), and generated trades must not mix with them: {advice}"
        )


def _ids(sample: Path) -> dict[str, list[str]]:
    """The ids of everything in the sample."""
    found: dict[str, set[str]] = {
        "event_ids": set(),
        "order_ids": set(),
        "execution_uuids": set(),
        "recommendation_ids": set(),
        "symbols": set(),
    }
    for line in read_lines(str(sample)):
        for fact in parse_line(line).facts:
            if isinstance(fact, Fill | TradeEvent | Activity):
                found["event_ids"].add(fact.event_id)
            elif isinstance(fact, OrderState):
                found["order_ids"].add(fact.order_id)
            elif isinstance(fact, Execution):
                found["execution_uuids"].add(fact.execution_uuid)
            elif isinstance(fact, Recommendation):
                found["recommendation_ids"].add(fact.recommendation_id)
            if isinstance(fact, Mark | Fill | OrderState | Activity) and fact.symbol:
                found["symbols"].add(fact.symbol)
    return {name: sorted(ids) for name, ids in found.items()}


def _replay(connection: Connection, sample: Path) -> str:
    summary = replay(connection, [str(sample)], wait=True)
    written = summary.written()
    new = f"{written:,} new facts" if written else "nothing new"
    aside = f", {summary.quarantined:,} set aside" if summary.quarantined else ""
    return f"{new} in {summary.lines:,} lines of {SAMPLE}{aside}"


def _build(connection: Connection, settings: config.Settings, console: Console) -> str:
    before = _fingerprint(connection)
    try:
        output = dbt_project.run(
            settings, "build", "--exclude-resource-type", "unit_test"
        )
    except dbt_project.DbtError as error:
        if error.output:
            console.print(Text(f"\n{error.output}"), soft_wrap=True)
        raise
    counts = dbt_project.counts(output)
    warned = counts.get("WARN", 0)
    built = f"{counts.get('PASS', 0)} models, seeds, tests and hooks passed"
    if warned:
        what = "; ".join(dbt_project.warnings(output))
        built += f", {warned} warning{'' if warned == 1 else 's'}: {what}".rstrip(": ")
    same = before is not None and before == _fingerprint(connection)
    return f"nothing new, same rows: {built}" if same else built


def _fingerprint(connection: Connection) -> Decimal | None:
    """A number that changes with any row of the marts; None before they are built."""
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement("reports/demo_marts"))
            row = cursor.fetchone()
    except psycopg2.ProgrammingError:
        return None
    return row[0] if row else None


def _show(connection: Connection, settings: config.Settings, console: Console) -> None:
    found = report(connection)
    answers = stats_output.answers(found)
    console.print()
    _say(console, "What the bots' trades look like", "bold cyan")
    for answer in answers.values():
        _say(console, f"- {answer}")
    console.print()
    _say(console, "Top of analytics.strategy_stats", "bold cyan")
    stats_output.print_table(console, stats_output.top_table(found.top))
    console.print()
    with connection, connection.cursor() as cursor:
        cursor.execute(statement("reports/demo_open"))
        rows = cursor.fetchall()
    _say(
        console,
        f"Open positions ({len(rows)}): analytics.active_positions",
        "bold cyan",
    )
    stats_output.print_table(console, _open_table(rows))
    _next_steps(settings, console, found.top[0].names[0] if found.top else "")


def _open_table(rows: list[tuple[object, ...]]) -> Table:
    table = stats_output.new_table(
        "account",
        "symbol",
        "side",
        "quantity",
        "entry",
        "last\nmark",
        "P&L\ndollars",
        "P&L",
        text_columns=3,
    )
    for *names, quantity, entry, mark, dollars, percent in rows[:SHOWN_POSITIONS]:
        cells = [f"{quantity:,f}".rstrip("0").rstrip(".")]
        cells += ["-" if v is None else f"{v:,.2f}" for v in (entry, mark, dollars)]
        cells.append("-" if percent is None else f"{percent:,.2f}%")
        table.add_row(*map(str, names), *cells)
    if len(rows) > SHOWN_POSITIONS:
        table.caption = f"and {len(rows) - SHOWN_POSITIONS} more"
        table.caption_justify = "left"
    return table


def _next_steps(settings: config.Settings, console: Console, ticker: str) -> None:
    program = _program()
    steps = [
        (f"{program} stats {ticker}".rstrip(), "the three questions, for one ticker"),
        (f"{program} verify", "whether all that is promised holds"),
        ("make dev", "Dagster: the assets, the schedules, the checks"),
        ("make docs", "the models and their columns explained"),
        ("README.md", "your own database, accounts and bots"),
    ]
    if settings.source is config.Source.EMBEDDED:
        meaning = "remove the sample before your own data come in"
        steps.append((f"{program} db reset", meaning))
    console.print()
    _say(console, "Where to look next", "bold cyan")
    width = max(len(command) for command, _ in steps)
    for command, meaning in steps:
        _say(console, f"  {command:<{width}}  {meaning}")


def _program() -> str:
    """How the user can call this program from where he is."""
    if shutil.which("excursion"):
        return "excursion"
    beside = Path(sys.executable).with_name("excursion")
    try:
        return str(beside.relative_to(Path.cwd()))
    except ValueError:
        return str(beside)


def _say(console: Console, text: str, style: str = "") -> None:
    stats_output.print_line(console, text, style)
