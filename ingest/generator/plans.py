"""What a recording is to hold: the generator's parameters, and four named plans."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from ingest.generator.sessions import trading_days
from ingest.generator.text import SECOND

Sides = Literal["both", "long", "short"]

StrategyName = Literal["day_trade", "swing_trade", "conservative"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The terms of an option; `strike` in cents, `volatility` per year."""

    underlying: str
    expiry: date
    right: Literal["C", "P"]
    strike: int
    volatility: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """Something that trades.

    `cents` is the price before the first day, `volatility` the deviation of one day's
    return, `half_spread` half of the quoted spread in cents; an option takes all three
    from its contract and its underlying.
    """

    symbol: str
    asset_class: Literal["us_equity", "us_option", "crypto", ""]
    cents: int = 0
    volatility: float = 0.0
    half_spread: int = 1
    contract: Contract | None = None

    @property
    def ticker(self) -> str:
        """The underlying's symbol, or its own."""
        return self.contract.underlying if self.contract else self.symbol


NO_INSTRUMENT = Instrument(symbol="", asset_class="")
"""What a multi-leg order is in: its legs name the instruments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A forward split: `ratio` new shares for an old one from `day` on."""

    symbol: str
    day: date
    ratio: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How one kind of bot decides.

    It plans to hold for one of `holds` minutes. `stop` and `target` are distances from
    the entry in units of the move that is usual in that time. `skill` is the share of
    trades in which it knows the direction beforehand: the whole of its edge.
    """

    name: StrategyName
    holds: tuple[int, ...]
    stop: float
    target: float
    skill: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One account's trading in one symbol: `trades` attempts a day, one at a time.

    `overnight` is the chance that a trade is held to a later day; `off` are days
    (counted from 0) that belong to a scripted event; `at_end` tells whether the last
    trade of the plan stays open, untouched or reduced.
    """

    account: str
    symbol: str
    trades: int
    sides: Sides = "both"
    overnight: float = 0.0
    off: frozenset[int] = frozenset()
    at_end: Literal["flat", "open", "reducing"] = "flat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """How often something happens, as a share of the orders, trades or fills."""

    partial: float = 0.15
    """Orders that fill in two to four executions."""
    one_instant: float = 0.3
    """Of those, the ones whose executions share a microsecond."""
    inverted: float = 0.0
    """Of the others, the ones whose last execution states an earlier time."""
    on_a_mark: float = 0.01
    """Orders that fill at the very instant of a mark."""
    scale_in: float = 0.08
    scale_out: float = 0.08
    flip: float = 0.05
    bracket: float = 0.0
    trailing: float = 0.0
    notional: float = 0.0
    cut_short: float = 0.0
    """Entries whose rest is canceled after a first execution."""
    unfilled: float = 0.0
    """Entries before which an order was placed and canceled in vain."""
    manual: float = 0.02
    """Trades that no dispatcher knows."""
    unexplained: float = 0.05
    """Dispatched entries without a recommendation."""
    late_id: float = 0.0
    """Dispatch rows sent first without the order's id, then again with it."""
    no_id: float = 0.0
    """Dispatch rows that never learn the order's id."""
    redelivered: float = 0.02
    """Trading frames that arrive a second time."""
    on_rest: float = 0.0
    """Fills that also arrive as a REST activity."""
    lifecycle: bool = False
    """Whether `new` frames of orders are recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that decides a recording; equal plans give equal bytes.

    `step` is the microseconds between two marks of a symbol, a whole divisor of the
    session. With `every_mark` all of them are recorded, else those around a position.
    One mark in `flaw_every` is unusable. `scripted` adds the events that the bots
    cannot cause (see `script`).
    """

    name: str
    seed: int
    days: tuple[date, ...]
    step: int
    instruments: tuple[Instrument, ...]
    lanes: tuple[Lane, ...]
    strategies: tuple[Strategy, ...]
    mix: Mix
    splits: tuple[Split, ...] = ()
    every_mark: bool = True
    flaw_every: int = 997
    scripted: bool = False

    def with_seed(self, seed: int) -> "Plan":
        """The same plan on another market, with other choices."""
        return replace(self, seed=seed)


def option(
    underlying: str,
    expiry: date,
    right: Literal["C", "P"],
    strike: int,
    volatility: float,
) -> Instrument:
    """An option by its terms, with its OCC symbol; `strike` in cents."""
    return Instrument(
        symbol=f"{underlying}{expiry:%y%m%d}{right}{strike * 10:08d}",
        asset_class="us_option",
        contract=Contract(
            underlying=underlying,
            expiry=expiry,
            right=right,
            strike=strike,
            volatility=volatility,
        ),
    )


def stock(
    symbol: str, cents: int, volatility: float, half_spread: int = 1
) -> Instrument:
    """A stock by its first price, its day's volatility and half of its spread."""
    return Instrument(
        symbol=symbol,
        asset_class="us_equity",
        cents=cents,
        volatility=volatility,
        half_spread=half_spread,
    )


_FIRST_FRIDAY, _SECOND_FRIDAY, _THIRD_FRIDAY = (
    date(2025, 3, day) for day in (7, 14, 21)
)

SAMPLE = Plan(
    name="sample",
    seed=20250303,
    days=tuple(trading_days(date(2025, 3, 3), 10)),
    step=60 * SECOND,
    every_mark=False,
    flaw_every=173,
    scripted=True,
    instruments=(
        stock("AAPL", 23_800, 0.016),
        stock("MSFT", 39_700, 0.014, 2),
        stock("NVDA", 47_200, 0.028, 2),
        stock("SPY", 58_000, 0.010),
        stock("AMZN", 20_900, 0.018),
        stock("F", 960, 0.014),
        Instrument(
            symbol="BTC/USD",
            asset_class="crypto",
            cents=8_612_400,
            volatility=0.026,
            half_spread=900,
        ),
        option("AAPL", _FIRST_FRIDAY, "C", 25_500, 0.26),
        option("AAPL", _SECOND_FRIDAY, "C", 24_000, 0.28),
        option("AAPL", _THIRD_FRIDAY, "P", 23_500, 0.29),
        option("SPY", _SECOND_FRIDAY, "P", 56_500, 0.19),
        option("SPY", _SECOND_FRIDAY, "P", 57_000, 0.19),
        option("SPY", _THIRD_FRIDAY, "C", 58_500, 0.18),
        option("F", _FIRST_FRIDAY, "P", 1_050, 0.34),
        option("F", _SECOND_FRIDAY, "C", 850, 0.34),
    ),
    lanes=(
        Lane(account="momentum", symbol="AAPL", trades=4),
        Lane(account="momentum", symbol="MSFT", trades=4, off=frozenset({4})),
        Lane(
            account="momentum", symbol="NVDA", trades=4, off=frozenset({3, 4, 5, 6, 7})
        ),
        Lane(account="momentum", symbol="SPY", trades=4, at_end="reducing"),
        Lane(account="momentum", symbol="AMZN", trades=4, at_end="open"),
        Lane(account="momentum", symbol="F", trades=3, off=frozenset({2})),
        Lane(
            account="momentum",
            symbol="BTC/USD",
            trades=2,
            sides="long",
            off=frozenset({9}),
        ),
        Lane(account="momentum", symbol="AAPL250314C00240000", trades=2, sides="long"),
        Lane(
            account="momentum",
            symbol="SPY250321C00585000",
            trades=2,
            sides="long",
            at_end="open",
        ),
        Lane(
            account="income",
            symbol="AAPL250321P00235000",
            trades=2,
            sides="short",
            at_end="open",
        ),
        Lane(
            account="income",
            symbol="AAPL",
            trades=2,
            sides="long",
            overnight=0.3,
            at_end="open",
        ),
        Lane(account="income", symbol="SPY", trades=3, sides="long", overnight=0.15),
        Lane(
            account="income",
            symbol="MSFT",
            trades=2,
            sides="short",
            off=frozenset({0, 1, 2, 3, 4}),
            at_end="open",
        ),
    ),
    strategies=(
        Strategy(
            name="day_trade",
            holds=(6, 9, 14, 22, 35, 55),
            stop=0.9,
            target=0.9,
            skill=0.08,
        ),
        Strategy(
            name="swing_trade",
            holds=(60, 75, 90, 120),
            stop=0.8,
            target=2.2,
            skill=0.3,
        ),
        Strategy(
            name="conservative",
            holds=(25, 40, 60, 80),
            stop=1.4,
            target=0.7,
            skill=0.6,
        ),
    ),
    splits=(Split(symbol="NVDA", day=date(2025, 3, 10), ratio=4),),
    mix=Mix(
        partial=0.25,
        inverted=0.2,
        on_a_mark=0.02,
        scale_in=0.15,
        scale_out=0.15,
        flip=0.08,
        bracket=0.2,
        trailing=0.12,
        notional=0.08,
        cut_short=0.04,
        unfilled=0.06,
        manual=0.08,
        unexplained=0.06,
        late_id=0.08,
        no_id=0.03,
        redelivered=0.07,
        on_rest=0.1,
        lifecycle=True,
    ),
)

_TICKERS = (
    "AAPL MSFT NVDA AMZN GOOGL META AVGO TSLA WMT JPM V XOM UNH MA ORCL COST PG HD JNJ"
    " NFLX BAC ABBV CRM CVX KO TMUS WFC MRK CSCO ADBE AMD PEP ACN LIN MCD ABT TMO GE"
    " PM IBM AXP DIS QCOM ISRG CAT VZ TXN GS INTU NOW UBER MS BKNG PFE T RTX SPGI AMGN"
    " HON LOW NEE PGR UNP CMCSA BLK AMAT TJX C SYK BSX ETN COP SCHW BA FI ADP GILD MU"
    " PANW DE LMT MMC UPS SBUX INTC NKE SO MO CVS CI PLD EQIX CL MCK TGT EMR F GM FDX"
)


def _bulk(
    name: str, *, first: date, days: int, stocks: int, options: int, accounts: int
) -> Plan:
    """A plan of one size: stocks, options on the first of them, all day, all recorded.

    Thirteen slots of half an hour a day keep the median hold at five minutes.
    """
    shares = tuple(
        stock(ticker, 2_500 + 1_973 * (position * 7 % 23), 0.012 + position % 5 * 0.003)
        for position, ticker in enumerate(_TICKERS.split()[:stocks])
    )
    contracts = tuple(
        option(
            share.symbol,
            date(2026, 12, 18),
            "P" if position % 3 == 2 else "C",
            (share.cents + 250) // 500 * 500,
            16 * share.volatility,
        )
        for position, share in enumerate(shares[:options])
    )
    names = ("alpha", "beta", "gamma", "delta")[:accounts]
    return Plan(
        name=name,
        seed=1,
        days=tuple(trading_days(first, days)),
        step=5 * SECOND,
        instruments=shares + contracts,
        lanes=tuple(
            Lane(
                account=account,
                symbol=instrument.symbol,
                trades=13,
                sides="long" if instrument.contract else "both",
                overnight=0.008,
            )
            for instrument in shares + contracts
            for account in names
        ),
        strategies=tuple(
            replace(strategy, holds=holds, stop=stop, target=target)
            for strategy, holds, stop, target in zip(
                SAMPLE.strategies,
                ((2, 3, 5, 7), (4, 6, 9, 14, 20), (3, 5, 7, 10)),
                (1.8, 1.5, 2.5),
                (1.8, 2.5, 1.2),
                strict=True,
            )
        ),
        mix=Mix(),
    )


SMALL = _bulk(
    "small", first=date(2025, 3, 3), days=10, stocks=14, options=7, accounts=4
)
MEDIUM = _bulk(
    "medium", first=date(2025, 1, 2), days=96, stocks=30, options=14, accounts=2
)
LARGE = _bulk(
    "large", first=date(2025, 1, 2), days=190, stocks=98, options=48, accounts=3
)

PLANS = {plan.name: plan for plan in (SAMPLE, SMALL, MEDIUM, LARGE)}
"""The named plans, by the name that the command line takes."""
