"""A local Alpaca: trading stream, data streams and REST on one loopback port.

For tests::

    from standin import running

    with running(accounts={"main": ("key", "secret")}) as alpaca:
        ...  # clients at alpaca.url, alpaca.stream_url, alpaca.data_url("iex")
        alpaca.wait_live("main", "iex")
        frame = alpaca.execute("main", "SPY", "buy", 10, "431.25")
        alpaca.market("iex", [{"T": "q", "S": "SPY", "bp": 431.2, "ap": 431.3}])

``running(recording, accounts, speed=, wait=, port=, faults=)`` starts it in a thread of
its own. Without accounts there is ``main``, or those of the recording, whose keys are
their names; a secret of None lets any secret pass.

Things happen, on the streams and in what REST tells:

- ``execute(account, symbol, side, qty, price, order_id=, order_qty=, final=, at=,
  execution_id=, order=, announce=, on_stream=, on_rest=)``: a fill or partial fill
- ``push(account, frame, on_stream=, on_rest=)``: any frame of the trading stream
- ``market(feed, messages)``: market data; a feed or a family (stock, option, crypto)
- ``activity(account, row, lag)``, ``order(account, row)``, ``position(account, row)``:
  rows of REST alone
- ``push_raw(account or feed, bytes or str)``, ``push_packed(feed, frames)``: as it is
- ``disconnect(account or feed, "clean" or "reset")``: after what was pushed so far
- ``close_port()``, ``open_port()``, ``set_clock(instant, speed)``, ``faults``: see
  standin/faults.py for all that can be made to go wrong, while it runs

And what the clients did: ``connections(path or feed)``, ``subscribed(feed)``,
``is_live(account or feed)``, ``requests``, ``forbidden_requests``, ``state()``;
``wait_live(...)``, ``wait_for(predicate, timeout)``, ``wait_played(timeout)``,
``flush()``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from standin.alpaca import Alpaca, running
    from standin.faults import Faults

__all__ = ["Alpaca", "Faults", "running"]


def __getattr__(name: str) -> Any:
    # Late, so that the command can say that aiohttp is missing.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from standin import alpaca

    return getattr(alpaca, name)
