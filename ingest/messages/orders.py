"""Orders, as trade updates carry them and REST lists them, to their states."""

from __future__ import annotations

import json
from typing import Any

from ingest import values
from ingest.facts import OrderState, UnreadableError


def states(
    order: dict[str, Any],
    account: str,
    parent_order_id: str | None = None,
    seen_at: Any = None,
) -> list[OrderState]:
    """The order's state and, after it, those of its nested legs.

    ``seen_at`` stands in for ``updated_at``, which the schema allows to be null.
    """
    fields = values.Fields(order, "order.")
    order_id = fields.required_identifier("id")
    legs = fields["legs"] or []
    if not isinstance(legs, list) or not all(isinstance(leg, dict) for leg in legs):
        raise UnreadableError("bad_shape", "order.legs is not a list of orders")
    children = [
        state for leg in legs for state in states(leg, account, order_id, seen_at)
    ]
    updated_at = fields["updated_at"] or seen_at or fields["created_at"]
    state = OrderState(
        account_name=account,
        order_id=order_id,
        client_order_id=fields.text("client_order_id"),
        parent_order_id=parent_order_id,
        symbol=fields.text("symbol"),
        asset_class=fields.text("asset_class"),
        side=fields.text("side"),
        order_type=fields.text("order_type") or fields.text("type"),
        order_class=fields.text("order_class"),
        time_in_force=fields.text("time_in_force"),
        status=fields.text("status"),
        qty=fields.decimal("qty"),
        notional=fields.decimal("notional"),
        filled_qty=fields.decimal("filled_qty"),
        filled_avg_price=fields.decimal("filled_avg_price"),
        limit_price=fields.decimal("limit_price"),
        stop_price=fields.decimal("stop_price"),
        trail_price=fields.decimal("trail_price"),
        trail_percent=fields.decimal("trail_percent"),
        commission=fields.decimal("commission"),
        legs=json.dumps([child.order_id for child in children]) if children else None,
        submitted_at=fields.instant("submitted_at"),
        updated_at=values.required_instant(updated_at, "order.updated_at"),
    )
    return [state, *children]
