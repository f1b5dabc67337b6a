"""The sample's scripted part: what a broker does now and then, and bots cannot cause.

Each scene has days and lanes of its own, so that no bot trades between its acts.
Days are counted from 0, steps are minutes of the session. Strikes are far enough from
the prices that options end as their scenes say; only an unusual seed could differ.

| scene | account, symbol | days |
|---|---|---|
| dividend on a held stock | income MSFT | 1 to 4 |
| spread of two puts, opened and closed by multi-leg orders | income SPY puts | 1 to 6 |
| assignment of short puts, stock sold later | income F put, F | 1 to 6 |
| bust of a scale-in | momentum F | 2 |
| long calls expire worthless | momentum AAPL call | 2 to 4 |
| 4:1 split of a held stock, scaled out in new units | momentum NVDA | 3 to 7 |
| exercise of a call, stock sold later | income F call, F | 3 to 8 |
| correction of a price | momentum MSFT | 4 |
| coins sold but for dust | momentum BTC/USD | 9 |
| fees, with and without a symbol | both | all |
"""

from collections.abc import Callable
from datetime import date
from itertools import pairwise
from typing import Literal

from ingest.generator.broker import Broker
from ingest.generator.dispatch import Dispatcher
from ingest.generator.market import Tape
from ingest.generator.orders import Order
from ingest.generator.plans import NO_INSTRUMENT, Plan, StrategyName
from ingest.generator.sessions import new_york_instant
from ingest.generator.text import CENT, DAY, NANO, SECOND, Stream, price_text

_AAPL_CALL = "AAPL250307C00255000"
_F_PUT = "F250307P00010500"
_F_CALL = "F250314C00008500"
_SOLD_PUT = "SPY250314P00570000"
_BOUGHT_PUT = "SPY250314P00565000"

_HELD = (
    ("MSFT", 1, 4),
    (_SOLD_PUT, 1, 6),
    (_BOUGHT_PUT, 1, 6),
    (_F_PUT, 1, 4),
    (_AAPL_CALL, 2, 4),
    ("NVDA", 3, 7),
    (_F_CALL, 3, 7),
    ("F", 5, 6),
    ("F", 8, 8),
)
"""Symbols whose marks are recorded all day, with the first and the last such day."""

_DUST = 6
"""Nanos of a coin that its sale leaves behind."""


class Script:
    """Plays the scenes of one day; `settle` is what happens after its close."""

    def __init__(self, plan: Plan, broker: Broker, dispatcher: Dispatcher) -> None:
        self._broker = broker
        self._dispatcher = dispatcher
        self._source = Stream(plan.seed, "script")
        self._instruments = {item.symbol: item for item in plan.instruments}
        self._contracts = {
            item.symbol: item.contract for item in plan.instruments if item.contract
        }
        self._strategies = {item.name: item for item in plan.strategies}
        self._tapes: dict[str, Tape] = {}
        self._acts: dict[int, Callable[[], None]] = {
            1: self._second_day,
            2: self._third_day,
            3: self._fourth_day,
            4: self._fifth_day,
            6: self._seventh_day,
            7: lambda: self._close("momentum", "NVDA", 28, 200, "trailing_stop_hit"),
            8: lambda: self._close("income", "F", 100, 90, "signal"),
            9: self._dust,
        }

    def play(self, index: int, day: date, tapes: dict[str, Tape]) -> None:
        """The day's scenes: what happens before the open, then during the session."""
        self._tapes = tapes
        for symbol, first, last in _HELD:
            if first <= index <= last:
                tapes[symbol].show(0, len(tapes[symbol].mids))
        if index == 5:
            self._split(day)
        if index in self._acts:
            self._acts[index]()
        self._settle(index, day)

    def _second_day(self) -> None:
        self._open("income", "MSFT", "buy", 30, 20, cuts=(11,))
        self._open("income", _F_PUT, "sell", 2, 45)
        self._spread("buy", 30)

    def _third_day(self) -> None:
        self._open("momentum", _AAPL_CALL, "buy", 3, 70, "swing_trade")
        self._open("momentum", "F", "buy", 100, 30, "day_trade")
        wrong = self._open("momentum", "F", "buy", 50, 60, "day_trade", confirm=False)
        self._broker.bust(wrong, self._tapes["F"].instant(75) + 635_000)
        self._close("momentum", "F", 100, 110, "stop_loss", "day_trade")
        self._tapes["F"].show(27, 113)

    def _fourth_day(self) -> None:
        self._open("income", _F_CALL, "buy", 1, 33)
        self._open("momentum", "NVDA", "buy", 12, 50, "swing_trade", cuts=(5,))

    def _fifth_day(self) -> None:
        self._close("income", "MSFT", 30, 300, "take_profit")
        order = self._open(
            "momentum", "MSFT", "buy", 40, 40, "day_trade", confirm=False
        )
        price = order.executions[-1].price - 35 * CENT
        self._broker.correct(order, self._tapes["MSFT"].instant(95) + 988_000, price)
        self._close("momentum", "MSFT", 40, 380, "day_trade_close", "day_trade")

    def _seventh_day(self) -> None:
        self._close("income", "F", 200, 60, "risk_gate_exposure")
        self._close("momentum", "NVDA", 20, 120, "first_profit_target")
        self._spread("sell", 210)

    def _dust(self) -> None:
        qty = 48_213_577
        order = self._open("momentum", "BTC/USD", "buy", 0, 40, nanos=qty)
        self._close(
            "momentum", "BTC/USD", 0, 130, "take_profit", nanos=order.filled - _DUST
        )
        self._tapes["BTC/USD"].show(37, 133)

    def _open(
        self,
        account: str,
        symbol: str,
        side: str,
        units: int,
        step: int,
        strategy: StrategyName = "conservative",
        *,
        nanos: int = 0,
        cuts: tuple[int, ...] = (),
        confirm: bool = True,
    ) -> Order:
        """A recommended entry; `cuts` are where it falls into executions, in units."""
        tape, instrument = self._tapes[symbol], self._instruments[symbol]
        sent = tape.instant(step) + 4 * SECOND
        mid, sign = tape.mids[step], 1 if side == "buy" else -1
        recommendation = self._dispatcher.recommend(
            account,
            instrument,
            self._strategies[strategy],
            sent - 3 * SECOND,
            lean=sign,
            spread=2 * tape.half * 1_000_000 // max(1, mid),
        )
        order = self._draft(account, symbol, side, nanos or units * NANO, sent)
        self._dispatcher.send(
            order,
            self._strategies[strategy],
            "entry",
            recommendation=recommendation,
            max_hold=7 * 24 * 60,
            stop=max(1, mid - sign * tape.move) * CENT,
            target=max(1, mid + sign * tape.move) * CENT,
        )
        self._fill(order, step, cuts, confirm=confirm)
        return order

    def _close(
        self,
        account: str,
        symbol: str,
        units: int,
        step: int,
        reason: str,
        strategy: StrategyName = "conservative",
        *,
        nanos: int = 0,
    ) -> None:
        """An exit of a position, all or part, with the dispatcher's reason."""
        held = self._broker.position(account, symbol)
        side = "sell" if held > 0 else "buy"
        sent = self._tapes[symbol].instant(step) + 4 * SECOND
        order = self._draft(account, symbol, side, nanos or units * NANO, sent)
        self._dispatcher.send(order, self._strategies[strategy], "exit", reason=reason)
        self._fill(order, step, ())

    def _draft(self, account: str, symbol: str, side: str, qty: int, at: int) -> Order:
        instrument = self._instruments[symbol]
        order = self._broker.draft(account, instrument, side, qty, at)
        if instrument.contract:
            # What the broker charges for the order is known with its fill.
            order.commission = f"0.{qty // NANO * 3:02d}"
        self._broker.announce(order, at)
        return order

    def _fill(
        self, order: Order, step: int, cuts: tuple[int, ...], *, confirm: bool = True
    ) -> None:
        tape = self._tapes[order.instrument.symbol]
        price = tape.ask(step) if order.side == "buy" else max(CENT, tape.bid(step))
        edges = [0, *(cut * NANO for cut in cuts), order.qty]
        pieces = [
            (order.created + 30_000 + 15_000 * n, price, after - before)
            for n, (before, after) in enumerate(pairwise(edges))
        ]
        self._broker.fill(order, pieces, confirm=confirm)

    def _spread(self, side: Literal["buy", "sell"], step: int) -> None:
        """Open (buy) or close (sell) a credit spread of puts: two legs, one order."""
        opens, strategy = side == "buy", self._strategies["conservative"]
        tapes = [self._tapes[symbol] for symbol in (_SOLD_PUT, _BOUGHT_PUT)]
        sent = tapes[0].instant(step) + 4 * SECOND
        recommendation = None
        if opens:
            recommendation = self._dispatcher.recommend(
                "income",
                tapes[0].instrument,
                strategy,
                sent - 3 * SECOND,
                lean=1,
                spread=2 * tapes[0].half * 1_000_000 // max(1, tapes[0].mids[step]),
            )
        order = self._broker.draft(
            "income",
            NO_INSTRUMENT,
            "buy",
            NANO,
            sent,
            intent="",
            kind="limit",
            order_class="mleg",
        )
        prices = []
        for tape, leg_side in zip(
            tapes, ("sell", "buy") if opens else ("buy", "sell"), strict=True
        ):
            leg = self._broker.draft(
                "income",
                tape.instrument,
                leg_side,
                NANO,
                sent,
                kind="",
                order_class="mleg",
                ratio=1,
            )
            order.legs.append(leg)
            prices.append(
                tape.ask(step) if leg_side == "buy" else max(CENT, tape.bid(step))
            )
            # The broker knows the legs as orders of their own, and so does a row each.
            self._dispatcher.send(
                leg,
                strategy,
                "entry" if opens else "exit",
                recommendation=recommendation,
                reason=None if opens else "expiration_risk",
                max_hold=7 * 24 * 60 if opens else None,
            )
        sold, bought = prices
        order.limit = bought - sold if opens else sold - bought
        self._broker.fill_spread(order, sent + 30_000, prices)
        self._broker.order_row(order, sent + 5 * SECOND)

    def _split(self, day: date) -> None:
        """Four shares of NVDA for one, before the open: two rows, no cash."""
        before = self._broker.position("momentum", "NVDA") // NANO
        after = 4 * before
        self._broker.adjust("momentum", "NVDA", (after - before) * NANO)
        price = self._tapes["NVDA"].mids[0] * CENT
        value = after * price // 10_000
        for verb, qty, points, cusip in (
            ("REMOVE", -before, 4 * price, "67066G104"),
            ("ADD", after, price, "67066G203"),
        ):
            change = f"From QTY:{-before}, To QTY:{after}, Position Value:{value}"
            self._broker.dated_activity(
                "momentum",
                new_york_instant(day, 6 * 60 + 5),
                "SPLIT",
                day,
                0,
                activity_sub_type="FSPLIT",
                description=f"{verb}, {change}",
                symbol="NVDA",
                cusip=cusip,
                qty=str(qty),
                price=price_text(points),
                status="executed",
            )

    def _settle(self, index: int, day: date) -> None:
        """What the broker books after the close; its rows come the next morning."""
        told = new_york_instant(day, 7 * 60) + DAY
        if index == 2:
            self._broker.dated_activity(
                "income",
                told,
                "DIV",
                day,
                249_000,
                symbol="MSFT",
                cusip="594918104",
                qty="30",
                per_share_amount="0.83",
            )
        if index == 4:
            self._expire("momentum", _AAPL_CALL, told, day)
            self._deliver("income", _F_PUT, "OPASN", told, day)
        if index == 7:
            self._deliver("income", _F_CALL, "OPEXC", told, day)
        for account, cents in (("momentum", 11 + index * 3), ("income", 4 + index)):
            self._fee(account, told, day, "REG", cents)
        if index % 2 == 0:
            self._fee("momentum", told, day, "TAF", 2 + index, symbol="SPY")

    def _expire(self, account: str, symbol: str, told: int, day: date) -> None:
        """An option ends worthless."""
        held = self._gone(account, symbol)
        self._broker.dated_activity(
            account,
            told,
            "OPEXP",
            day,
            0,
            description="Option Expiry",
            symbol=symbol,
            qty=str(-held),
            status="executed",
        )

    def _deliver(
        self, account: str, symbol: str, kind: str, told: int, day: date
    ) -> None:
        """An option becomes stock at the strike: by assignment or by exercise."""
        contract = self._contracts[symbol]
        held = self._gone(account, symbol)
        shares = 100 * held if contract.right == "C" else -100 * held
        self._broker.adjust(account, contract.underlying, shares * NANO)
        verb = "Assignment" if kind == "OPASN" else "Exercise"
        self._broker.dated_activity(
            account,
            told,
            kind,
            day,
            0,
            description=f"Option {verb}",
            symbol=symbol,
            qty=str(-held),
            status="executed",
        )
        strike = contract.strike * CENT
        self._broker.dated_activity(
            account,
            told,
            "OPTRD",
            day,
            -shares * strike,
            description="Option Trade",
            symbol=contract.underlying,
            qty=str(shares),
            price=price_text(strike),
            status="executed",
        )

    def _gone(self, account: str, symbol: str) -> int:
        """Take an option off the books; returns the contracts that were held."""
        held = self._broker.position(account, symbol)
        self._broker.adjust(account, symbol, -held)
        return held // NANO

    def _fee(
        self, account: str, told: int, day: date, kind: str, cents: int, **fields: str
    ) -> None:
        self._broker.dated_activity(
            account,
            told,
            "FEE",
            day,
            -cents * CENT,
            activity_sub_type=kind,
            description=f"{kind} fee for proceeds on {day.isoformat()}",
            status="executed",
            **fields,
        )
