"""The dispatcher: what it recommends, what it sends, and why it sends exits."""

from typing import Any, Literal

import orjson

from ingest.generator.broker import Recorder
from ingest.generator.orders import Order
from ingest.generator.plans import Instrument, Mix, Strategy
from ingest.generator.text import (
    SECOND,
    Stream,
    decimal_text,
    instant_text,
    price_text,
)

Cause = Literal["tp", "sl", "trail", "patience", "time", "late", "reduce"]
"""What made a bot leave; `patience` is the end of its maximum holding time."""

_REASONS: dict[Cause, tuple[str, ...]] = {
    "tp": ("take_profit", "take_profit", "Take Profit", "TAKE-PROFIT"),
    "sl": ("stop_loss", "stop_loss", "Stop Loss"),
    "trail": ("trailing_stop_hit", "trailing_stop"),
    "patience": ("max_hold_time",),
    "time": (
        "signal",
        "manual_close",
        "risk_gate_exposure",
        "risk_gate_daily_loss",
        "missing_brackets",
        "phantom_reconciliation",
        "rotated into a better idea",
    ),
    "late": ("day_trade_close", "day_trade_close", "market_close_protection"),
    "reduce": ("first_profit_target", "take_profit", "risk_gate_exposure"),
}
"""Raw texts by what made the bot leave. The last of `time` is in no list of aliases."""

_OPTION_REASONS: dict[Cause, tuple[str, ...]] = {
    "tp": ("option_profit_target", "take_profit"),
    "sl": ("option_stop_loss", "stop_loss"),
    "time": (
        "theta_decay_risk",
        "expiration_risk",
        "theta_force_close",
        "signal",
    ),
}


def _number(value: int, places: int) -> orjson.Fragment:
    """An exact decimal as a JSON number."""
    return orjson.Fragment(decimal_text(value, places))


class Dispatcher:
    """Writes the rows of the dispatcher's two tables."""

    def __init__(self, seed: int, mix: Mix, recorder: Recorder) -> None:
        self._mix = mix
        self._recorder = recorder
        self._source = Stream(seed, "dispatch")

    def recommend(
        self,
        account: str,
        instrument: Instrument,
        strategy: Strategy,
        at: int,
        *,
        lean: int,
        spread: int,
    ) -> str:
        """A decision to open, made at an instant; returns its id.

        `lean` is what the bot expects of the price, from -1 to 1: trend and sentiment
        follow it loosely. `spread` is the quoted one in 1/10,000 percent.
        """
        source = self._source
        trend = lean if source.chance(0.7) else source.between(-1, 1)
        features: dict[str, Any] = {
            "iv_rank": _number(source.between(0, 10_000), 2),
            "spread_pct": _number(spread, 4),
            "trend_state": trend,
            "sentiment_score": _number(source.between(-600, 600) + 300 * lean, 3),
            "volume_ratio": _number(source.between(40, 380), 2),
            "distance_sma20": _number(source.between(-4000, 4000), 5),
        }
        if instrument.contract:
            year = round(instrument.contract.volatility * 10_000)
            features["implied_volatility"] = _number(
                year + source.between(-200, 200), 4
            )
        identity = source.uuid()
        self._row(
            at,
            "dispatch_recommendations",
            {
                "recommendation_id": identity,
                "account_name": account,
                "ticker": instrument.ticker,
                "strategy_type": strategy.name,
                "confidence": _number(source.between(500, 950), 3),
                "features_snapshot": features,
                "sentiment_snapshot": {
                    "headlines": source.between(0, 12),
                    "score": _number(source.between(-1000, 1000), 3),
                }
                if source.chance(0.5)
                else None,
                "created_at": instant_text(at),
            },
        )
        return identity

    def send(
        self,
        order: Order,
        strategy: Strategy,
        intent: Literal["entry", "exit"],
        *,
        recommendation: str | None = None,
        reason: str | None = None,
        max_hold: int | None = None,
        stop: int | None = None,
        target: int | None = None,
    ) -> None:
        """The row of an order that the dispatcher sent; prices in points."""
        row = {
            "execution_uuid": self._source.uuid(),
            "recommendation_id": recommendation,
            "account_name": order.account,
            "alpaca_order_id": order.id,
            "client_order_id": order.client_id,
            "intent": intent,
            "exit_reason": reason,
            "strategy_type": strategy.name,
            "max_hold_minutes": max_hold,
            "stop_price": None if stop is None else price_text(stop),
            "target_price": None if target is None else price_text(target),
            "created_at": instant_text(order.created),
        }
        at = order.created + 4_000
        if self._source.chance(self._mix.no_id):
            self._row(at, "dispatch_executions", row | {"alpaca_order_id": None})
            return
        if self._source.chance(self._mix.late_id):
            self._row(at, "dispatch_executions", row | {"alpaca_order_id": None})
            at += self._source.between(SECOND, 20 * SECOND)
        self._row(at, "dispatch_executions", row)

    def reason(self, cause: Cause, instrument: Instrument) -> str:
        """The dispatcher's own words for a cause."""
        if instrument.contract and cause in _OPTION_REASONS:
            return self._source.pick(_OPTION_REASONS[cause])
        return self._source.pick(_REASONS[cause])

    def _row(self, at: int, table: str, row: dict[str, Any]) -> None:
        message = orjson.dumps({"table": table, "row": row})
        self._recorder.add(at, "dispatch", message)
