"""`excursion ingest`: the parts of the daemon, put together, started and stopped.

The event loop reads the streams; the spool, the writer, REST and the health server have
threads of their own. docs/operating.md shows them in a picture.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2

from ingest import config, embedded, logs
from ingest.account import AccountThread
from ingest.alarms import Limits, alarms
from ingest.catchup import CatchUp
from ingest.database import connect
from ingest.drain import Drain
from ingest.errors import DatabaseUnreachableError, ExcursionError, UsageError
from ingest.feed import rest
from ingest.health import HealthServer
from ingest.heartbeat import Heartbeat
from ingest.identity import Identities
from ingest.market import Market
from ingest.metrics import Metrics
from ingest.migrate import require_migrated
from ingest.progress import Progress
from ingest.reconcile import Reconciler
from ingest.settings import Account, IngestSettings
from ingest.spool import DamagedTail, Spool
from ingest.state import AccountState, State, StreamState
from ingest.told import Told
from ingest.trading import Trading
from ingest.upkeep import Upkeep
from ingest.watchlist import Watchlist

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

LOG = logs.get(__name__)

TICK_SECONDS = 0.2
ALARM_SECONDS = 60.0
# How long the database may take over one statement, or one lock, of the daemon's.
PATIENCE = 30
# SIGTERM must end the process within 10 s, whatever hangs.
STOP_SECONDS = 8.5
# Of these, what the heartbeat may take to say goodbye.
GOODBYE_SECONDS = 2.0
# And the upkeep of the marks to let go.
UPKEEP_SECONDS = 0.5
# How long a comparison with the broker waits for what is still in the spool.
BACKLOG_SECONDS = 2.0
# How long a start waits to learn whether another process records the accounts; without
# a database nobody can tell, and recording matters more.
DECISION_SECONDS = 5.0


class Daemon:
    """All parts of a running ingester."""

    def __init__(self, settings: IngestSettings, base: config.Settings) -> None:
        self._settings = settings
        self._base = base
        self._refused: str | None = None
        self._stop = asyncio.Event()
        # For threads that wait between requests or for room in the spool.
        self._stopping = threading.Event()
        self.state = State()
        self.state.spool.limit_bytes = settings.ingest.spool_limit
        self._limits = Limits()
        self._metrics = Metrics(self.state, self._limits)
        self._identities = Identities()
        self._alarmed_at: dict[tuple[str, str], float] = {}

    async def run(self) -> None:
        """Record until told to stop.

        Raises ExcursionError where the spool, the port or an account is taken.
        """
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop.set)
        ingest = self._settings.ingest
        folder = self._base.state_dir / "spool"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise UsageError(
                f"cannot use {self._base.state_dir} ({error.strerror}): set"
                " EXCURSION_STATE_DIR to a folder of your own"
            ) from None
        self._spool = Spool(
            folder,
            limit_bytes=ingest.spool_limit,
            commit_seconds=ingest.commit_ms / 1000,
            on_problem=self._spool_problem,
            on_damage=self._spool_damaged,
        )
        self._health = HealthServer(
            self.state, self._metrics, ingest.http_host, ingest.http_port, self._limits
        )
        names = list(self._settings.accounts)
        self._heartbeat = Heartbeat(
            self._connect, self.state, names, on_refused=self._refuse
        )
        self._drain = Drain(
            self._spool,
            self.state,
            self._connect,
            self._metrics.observe_latency,
            lambda: self._heartbeat.locks_held,
            days_ahead=ingest.marks_days_ahead,
        )
        self._upkeep = Upkeep(lambda: connect(self._base))
        self._watchlist = Watchlist(self._settings.market_data.watch)
        self._market = Market(
            self._settings, self._spool, self.state, self._watchlist, self._stopping
        )
        self._trading = [
            self._account(name, account, folder)
            for name, account in self._settings.accounts.items()
        ]
        try:
            await self._work()
        finally:
            await self._end()
        if self._refused:
            raise ExcursionError(self._refused)

    def _account(self, name: str, account: Account, folder: Path) -> Trading:
        ingest = self._settings.ingest
        state = self.state.accounts[name] = AccountState(name)
        stream = self.state.streams[f"trading:{name}"] = StreamState(
            f"trading:{name}", name
        )
        client = rest.ReadOnlyClient(
            name,
            account.trading_url or rest.TRADING_URLS[account.paper],
            (account.key_id.get_secret_value(), account.secret_key.get_secret_value()),
            pace=rest.Pace(ingest.requests_per_minute),
            timeout_seconds=ingest.request_timeout_seconds,
            stop=self._stopping,
            requests_made=self.state.requests,
        )
        progress = Progress(folder / f"progress-{name}.json")
        told = Told()
        catchup = CatchUp(
            client,
            name,
            state,
            ingest,
            progress,
            self._spool.append,
            told,
            self._identities,
        )
        reconciler = Reconciler(
            self._connect,
            name,
            state,
            progress,
            ingest.grace_seconds,
            catchup.fetch_order,
        )
        thread = AccountThread(
            catchup=catchup,
            reconciler=reconciler,
            spool=self._spool,
            watchlist=self._watchlist,
            state=state,
            stream=stream,
            told=told,
            every_seconds=ingest.catchup_seconds,
            is_database_up=self._is_written,
            restart_stream=lambda reason: trading.restart_soon(self._loop, reason),
            refuse=self._refuse,
        )
        trading = Trading(
            name,
            account,
            self._settings,
            self._spool,
            self.state,
            self._watchlist,
            told,
            thread,
        )
        return trading

    async def _work(self) -> None:
        self._heartbeat.start()
        # Two streams of one account would throw each other out: look before connecting.
        await asyncio.to_thread(self._heartbeat.wait_decided, DECISION_SECONDS)
        if self._refused or self._stop.is_set():
            return
        self._drain.start()
        self._upkeep.start()
        LOG.info(
            "started",
            accounts={n: a.kind for n, a in self._settings.accounts.items()},
            database=self._base.database,
            spool_bytes=self._spool.depth_bytes,
            http_port=self._health.port,
        )
        self._market.start()
        for trading in self._trading:
            trading.start()
        while not self._stop.is_set():
            self._tick()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._stop.wait()

    def _tick(self) -> None:
        now = time.monotonic()
        self._health.alive()
        self._market.tick(now)
        spool = self.state.spool
        spool.depth_bytes = self._spool.depth_bytes
        was_full, spool.is_full = spool.is_full, self._spool.is_full
        if spool.is_full and not was_full:
            LOG.error("spool_full", depth=spool.depth_bytes, limit=spool.limit_bytes)
        elif was_full and not spool.is_full:
            LOG.info("spool_has_room", depth=spool.depth_bytes)
        self._tell_alarms(now)

    def _tell_alarms(self, now: float) -> None:
        """Each alarm when it comes up, then once a minute, and when it is over."""
        raised = {
            (alarm.kind, alarm.subject): alarm.message
            for alarm in alarms(self.state, self._limits)
        }
        for key in self._alarmed_at.keys() - raised.keys():
            del self._alarmed_at[key]
            LOG.info("alarm_over", kind=key[0], subject=key[1])
        for key, message in raised.items():
            if now - self._alarmed_at.get(key, -ALARM_SECONDS) >= ALARM_SECONDS:
                self._alarmed_at[key] = now
                LOG.error("alarm", kind=key[0], subject=key[1], message=message)

    async def _end(self) -> None:
        """Everything received is made durable, and as much as possible written."""
        deadline = time.monotonic() + STOP_SECONDS
        self.state.is_stopping = True
        LOG.info("stopping")
        self._stopping.set()
        await asyncio.to_thread(self._upkeep.stop, UPKEEP_SECONDS)
        await asyncio.gather(
            self._market.stop(), *(trading.stop() for trading in self._trading)
        )
        is_durable = await asyncio.to_thread(self._spool.flush, 2.0)
        is_written = not self._spool.depth_bytes
        if self._drain.is_alive():
            remaining = max(0.5, deadline - time.monotonic() - GOODBYE_SECONDS)
            is_written = await asyncio.to_thread(self._drain.stop, remaining)
        # The last beat tells what the next start will find.
        self.state.spool.depth_bytes = self._spool.depth_bytes
        self._heartbeat.stop()
        self._spool.close()
        self._health.close()
        LOG.info(
            "stopped",
            is_durable=is_durable,
            is_written=is_written,
            spool_bytes=self._spool.depth_bytes,
        )

    def _is_written(self) -> bool:
        """Whether what was received until now is in the database, waiting a little.

        Only then do the stored facts say what the broker should hold: a backlog would
        look like missing executions.
        """
        asked_at = time.monotonic()
        while self.state.database_problem is None:
            if not self._spool.depth_bytes or self._drain.written_up_to >= asked_at:
                return True
            if time.monotonic() - asked_at > BACKLOG_SECONDS:
                return False
            if self._stopping.wait(0.02):
                return False
        return False

    def _connect(self) -> Connection:
        return connect(
            self._base, application_name="excursion ingest", patience_seconds=PATIENCE
        )

    def _refuse(self, message: str) -> None:
        self._refused = message
        self._loop.call_soon_threadsafe(self._stop.set)

    def _spool_problem(self, problem: str | None) -> None:
        self.state.spool.problem = problem
        if problem is None:
            LOG.info("spool_works_again")
        else:
            LOG.error("spool_failed", message=problem)

    def _spool_damaged(self, damage: DamagedTail) -> None:
        self.state.spool.damaged_tails += 1
        LOG.warning(
            "spool_torn",
            segment=damage.segment,
            offset=damage.offset,
            bytes=damage.size,
            message="the unfinished last line was cut off; catch-up asks for it again",
        )


def run(settings: IngestSettings, base: config.Settings) -> None:
    """Run the daemon until SIGTERM or SIGINT.

    Raises ExcursionError where it cannot start, in one line.
    """

    async def main() -> None:
        await Daemon(settings, base).run()

    logs.configure(secrets=[*settings.secrets, *base.passwords])
    _look_at_database(base)
    asyncio.run(main())


def _look_at_database(base: config.Settings) -> None:
    """A database without its tables is a mistake to be told at once.

    One that does not answer is not: what is received waits in the spool.
    """
    try:
        if base.source is config.Source.EMBEDDED:
            embedded.start(base)
        with contextlib.closing(connect(base, patience_seconds=PATIENCE)) as connection:
            require_migrated(connection)
    except (DatabaseUnreachableError, psycopg2.OperationalError) as error:
        LOG.warning("database_unreachable", reason=" ".join(str(error).split()))
