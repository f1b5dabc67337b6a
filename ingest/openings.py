"""Synthetic openings: what stands for trades before the first recorded one. No I/O.

An opening is made only where its cause is known, and taken back where a late fact shows
that the position was traded after all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ingest import values
from ingest.facts import BrokerPosition

# As fine as the broker's own prices.
PLACES = Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class Derived:
    """A symbol as the recorded facts give it (sql/reconcile/derived_positions).

    ``qty_before`` is what the stream said was held before the first execution, None
    where it did not say; ``cash`` what all executions took (buys) less what they gave;
    ``lowest`` and ``highest`` are the smallest and largest signed quantity among them;
    ``traded_before`` what was executed before the opening that is stored, if there is
    one; ``bought`` the sum of all purchases.
    """

    symbol: str
    qty: Decimal
    first_at: datetime | None
    first_price: Decimal | None
    qty_before: Decimal | None
    cash: Decimal | None
    lowest: Decimal | None
    highest: Decimal | None
    asset_class: str | None
    opening_qty: Decimal | None
    traded_before: Decimal | None
    bought: Decimal | None


@dataclass(frozen=True, slots=True)
class Opening:
    """A row of raw.openings."""

    symbol: str
    asset_class: str | None
    qty: Decimal
    price: Decimal
    opened_at: datetime | None
    price_source: str
    reason: str


def is_refuted(ours: Derived | None, difference: Decimal) -> bool:
    """Whether an opening is all that is too much: its trades were recorded since.

    That the difference is as large is not enough: the position may as well have gone,
    by an expiry that is stated only tomorrow.
    """
    return (
        ours is not None
        and ours.opening_qty is not None
        and difference == -ours.opening_qty
        and ours.traded_before == ours.opening_qty
    )


def explaining(
    ours: Derived | None,
    theirs: BrokerPosition | None,
    difference: Decimal,
    is_first_look: bool,
) -> Opening | None:
    """The opening that explains a difference to the broker, if its cause is known.

    Either the stream said at the first recorded execution that something was held
    before it, or the account was just met and holds what it was never seen to buy.
    """
    if ours is not None and ours.opening_qty is not None:
        return None
    before = ours.qty_before if ours is not None else None
    if before is not None and before == difference:
        reason = "the first recorded execution found a position"
    elif before is None and is_first_look:
        reason = "held when the account was first recorded"
    else:
        return None
    price, source = _price(ours, theirs, difference)
    if price is None:
        return None
    if ours is not None:
        symbol, asset_class = ours.symbol, ours.asset_class
    else:
        assert theirs is not None  # a difference has one of the two
        asset_class = theirs.asset_class
        symbol = values.pair(theirs.symbol, asset_class)
    return Opening(
        symbol=symbol,
        asset_class=asset_class,
        qty=difference,
        price=price,
        opened_at=ours.first_at if ours is not None else None,
        price_source=source,
        reason=reason,
    )


def _price(
    ours: Derived | None, theirs: BrokerPosition | None, opening: Decimal
) -> tuple[Decimal | None, str]:
    """What the opening cost, from the broker's average of all that is held.

    While the recorded executions only added to the position, their part can be taken
    out of the average. Where they only took away, the average is still the opening's.
    Where they did both nobody can tell any more: the first execution's price, flagged.
    """
    average = theirs.avg_entry_price if theirs is not None else None
    if theirs is not None and average is not None and theirs.qty * opening > 0:
        if ours is None or ours.cash is None:
            return average, "broker"
        assert ours.lowest is not None and ours.highest is not None
        if min(ours.lowest * opening, ours.highest * opening) > 0:
            rest = (average * theirs.qty - ours.cash) / opening
            return rest.quantize(PLACES), "broker"
        if max(ours.lowest * opening, ours.highest * opening) < 0:
            return average, "broker"
    return (ours.first_price if ours is not None else None), "first_fill"
