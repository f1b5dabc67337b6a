"""A plan's facts without the text of its marks: for loading sizes that no one replays.

The same market, bots and broker as in `generate`, so that the rows are those that a
replay of the plan's recording stores. Marks come as columns of a day, everything else
as the lines of the recording. The two do not need each other: they can be made by
different processes at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from ingest.generator.bots import Bot
from ingest.generator.broker import Broker, Recorder
from ingest.generator.dispatch import Dispatcher
from ingest.generator.market import Market, Tape
from ingest.generator.marks import _TRADE_EVERY
from ingest.generator.plans import Plan
from ingest.generator.sessions import SESSION, session_open
from ingest.generator.text import MINUTE

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class DayOfMarks:
    """One value per mark in each column, by symbol and then by time.

    `symbol` is the position in the plan's instruments; `instant` microseconds since
    1970-01-01 UTC; `bid` and `ask` of a trade are NaN; `price` is 0 where the mark is
    unusable.
    """

    day: date
    symbol: Array
    instant: Array
    price: Array
    bid: Array
    ask: Array


def marks_by_day(plan: Plan, share: int = 0, shares: int = 1) -> Iterator[DayOfMarks]:
    """The marks of the plan's days; of every `shares`-th day only, from `share` on.

    Raises ValueError for a plan that records only the marks around its positions:
    which ones those are depends on its bots.
    """
    if not plan.every_mark:
        raise ValueError(f"the plan {plan.name} does not record every mark")
    market = Market(plan)
    numbers = {item.symbol: n for n, item in enumerate(plan.instruments)}
    for index, day in enumerate(plan.days):
        tapes = market.open(day)
        if index % shares == share:
            yield _day(day, tapes, numbers, plan.flaw_every)


def events_by_day(plan: Plan) -> Iterator[list[bytes]]:
    """Each day's lines of all channels but market data, in order of reception.

    What the last day leaves is one more item, as it comes after that day's marks.
    """
    if plan.scripted:
        raise ValueError(f"the plan {plan.name} has scripted events")
    recorder = Recorder()
    broker = Broker(plan.seed, plan.mix, recorder)
    dispatcher = Dispatcher(plan.seed, plan.mix, recorder)
    market = Market(plan)
    bots = [Bot(plan, lane, broker, dispatcher) for lane in plan.lanes]
    for index, day in enumerate(plan.days):
        tapes = market.open(day)
        for bot in bots:
            bot.trade_day(index, tapes)
        end = session_open(day) + SESSION + 60 * MINUTE
        yield [line for _, line in recorder.take(end)]
    yield [line for _, line in recorder.take()]


def _day(
    day: date, tapes: dict[str, Tape], numbers: dict[str, int], flaw_every: int
) -> DayOfMarks:
    columns = [
        _marks(tape, phase, flaw_every) for phase, tape in enumerate(tapes.values())
    ]
    counts = [len(instants) for instants, *_ in columns]
    instant, price, bid, ask = map(np.concatenate, zip(*columns, strict=True))
    symbol = np.repeat([numbers[symbol] for symbol in tapes], counts)
    return DayOfMarks(day, symbol, instant, price, bid, ask)


def _marks(
    tape: Tape, phase: int, flaw_every: int
) -> tuple[Array, Array, Array, Array]:
    """Instant, price, bid and ask of a tape's steps, as `marks.Printer` states them."""
    mids = np.array(tape.mids)
    steps = np.arange(len(mids))
    low = np.maximum(mids - tape.half, 0) / 100
    high = np.maximum(mids + tape.half, 0) / 100
    flawed = (steps - 37 * phase) % flaw_every == 0
    crossed = flawed & (steps % 2 == 1)
    bid = np.where(crossed, high, np.where(flawed, 0.0, low))
    ask = np.where(crossed, low, high)
    # The mid is whole cents, and so is what the parser rounds the quote's mid to.
    price = np.where((bid > 0) & (bid <= ask), mids / 100, 0.0)
    trades = ((steps - phase) % _TRADE_EVERY == 0) & (mids > 0) & ~flawed
    price[trades] = mids[trades] / 100
    bid[trades] = ask[trades] = np.nan
    return tape.instant(0) + steps * tape.step, price, bid, ask
