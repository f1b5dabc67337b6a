"""What the streams hand over, into the spool: the only thing a handler does.

Nothing here waits or raises: a frame that cannot be understood is spooled as it is, and
the parser on the other side puts it into quarantine.
"""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import Any

import orjson
from msgpack import Timestamp

from ingest import values
from ingest.facts import UnreadableError
from ingest.feed import lines
from ingest.spool import Spool
from ingest.state import State, StreamState
from ingest.thinning import Thinner

# Between the broker's clock and this machine's.
CLOCKS_DIFFER_SECONDS = 2.0


class TradeUpdates:
    """Frames of one account's trading stream."""

    def __init__(self, spool: Spool, state: State, account: str) -> None:
        self._spool = spool
        self._received = state.received
        self._key = ("trade_updates", account)

    def record(self, text: str, message: Any) -> None:
        """``message`` is the decoded frame, None where it is not JSON."""
        channel, account = self._key
        self._spool.append(
            lines.line_of_text(channel, text, message is not None, account)
        )
        self._received[self._key] += 1


class Marks:
    """Messages of one market data channel, from its stream and from snapshots.

    For the event loop only. ``last_at`` is when each symbol was last heard of, and
    ``missed_at`` when a snapshot last told of something that the live stream should
    have sent and had not; both on the monotonic clock.
    """

    def __init__(
        self, spool: Spool, state: State, stream: StreamState, channel: str, all_: bool
    ) -> None:
        self._spool = spool
        self._state = state
        self._stream = stream
        self._channel = channel
        self._thinner = Thinner(keep_all=all_)
        self.last_at: dict[str, float] = {}
        self.missed_at = -math.inf
        # The newest instant of each symbol that the stream sent, in Unix seconds.
        self._newest: dict[str, float] = {}

    def record(self, messages: list[Any], *, is_streamed: bool = True) -> None:
        """The messages of one frame, or of a snapshot."""
        wall, now = datetime.now(UTC), time.monotonic()
        prefix = lines.prefix(self._channel, None, wall)
        kept: list[bytes] = []
        if not is_streamed:
            self._look_for_missed(messages, now)
        for message in messages:
            try:
                line = self._line(message, prefix, now)
            except Exception:  # noqa: BLE001 - one message must not cost the others
                line = prefix + orjson.dumps(repr(message)) + b"}\n"
            if line:
                kept.append(line)
        if kept:
            self._spool.append(b"".join(kept), len(kept))
        if is_streamed:
            self._stream.last_event_at = wall
        self._state.received[self._channel, ""] += len(messages)
        self._state.thinned[self._channel] = self._thinner.left_out

    def _line(self, message: Any, prefix: bytes, now: float) -> bytes:
        if type(message) is not dict:
            return prefix + lines.encoded(_undecoded(message)) + b"}\n"
        stamp = message.get("t")
        if type(stamp) is Timestamp:
            message["t"] = lines.timestamp(stamp)
        line = prefix + lines.encoded(message) + b"}\n"
        symbol: Any = message.get("S")
        self.last_at[symbol] = now
        if type(stamp) is not Timestamp:
            return line
        self._newest[symbol] = stamp.seconds
        if message.get("T") != "q":
            return line
        return self._thinner.offer(symbol, stamp.seconds, _mid(message), line, now)

    def _look_for_missed(self, messages: list[Any], now: float) -> None:
        """Of a thin symbol nothing may come for long; silence alone tells nothing."""
        live_since = self._stream.live_since
        if live_since is None:
            return
        begin = live_since.timestamp() + CLOCKS_DIFFER_SECONDS
        for message in messages:
            try:
                told = values.required_instant(message.get("t"), "t").timestamp()
            except UnreadableError:
                continue
            known = self._newest.get(message.get("S"), 0)
            if told > max(begin, known + CLOCKS_DIFFER_SECONDS):
                self.missed_at = now

    def due(self, now: float) -> None:
        """Spool the quotes whose second is over; to be called every now and then."""
        self._append(self._thinner.due(now))

    def flush(self) -> None:
        """Spool what is held back: nothing more is to come."""
        self._append(self._thinner.flush())

    def _append(self, data: bytes) -> None:
        if data:
            self._spool.append(data, data.count(b"\n"))
        self._state.thinned[self._channel] = self._thinner.left_out


def _mid(quote: dict[str, Any]) -> float | None:
    bid, ask = quote.get("bp"), quote.get("ap")
    if not bid or not ask or bid > ask or bid < 0:
        return None
    return float(bid + ask) / 2


def _undecoded(message: Any) -> Any:
    """A frame that is no msgpack list, as text that can be turned back."""
    return f"undecodable frame: {message.hex()}" if type(message) is bytes else message
