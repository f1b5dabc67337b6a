"""A daemon that waits seconds instead of minutes, for `ingesting(plan=...)`."""

from __future__ import annotations

import functools


def install() -> None:
    from alpaca.common import utils
    from alpaca.data.live import websocket
    from alpaca.trading import stream

    from ingest import alarms, daemon, drain, heartbeat
    from ingest.feed import rest, supervisor

    daemon.STOP_SECONDS = 4.0
    daemon.Limits = functools.partial(alarms.Limits, not_live=1, catchup=3)
    supervisor.LONGEST_PAUSE_SECONDS = 0.5
    drain.LONGEST_PAUSE_SECONDS = 0.5
    heartbeat.LONGEST_WAIT = 0.5
    rest.ATTEMPTS = 2
    # alpaca-py's own back-off after a refused connection.
    for module in (utils, websocket, stream):
        module.reconnect_delay = lambda retries, least, most: 0.2


def impatient() -> None:
    """And whose database must answer within a second."""
    from ingest import daemon

    install()
    daemon.PATIENCE = 1
