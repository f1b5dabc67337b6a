"""Rows of REST's positions: what the broker says is held."""

from __future__ import annotations

from typing import Any

from ingest import values
from ingest.facts import BrokerPosition, UnreadableError

SIGN = {"long": 1, "short": -1}


def fact(row: dict[str, Any], account: str) -> BrokerPosition:
    """The position of one row.

    Of a short the broker's ``qty`` is negative already. ``side`` only says so again,
    and a row in which the two differ could be read both ways.
    """
    fields = values.Fields(row)
    qty, side = fields.required_decimal("qty"), fields.text("side")
    if qty * SIGN.get(side or "", 0) < 0:
        raise UnreadableError(
            "contradicts_itself", f"a {side} position of qty {values.plain(qty)}"
        )
    return BrokerPosition(
        account_name=account,
        symbol=fields.required_text("symbol"),
        asset_class=fields.text("asset_class"),
        qty=qty,
        avg_entry_price=fields.decimal("avg_entry_price"),
    )
