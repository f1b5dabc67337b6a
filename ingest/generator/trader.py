"""A trade and the orders that open, change and close it."""

from dataclasses import dataclass
from typing import Literal

from ingest.generator.broker import Broker
from ingest.generator.dispatch import Cause, Dispatcher
from ingest.generator.market import Tape
from ingest.generator.orders import Order
from ingest.generator.pieces import Cutter, half_of, order_size
from ingest.generator.plans import Instrument, Mix, Strategy
from ingest.generator.text import CENT, NANO, SECOND, Stream

Form = Literal["plain", "bracket", "trailing", "notional", "cut_short"]


@dataclass(slots=True, kw_only=True)
class Trade:
    """A position that a bot means to open, or has open.

    `stop` and `target` in cents; `end` is the step at which it leaves at the latest;
    `qty` the open nanos; `patient`: it leaves then because `max_hold` minutes are over.
    `parent` is the bracket's entry, `trail` the trailing stop order.
    """

    strategy: Strategy
    long: bool
    dispatched: bool
    patient: bool
    max_hold: int
    end: int
    stop: int
    target: int
    form: Form = "plain"
    qty: int = 0
    recommendation: str | None = None
    parent: Order | None = None
    trail: Order | None = None

    @property
    def opening(self) -> str:
        """The side of orders that open it or add to it."""
        return "buy" if self.long else "sell"

    @property
    def closing(self) -> str:
        """The side of orders that reduce or close it."""
        return "sell" if self.long else "buy"


class Trader:
    """Sends the orders of one account in one instrument, and has them filled."""

    def __init__(
        self,
        account: str,
        instrument: Instrument,
        mix: Mix,
        broker: Broker,
        dispatcher: Dispatcher,
        source: Stream,
    ) -> None:
        self._account = account
        self._instrument = instrument
        self._mix = mix
        self._broker = broker
        self._dispatcher = dispatcher
        self._source = source
        self._cutter = Cutter(mix, source)

    def enter(self, tape: Tape, trade: Trade, step: int) -> None:
        """Open the position at a step, in the trade's form."""
        sent, filled = self._moment(tape, step)
        self._advise(tape, trade, step, sent)
        price = self._price(tape, step, trade.opening)
        qty = order_size(self._instrument, price, self._source)
        order = self._draft(trade.opening, qty, sent)
        if trade.form == "bracket":
            self._attach_legs(trade, order)
        elif trade.form == "notional":
            order.notional, order.qty = self._source.between(40_000, 300_000), 0
        elif trade.form == "cut_short":
            order.kind, order.limit = "limit", price
        self._broker.announce(order, sent)
        self._explain_entry(trade, order)
        if trade.form == "notional":
            self._broker.fill(order, self._cutter.notional(order, filled, price))
        elif trade.form == "cut_short":
            part = max(NANO, half_of(qty))
            self._broker.fill(order, [(filled, price, part)], complete=False)
            self._broker.cancel(order, filled + 2 * SECOND)
        else:
            self._broker.fill(order, self._cutter.cut(qty, filled, price))
        trade.qty = order.filled
        if trade.form == "bracket":
            for leg in order.legs:
                self._broker.announce(leg, filled + SECOND // 2)
            self._broker.order_row(order, filled + 3 * SECOND)
        elif trade.form == "trailing":
            self._trail(trade, price, filled + SECOND)

    def add(self, tape: Tape, trade: Trade, step: int) -> None:
        """Scale in: half as much again, on the same recommendation."""
        more = half_of(trade.qty)
        if not more:
            return
        sent, filled = self._moment(tape, step)
        price = self._price(tape, step, trade.opening)
        order = self._draft(trade.opening, more, sent)
        self._broker.announce(order, sent)
        self._explain_entry(trade, order)
        self._broker.fill(order, self._cutter.cut(more, filled, price))
        trade.qty += more

    def reduce(self, tape: Tape, trade: Trade, step: int) -> None:
        """Scale out: half of what is open."""
        less = half_of(trade.qty)
        if less:
            self._close(tape, trade, step, less, "reduce")
            trade.qty -= less

    def leave(self, tape: Tape, trade: Trade, step: int, cause: Cause) -> None:
        """Close what is open, through the resting order where that is the cause."""
        if trade.parent:
            self._leave_bracket(tape, trade, trade.parent, step, cause)
        elif trade.trail and cause == "trail":
            _, filled = self._moment(tape, step)
            price = self._price(tape, step, trade.closing)
            self._broker.fill(trade.trail, self._cutter.cut(trade.qty, filled, price))
        else:
            if trade.trail:
                self._broker.cancel(trade.trail, tape.instant(step) + SECOND // 10)
            self._close(tape, trade, step, trade.qty, cause)
        trade.qty = 0

    def flip(self, tape: Tape, old: Trade, new: Trade, step: int) -> None:
        """One order that closes a trade and opens one of the other side."""
        sent, filled = self._moment(tape, step)
        self._advise(tape, new, step, sent)
        price = self._price(tape, step, new.opening)
        new.qty = order_size(self._instrument, price, self._source)
        order = self._draft(new.opening, old.qty + new.qty, sent)
        self._broker.announce(order, sent)
        self._dispatcher.send(
            order,
            new.strategy,
            "exit",
            reason="signal",
            recommendation=new.recommendation,
            max_hold=new.max_hold,
            stop=new.stop * CENT,
            target=new.target * CENT,
        )
        pieces = self._cutter.cut(old.qty + new.qty, filled, price)
        self._broker.fill(order, pieces)
        old.qty = 0

    def try_in_vain(self, tape: Tape, trade: Trade, step: int) -> None:
        """An order too far from the market, canceled ten seconds later."""
        sent, _ = self._moment(tape, step)
        away = 97 if trade.long else 103
        limit = tape.mids[step] * CENT * away // 100 // CENT * CENT
        order = self._draft(
            trade.opening, order_size(self._instrument, limit, self._source), sent
        )
        order.kind, order.limit = "limit", limit
        self._broker.announce(order, sent)
        self._broker.cancel(order, sent + 10 * SECOND)

    def _draft(self, side: str, qty: int, sent: int) -> Order:
        order = self._broker.draft(self._account, self._instrument, side, qty, sent)
        if self._instrument.asset_class == "crypto":
            order.tif = "gtc"
        return order

    def _moment(self, tape: Tape, step: int) -> tuple[int, int]:
        """When an order of the step is sent, and when it fills."""
        if self._source.chance(self._mix.on_a_mark):
            filled = tape.instant(step)
            return filled - 40_000, filled
        sent = tape.instant(step) + 200_000 + self._source.below(tape.step * 2 // 5)
        return sent, sent + self._source.between(8_000, 60_000)

    def _price(self, tape: Tape, step: int, side: str) -> int:
        """Points that an order pays: the quote's, at times half a cent better."""
        better = 0
        if self._instrument.asset_class == "us_equity" and self._source.chance(0.2):
            better = CENT // 2
        if side == "buy":
            return tape.ask(step) - better
        return max(CENT, tape.bid(step) + better)

    def _advise(self, tape: Tape, trade: Trade, step: int, sent: int) -> None:
        """The recommendation behind an entry, three seconds before its order."""
        if trade.dispatched and not self._source.chance(self._mix.unexplained):
            trade.recommendation = self._dispatcher.recommend(
                self._account,
                self._instrument,
                trade.strategy,
                sent - 3 * SECOND,
                lean=1 if trade.long else -1,
                spread=2 * tape.half * 1_000_000 // max(1, tape.mids[step]),
            )

    def _explain_entry(self, trade: Trade, order: Order) -> None:
        if trade.dispatched:
            bounded = self._source.chance(0.9)
            self._dispatcher.send(
                order,
                trade.strategy,
                "entry",
                recommendation=trade.recommendation,
                max_hold=trade.max_hold,
                stop=trade.stop * CENT if bounded else None,
                target=trade.target * CENT if bounded else None,
            )

    def _close(
        self, tape: Tape, trade: Trade, step: int, qty: int, cause: Cause
    ) -> None:
        """A market order that closes a quantity, with the dispatcher's reason."""
        sent, filled = self._moment(tape, step)
        price = self._price(tape, step, trade.closing)
        order = self._draft(trade.closing, qty, sent)
        self._broker.announce(order, sent)
        if trade.dispatched:
            reason = self._dispatcher.reason(cause, self._instrument)
            self._dispatcher.send(order, trade.strategy, "exit", reason=reason)
        self._broker.fill(order, self._cutter.cut(qty, filled, price))

    def _attach_legs(self, trade: Trade, order: Order) -> None:
        """Make the order a bracket: a take-profit and a stop, held until it fills."""
        order.order_class, order.tif = "bracket", "gtc"
        profit = self._leg(trade, order)
        profit.kind, profit.limit = "limit", trade.target * CENT
        stop = self._leg(trade, order)
        stop.kind, stop.stop = "stop", trade.stop * CENT
        order.legs = [profit, stop]
        trade.parent = order

    def _leg(self, trade: Trade, order: Order) -> Order:
        return self._broker.draft(
            self._account,
            self._instrument,
            trade.closing,
            order.qty,
            order.created,
            intent=f"{trade.closing}_to_close",
            order_class="bracket",
            tif="gtc",
            status="held",
        )

    def _leave_bracket(
        self, tape: Tape, trade: Trade, parent: Order, step: int, cause: Cause
    ) -> None:
        profit, stop = parent.legs
        _, filled = self._moment(tape, step)
        price = self._price(tape, step, trade.closing)
        if cause == "tp":
            best = max if trade.long else min
            price = best(price, profit.limit)
            self._broker.fill(profit, self._cutter.cut(trade.qty, filled, price))
            self._broker.cancel(stop, filled + SECOND // 2)
        elif cause == "sl":
            self._broker.fill(stop, self._cutter.cut(trade.qty, filled, price))
            self._broker.cancel(profit, filled + SECOND // 2)
        else:
            for leg in parent.legs:
                self._broker.cancel(leg, tape.instant(step) + SECOND // 20)
            self._close(tape, trade, step, trade.qty, cause)
        self._broker.order_row(parent, filled + 5 * SECOND)

    def _trail(self, trade: Trade, points: int, at: int) -> None:
        """Let a trailing stop follow the position, as far off as its stop is."""
        distance = abs(points - trade.stop * CENT)
        order = self._draft(trade.closing, trade.qty, at)
        order.kind, order.tif, order.hwm = "trailing_stop", "gtc", points
        order.trail = max(5, distance * 10_000 // points)
        self.follow(order, points)
        self._broker.announce(order, at)
        if trade.dispatched and self._source.chance(0.5):
            # Else nothing but the order's type tells why the position was closed.
            reason = self._dispatcher.reason("trail", self._instrument)
            self._dispatcher.send(order, trade.strategy, "exit", reason=reason)
        trade.trail = order

    @staticmethod
    def follow(order: Order, best: int) -> None:
        """Move a trailing stop to the best price seen, in points."""
        order.hwm = best
        sign = -1 if order.side == "sell" else 1
        order.stop = best * (10_000 + sign * order.trail) // 10_000
