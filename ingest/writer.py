"""The one way into the raw schema, for replay and for the live daemon.

A batch is one transaction: facts, their dedupe rows and the quarantine of what could
not be stored commit together or not at all, so a process killed at any instant and
run again ends with every fact exactly once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest.batch import Batch, of_entries
from ingest.errors import ExcursionError
from ingest.facts import (
    Activity,
    BrokerPosition,
    Execution,
    Fill,
    OrderState,
    Recommendation,
    TradeEvent,
)
from ingest.outcome import Located, Outcome, Tally
from ingest.recording import Entry, Problem
from ingest.tables import (
    activities,
    broker_positions,
    dispatch,
    events,
    fills,
    marks,
    orders,
    quarantine,
)
from ingest.tables.instruments import Instruments

# Writers of all kinds queue on this transaction lock: what a batch was decided on
# cannot change before it commits. Any number, as long as nobody else uses it.
WRITER_LOCK = 6_120_081_001

NAMES_A_SYMBOL = (Fill, OrderState, Activity, BrokerPosition)

# A batch finds all that it needs through a key. Without statistics, as in a database
# that is being filled for the first time, the planner would read whole tables instead.
BEGIN = """
set local enable_seqscan = off;
set local enable_hashjoin = off;
set local enable_mergejoin = off;
select pg_advisory_xact_lock(%s)
"""

# What the database says of a row that it will never take.
REFUSALS = (
    psycopg2.DataError,
    psycopg2.IntegrityError,
    psycopg2.errors.ProgramLimitExceeded,
)

# A deadlock is possible only with a foreign writer, and then passes.
ATTEMPTS = 3


class Writer:
    """Writes entries of a recording through one connection.

    ``on_quarantine`` is told of each entry that was set aside, after its commit;
    ``days_ahead``: of partitions of marks, created before they are needed.
    """

    def __init__(
        self,
        connection: Connection,
        on_quarantine: Callable[[Entry, Problem], None] | None = None,
        *,
        days_ahead: int = 0,
    ) -> None:
        self._connection = connection
        self._on_quarantine = on_quarantine or (lambda entry, problem: None)
        self._instruments = Instruments()
        self._days = marks.Days(days_ahead)

    @property
    def touched_partitions(self) -> set[str]:
        """Partitions of raw.marks that were written to."""
        return self._days.touched

    def write(self, entries: Sequence[Entry]) -> Tally:
        """As write_batch, of entries that are not sorted yet."""
        return self.write_batch(of_entries(entries))

    def write_batch(self, batch: Batch) -> Tally:
        """Write a batch and commit; returns the counts of its Outcome.

        An entry that the database refuses is quarantined, the rest of its batch
        written. Raises ExcursionError when the connection is lost.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                outcome = self._write_once(batch)
            except psycopg2.errors.DeadlockDetected:
                self._roll_back()
                if attempt == ATTEMPTS:
                    raise
            except REFUSALS as error:
                self._roll_back()
                return self._write_halves(
                    batch.entries(), str(error).partition("\n")[0]
                )
            except psycopg2.OperationalError as error:
                reason = str(error).partition("\n")[0]
                raise ExcursionError(
                    f"the database connection was lost ({reason}); run again, nothing"
                    " is written twice"
                ) from error
            except BaseException:
                self._roll_back()
                raise
            else:
                break
        for entry, problem in outcome.set_aside:
            self._on_quarantine(entry, problem)
        return outcome.tally

    def _write_halves(self, entries: Sequence[Entry], reason: str) -> Tally:
        """Find the entry that the database refuses by halving the batch."""
        if len(entries) == 1:
            problem = Problem("refused_by_database", reason)
            return self.write([replace(entries[0], facts=[], problem=problem)])
        middle = len(entries) // 2
        return self.write(entries[:middle]) + self.write(entries[middle:])

    def _roll_back(self) -> None:
        if not self._connection.closed:
            self._connection.rollback()
        self._instruments.forget()
        self._days.forget()

    def _write_once(self, batch: Batch) -> Outcome:
        outcome = Outcome()
        by_type: defaultdict[type, list[Located]] = defaultdict(list)
        symbols = set(batch.observed.hints)
        for entry in batch.others:
            if entry.problem is not None:
                outcome.quarantine(entry, entry.problem.code, entry.problem.reason)
            elif not entry.facts:
                outcome.skip()
            for fact in entry.facts:
                by_type[type(fact)].append((entry, fact))
                if isinstance(fact, NAMES_A_SYMBOL) and fact.symbol:
                    hint = getattr(fact, "asset_class", None)
                    symbols.add((fact.symbol, hint))
        with self._connection.cursor() as cursor:
            cursor.execute(BEGIN, (WRITER_LOCK,))
            self._instruments.ensure(cursor, symbols)
            ids = self._instruments.ids
            marks.write(cursor, batch.observed, ids, self._days, outcome)
            self._write_facts(cursor, by_type, outcome)
            quarantine.write(cursor, outcome)
        self._connection.commit()
        return outcome

    def _write_facts(
        self, cursor: Cursor, by_type: dict[type, list[Located]], outcome: Outcome
    ) -> None:
        orders.write(cursor, by_type[OrderState], outcome)
        fills.write(cursor, by_type[Fill], outcome)
        events.write(cursor, by_type[TradeEvent], outcome)
        activities.write(cursor, by_type[Activity], outcome)
        broker_positions.write(cursor, by_type[BrokerPosition], outcome)
        dispatch.write(cursor, by_type[Recommendation], Recommendation, outcome)
        dispatch.write(cursor, by_type[Execution], Execution, outcome)
