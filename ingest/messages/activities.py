"""Rows of REST's account activities: executions, and what is no trade."""

from __future__ import annotations

from typing import Any

from ingest import values
from ingest.facts import Activity, Fill
from ingest.messages import executions


def fact(row: dict[str, Any], account: str) -> Fill | Activity:
    """The execution of a FILL row, the activity of any other."""
    fields = values.Fields(row)
    activity_type = fields.required_text("activity_type")
    activity_id = fields.required_text("id")
    if activity_type == "FILL":
        return _fill(fields, account, activity_id)
    status = (fields.text("status") or "executed").lower()
    event_id = f"nta:{activity_type}:{activity_id}"
    happened = fields["transaction_time"]
    return Activity(
        # The first version has the plain id; a later status is an event of its own.
        event_id=event_id if status == "executed" else f"{event_id}:{status}",
        account_name=account,
        activity_id=activity_id,
        status=status,
        activity_type=activity_type,
        activity_sub_type=fields.text("activity_sub_type"),
        activity_date=values.calendar_date(
            fields["date"] or str(happened)[:10], "date"
        ),
        occurred_at=values.instant(happened, "transaction_time"),
        symbol=fields.text("symbol"),
        qty=fields.decimal("qty"),
        price=fields.decimal("price"),
        net_amount=fields.decimal("net_amount"),
        per_share_amount=fields.decimal("per_share_amount"),
        group_id=fields.text("group_id"),
        description=fields.text("description"),
    )


def _fill(fields: values.Fields, account: str, activity_id: str) -> Fill:
    order_id = fields.required_identifier("order_id")
    qty = executions.positive(fields.required_decimal("qty"), "qty")
    price = fields.required_decimal("price")
    cum_qty = fields.required_decimal("cum_qty")
    execution_id = values.identifier(activity_id.partition("::")[2], "id")
    return Fill(
        event_id=executions.event_id(execution_id, order_id, cum_qty, qty, price),
        event_type="FILL",
        kind="fill",
        account_name=account,
        order_id=order_id,
        client_order_id=None,
        execution_id=values.uuid_or_none(execution_id),
        supersedes=None,
        symbol=fields.required_text("symbol"),
        side=executions.side(fields["side"]),
        qty=qty,
        price=price,
        cum_qty=cum_qty,
        position_qty=None,
        executed_at=fields.required_instant("transaction_time"),
        source="activities",
    )
