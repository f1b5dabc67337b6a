"""Puts the day's events and marks in order."""

from collections.abc import Iterator

from ingest.generator.bots import Bot
from ingest.generator.broker import Broker, Recorder
from ingest.generator.dispatch import Dispatcher
from ingest.generator.market import Market, Tape
from ingest.generator.marks import mark_rows
from ingest.generator.plans import Plan
from ingest.generator.script import Script
from ingest.generator.sessions import SESSION, session_open
from ingest.generator.text import MINUTE


def generate(plan: Plan) -> Iterator[bytes]:
    """Yield the recording of a plan, line by line, in order of reception.

    Each line ends in a newline; `at` never falls. Equal plans yield equal bytes. No
    more than one trading day is held in memory.
    """
    recorder = Recorder()
    broker = Broker(plan.seed, plan.mix, recorder)
    dispatcher = Dispatcher(plan.seed, plan.mix, recorder)
    market = Market(plan)
    bots = [Bot(plan, lane, broker, dispatcher) for lane in plan.lanes]
    script = Script(plan, broker, dispatcher) if plan.scripted else None
    for index, day in enumerate(plan.days):
        tapes = market.open(day)
        if script:
            script.play(index, day, tapes)
        for bot in bots:
            bot.trade_day(index, tapes)
        end = session_open(day) + SESSION + 60 * MINUTE
        yield from _merged(tapes, recorder.take(end), plan.flaw_every)
    yield from (line for _, line in recorder.take())


def _merged(
    tapes: dict[str, Tape], events: list[tuple[int, bytes]], flaw_every: int
) -> Iterator[bytes]:
    """The day's marks and events, in one order; a mark goes first at equal times."""
    events.reverse()
    due = events[-1][0] if events else None
    for instant, offsets, row in mark_rows(tapes, flaw_every):
        if due is None or due > instant + offsets[-1]:
            yield from filter(None, row)
            continue
        for offset, line in zip(offsets, row, strict=True):
            while due is not None and due < instant + offset:
                yield events.pop()[1]
                due = events[-1][0] if events else None
            if line:
                yield line
    yield from (line for _, line in reversed(events))
