"""Rows of the dispatcher's two tables."""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from typing import Any

from ingest import values
from ingest.facts import Execution, Recommendation, UnreadableError

STRATEGY_TYPES = frozenset({"day_trade", "swing_trade", "conservative"})
INTENTS = frozenset({"entry", "exit"})

#: What a row of each table may state.
COLUMNS = {
    "dispatch_recommendations": frozenset(
        each.name for each in dataclasses.fields(Recommendation)
    ),
    "dispatch_executions": frozenset(
        each.name for each in dataclasses.fields(Execution)
    ),
}


def fact(message: dict[str, Any], account: str | None) -> Recommendation | Execution:
    """The decision or the sent order of a row; ``account`` stands in for its own."""
    table, row = message.get("table"), message.get("row")
    if not isinstance(row, dict):
        raise UnreadableError("bad_shape", "a dispatch message without a row")
    if values.required_text(table, "table") not in COLUMNS:
        raise UnreadableError("unknown_table", f"unknown table {table}")
    fields = values.Fields(row)
    account_name = fields.text("account_name") or account
    strategy_type = fields.text("strategy_type")
    if strategy_type is not None and strategy_type not in STRATEGY_TYPES:
        raise UnreadableError(
            "unknown_strategy_type", f"unknown strategy_type: {strategy_type}"
        )
    created_at = fields.required_instant("created_at")
    recommendation_id = fields.identifier("recommendation_id")
    if table == "dispatch_recommendations":
        if recommendation_id is None:
            raise UnreadableError("missing_field", "recommendation_id is missing")
        return Recommendation(
            recommendation_id=recommendation_id,
            account_name=account_name,
            ticker=fields.text("ticker"),
            strategy_type=strategy_type,
            confidence=fields.decimal("confidence"),
            features_snapshot=_json_text(fields["features_snapshot"]),
            sentiment_snapshot=_json_text(fields["sentiment_snapshot"]),
            created_at=created_at,
        )
    execution_uuid = fields.identifier("execution_uuid")
    if values.uuid_or_none(execution_uuid) is None:
        raise UnreadableError(
            "bad_text", f"execution_uuid is not a uuid: {execution_uuid!r}"
        )
    assert execution_uuid is not None
    intent = fields.required_text("intent")
    if intent not in INTENTS:
        raise UnreadableError("unknown_intent", f"unknown intent: {intent!r}")
    hold = fields.decimal("max_hold_minutes")
    if hold is not None and not -(2**31) <= hold < 2**31:
        raise UnreadableError("bad_number", f"max_hold_minutes is out of range: {hold}")
    return Execution(
        execution_uuid=execution_uuid,
        recommendation_id=recommendation_id,
        account_name=values.required_text(account_name, "account_name"),
        alpaca_order_id=fields.identifier("alpaca_order_id"),
        client_order_id=fields.text("client_order_id"),
        intent=intent,
        exit_reason=fields.text("exit_reason"),
        strategy_type=strategy_type,
        max_hold_minutes=None if hold is None else int(hold),
        stop_price=fields.decimal("stop_price"),
        target_price=fields.decimal("target_price"),
        created_at=created_at,
    )


def unknown_columns(message: dict[str, Any]) -> list[tuple[str, str]]:
    """(table, column) of each column that a readable row states and we have not."""
    table = str(message["table"])
    return [(table, column) for column in message["row"].keys() - COLUMNS[table]]


def _json_text(value: Any) -> str | None:
    """JSON text of a snapshot with its numbers digit for digit as sent.

    The encoder of the standard library would pass every number through a float.
    """
    return None if value is None else _exact_json(value)


def _exact_json(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        members = (f"{json.dumps(key)}:{_exact_json(value[key])}" for key in value)
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_exact_json, value)) + "]"
    return json.dumps(value)
