"""The bots: one per lane, each opening and closing positions through a day."""

import math

from ingest.generator.broker import Broker
from ingest.generator.dispatch import Cause, Dispatcher
from ingest.generator.market import Tape
from ingest.generator.orders import Order
from ingest.generator.plans import Lane, Plan, Strategy
from ingest.generator.text import CENT, MINUTE, Stream
from ingest.generator.trader import Form, Trade, Trader

_AROUND = 3
"""Steps of marks that are recorded ahead of an entry and after an exit."""


class Bot:
    """Trades one lane. What it holds over night is its only memory between days."""

    def __init__(
        self, plan: Plan, lane: Lane, broker: Broker, dispatcher: Dispatcher
    ) -> None:
        self._plan = plan
        self._lane = lane
        self._source = Stream(plan.seed, "bot", lane.account, lane.symbol)
        self._instrument = next(
            item for item in plan.instruments if item.symbol == lane.symbol
        )
        self._trader = Trader(
            lane.account, self._instrument, plan.mix, broker, dispatcher, self._source
        )
        self._held: Trade | None = None
        self._until = (0, 0)

    def trade_day(self, index: int, tapes: dict[str, Tape]) -> None:
        """Trade the plan's day number `index`: one trade after another."""
        lane, tape = self._lane, tapes[self._lane.symbol]
        if index in lane.off:
            return
        steps, free = len(tape.mids), 0
        if self._held:
            tape.show(0, steps)
            day, free = self._until
            if index < day:
                return
            self._leave(tape, self._held, free)
            self._held = None
        width = steps // lane.trades
        for slot in range(lane.trades):
            start = slot * width + _AROUND + self._source.below(width // 3)
            last = (slot + 1) * width - 1
            if start <= free:
                continue
            if self._is_last(index) and slot == lane.trades - 1:
                if lane.at_end != "flat":
                    self._stay(tape, start, last)
                    return
            elif self._source.chance(lane.overnight):
                self._hold_over_night(tape, start, index)
                return
            free = self._trade(tape, start, last)

    def _is_last(self, index: int) -> bool:
        return index == len(self._plan.days) - 1

    def _trade(self, tape: Tape, start: int, last: int) -> int:
        """One trade from flat to flat; returns the step at which the lane is free."""
        source, mix = self._source, self._plan.mix
        strategy = source.pick(self._plan.strategies)
        end = min(start + self._length(tape, strategy), last)
        long = self._direction(tape, strategy, start, end)
        if long is None:
            return start
        trade = self._terms(tape, strategy, long, start, end)
        trade.form = self._form(trade)
        if strategy.name == "day_trade" and last > len(tape.mids) * 9 // 10:
            # The last trade of a day trader lasts until shortly before the close.
            trade.end, trade.patient = last, False
        if source.chance(mix.unfilled):
            self._trader.try_in_vain(tape, trade, start - 1)
        tape.show(start - _AROUND, start)
        self._trader.enter(tape, trade, start)
        while True:
            step, cause = self._watch(tape, trade, start)
            tape.show(start, step + _AROUND)
            self._resize(tape, trade, start, step)
            if last - step < 6 or not self._may_flip(trade):
                self._trader.leave(tape, trade, step, cause)
                return step
            # Turned round, it opens the opposite position with the same order.
            strategy = source.pick(self._plan.strategies)
            end = min(step + self._length(tape, strategy), last)
            turned = self._terms(tape, strategy, not trade.long, step, end)
            turned.dispatched = True
            self._trader.flip(tape, trade, turned, step)
            trade, start = turned, step

    def _resize(self, tape: Tape, trade: Trade, start: int, step: int) -> None:
        """Perhaps scale in a third of the way, and out after two thirds."""
        if trade.form in ("plain", "cut_short") and step - start >= 4:
            if self._source.chance(self._plan.mix.scale_in):
                self._trader.add(tape, trade, start + (step - start) // 3)
            if self._source.chance(self._plan.mix.scale_out):
                self._trader.reduce(tape, trade, start + 2 * (step - start) // 3)

    def _may_flip(self, trade: Trade) -> bool:
        return (
            self._lane.sides == "both"
            and trade.form == "plain"
            and trade.dispatched
            and self._source.chance(self._plan.mix.flip)
        )

    def _hold_over_night(self, tape: Tape, start: int, index: int) -> None:
        """Open a position and keep it for one or two nights."""
        self._held = self._open_and_keep(tape, start)
        later = index + (1 if self._source.chance(0.7) else 2)
        if self._lane.at_end != "flat":
            # Back in time for the trade that is to stay open at the end.
            later = min(later, len(self._plan.days) - 1)
        minutes = self._source.between(5, 60)
        self._until = (later, minutes * MINUTE // tape.step)

    def _stay(self, tape: Tape, start: int, last: int) -> None:
        """Open a position that the recording leaves open, reduced if so wished."""
        trade = self._open_and_keep(tape, start)
        if self._lane.at_end == "reducing":
            self._trader.reduce(tape, trade, (start + last) // 2)

    def _open_and_keep(self, tape: Tape, start: int) -> Trade:
        strategy = next(s for s in self._plan.strategies if s.name == "swing_trade")
        steps = len(tape.mids)
        ahead = tape.mids[-1] >= tape.mids[start]
        long = ahead if self._lane.sides == "both" else self._lane.sides == "long"
        trade = self._terms(tape, strategy, long, start, steps - 1)
        trade.patient = False
        tape.show(start - _AROUND, steps)
        self._trader.enter(tape, trade, start)
        return trade

    def _leave(self, tape: Tape, trade: Trade, step: int) -> None:
        self._trader.leave(tape, trade, step, "time")

    def _length(self, tape: Tape, strategy: Strategy) -> int:
        minutes = self._source.pick(strategy.holds)
        return max(2, minutes * MINUTE // tape.step)

    def _direction(
        self, tape: Tape, strategy: Strategy, start: int, end: int
    ) -> bool | None:
        """Whether to go long; None where the bot knows that its only side loses."""
        ahead = tape.mids[end] - tape.mids[start]
        knows = ahead != 0 and self._source.chance(strategy.skill)
        if self._lane.sides == "both":
            return ahead > 0 if knows else self._source.chance(0.6)
        long = self._lane.sides == "long"
        return None if knows and long != (ahead > 0) else long

    def _terms(
        self, tape: Tape, strategy: Strategy, long: bool, start: int, end: int
    ) -> Trade:
        """A trade with its stop and target around the price at the start."""
        share = math.sqrt((end - start) / len(tape.mids))
        reach = max(2 * tape.half + 1, round(tape.move * share))
        mid, sign = tape.mids[start], 1 if long else -1
        patient = self._source.chance(0.5)
        held = max(1, (end - start) * tape.step // MINUTE)
        return Trade(
            strategy=strategy,
            long=long,
            dispatched=not self._source.chance(self._plan.mix.manual),
            patient=patient,
            max_hold=held if patient else 2 * max(strategy.holds),
            end=end,
            stop=max(1, mid - sign * round(strategy.stop * reach)),
            target=max(1, mid + sign * round(strategy.target * reach)),
        )

    def _form(self, trade: Trade) -> Form:
        """How the entry is made; only stocks have other forms than the plain one."""
        mix = self._plan.mix
        if self._instrument.asset_class != "us_equity":
            return "plain"
        if self._source.chance(mix.bracket):
            return "bracket"
        if self._source.chance(mix.trailing):
            return "trailing"
        if self._source.chance(mix.notional) and trade.long:
            return "notional"
        return "cut_short" if self._source.chance(mix.cut_short) else "plain"

    def _watch(self, tape: Tape, trade: Trade, start: int) -> tuple[int, Cause]:
        """The step at which the trade is left, and why.

        A stop or target is met by the price that the exit would get.
        """
        mids, end = tape.mids, trade.end
        if trade.trail:
            return self._watch_trail(tape, trade, trade.trail, start)
        if trade.long:
            stop, target = trade.stop + tape.half, trade.target + tape.half
            for step in range(start + 1, end):
                if mids[step] <= stop:
                    return step, "sl"
                if mids[step] >= target:
                    return step, "tp"
        else:
            stop, target = trade.stop - tape.half, trade.target - tape.half
            for step in range(start + 1, end):
                if mids[step] >= stop:
                    return step, "sl"
                if mids[step] <= target:
                    return step, "tp"
        return end, self._end_cause(tape, trade)

    def _watch_trail(
        self, tape: Tape, trade: Trade, order: Order, start: int
    ) -> tuple[int, Cause]:
        best = order.hwm
        for step in range(start + 1, trade.end):
            price = tape.mids[step] * CENT
            if price <= order.stop if trade.long else price >= order.stop:
                return step, "trail"
            best = max(best, price) if trade.long else min(best, price)
            self._trader.follow(order, best)
        return trade.end, self._end_cause(tape, trade)

    def _end_cause(self, tape: Tape, trade: Trade) -> Cause:
        if trade.patient:
            return "patience"
        late = trade.end > len(tape.mids) * 9 // 10
        return "late" if late and trade.strategy.name == "day_trade" else "time"
