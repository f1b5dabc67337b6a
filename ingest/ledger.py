"""Which deliveries of executions are new, known, a second name, or a contradiction.

The rules of DESIGN section 4, "Idempotency", decided in memory and without I/O: the
writer loads what the database knows of the orders in a batch, asks ``admit`` for each
fill in turn, and applies the changes that have collected here, in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from ingest.facts import Fill

REST = "activities"


class Verdict(Enum):
    """What became of one delivery."""

    WRITTEN = "written"
    DUPLICATE = "duplicate"
    CONTRADICTS = "contradicts"


@dataclass(slots=True)
class StoredFill:
    """A row of raw.fills, stored or about to be.

    ``cum_qty_source`` is the channel that stated cum_qty; REST wins over the stream,
    because nothing promises that a frame's filled_qty is as of that execution.
    """

    event_id: str
    kind: str
    account_name: str
    order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    cum_qty: Decimal | None
    source: str
    has_execution_id: bool
    superseded_by: str | None
    cum_qty_source: str
    position_qty: Decimal | None

    @property
    def place(self) -> tuple[str, str, Decimal | None]:
        """Where the two copies of one execution meet."""
        return (self.account_name, self.order_id, self.cum_qty)

    @property
    def is_live(self) -> bool:
        return self.kind == "fill" and self.superseded_by is None

    def is_same_execution(self, fill: Fill) -> bool:
        return (
            self.kind == fill.kind
            and self.account_name == fill.account_name
            and self.order_id == fill.order_id
            and self.symbol == fill.symbol
            and self.side == fill.side
            and self.qty == fill.qty
            and self.price == fill.price
        )


class FillLedger:
    """What is known of some orders' executions, and the changes a batch makes to it.

    After the last ``admit``: ``inserted`` are new fills, ``aliases`` maps further
    event ids to the fill that they name, ``changed`` are stored fills whose cum_qty
    or superseded_by moved or whose position_qty was learnt, ``released`` are event
    ids to forget in the dedupe table, ``freed_orders`` are orders of which
    an execution was taken back: another one may have been refused at its place.
    """

    def __init__(
        self, stored: Iterable[StoredFill], processed: Iterable[tuple[str, str]]
    ) -> None:
        """``processed`` holds (event_id, fill_event_id) of the dedupe table."""
        self.inserted: dict[str, Fill] = {}
        self.aliases: dict[str, tuple[Fill, str]] = {}
        self.changed: set[str] = set()
        self.released: set[str] = set()
        self.freed_orders: set[str] = set()
        self.fills: dict[str, StoredFill] = {}
        self._fill_of_event: dict[str, str] = {}
        self._live: dict[tuple[str, str, Decimal | None], str] = {}
        self._superseded: dict[tuple[str, str, Decimal | None], str] = {}
        self._waiting: dict[str, str] = {}
        for row in stored:
            self._remember(row)
        self._fill_of_event.update(processed)

    def expect(self, superseding: Iterable[tuple[str, str]]) -> None:
        """Busts and corrections stored earlier: (event_id, event_id that it names)."""
        for event_id, target in superseding:
            self._waiting.setdefault(target, event_id)

    def admit(self, fill: Fill) -> tuple[Verdict, str]:
        """Decide on one delivery; for a contradiction the text says with what."""
        known = self._fill_of_event.get(fill.event_id)
        if known is not None:
            return self._seen_again(self.fills[known], fill)
        if fill.kind != "fill":
            return self._insert_superseding(fill)
        place = (fill.account_name, fill.order_id, fill.cum_qty)
        twin = self.fills.get(self._live.get(place, ""))
        if twin is not None:
            return self._meets_twin(twin, fill)
        gone = self.fills.get(self._superseded.get(place, ""))
        if (
            gone is not None
            and gone.source != fill.source
            and gone.is_same_execution(fill)
        ):
            # The other source's copy of an execution that was taken back meanwhile.
            return self._alias(gone, fill)
        self._insert(fill)
        return Verdict.WRITTEN, ""

    def _seen_again(self, known: StoredFill, fill: Fill) -> tuple[Verdict, str]:
        if not known.is_same_execution(fill):
            return Verdict.CONTRADICTS, (
                f"{fill.event_id} is stored as {known.side} {known.qty} {known.symbol}"
                f" at {known.price} of order {known.order_id}"
            )
        self._learn(known, fill)
        is_own_id = known.event_id == fill.event_id
        if known.cum_qty == fill.cum_qty or known.kind != "fill" or not is_own_id:
            return Verdict.DUPLICATE, ""
        if fill.source != REST:
            if known.cum_qty_source == REST:
                return Verdict.DUPLICATE, ""
            return Verdict.CONTRADICTS, (
                f"{fill.event_id} is stored with cum_qty {known.cum_qty}"
            )
        return self._move(known, fill)

    def _move(self, known: StoredFill, fill: Fill) -> tuple[Verdict, str]:
        """REST states another cum_qty than the stream did: REST wins."""
        place = (fill.account_name, fill.order_id, fill.cum_qty)
        if known.is_live and place in self._live:
            return Verdict.CONTRADICTS, (
                f"cum_qty {fill.cum_qty} of the order is held by {self._live[place]}"
            )
        if known.is_live:
            del self._live[known.place]
        # What was merged into this row at its wrong place may be another execution:
        # forget those ids, so that their next delivery is decided afresh.
        for event_id, target in list(self._fill_of_event.items()):
            if target == known.event_id and event_id != known.event_id:
                del self._fill_of_event[event_id]
                self.aliases.pop(event_id, None)
                self.released.add(event_id)
        known.cum_qty, known.cum_qty_source = fill.cum_qty, REST
        if known.is_live:
            self._live[place] = known.event_id
        self.changed.add(known.event_id)
        return Verdict.WRITTEN, ""

    def _meets_twin(self, twin: StoredFill, fill: Fill) -> tuple[Verdict, str]:
        if not twin.is_same_execution(fill):
            return Verdict.CONTRADICTS, (
                f"cum_qty {twin.cum_qty} of order {twin.order_id} is stored as"
                f" {twin.side} {twin.qty} {twin.symbol} at {twin.price}"
                f" ({twin.event_id})"
            )
        if twin.source == fill.source and twin.has_execution_id and fill.execution_id:
            return Verdict.CONTRADICTS, (
                f"{fill.source} named one execution twice: {twin.event_id} and"
                f" {fill.event_id}"
            )
        return self._alias(twin, fill)

    def _alias(self, twin: StoredFill, fill: Fill) -> tuple[Verdict, str]:
        self._learn(twin, fill)
        self.aliases[fill.event_id] = (fill, twin.event_id)
        self.released.discard(fill.event_id)
        self._fill_of_event[fill.event_id] = twin.event_id
        if fill.event_id in self._waiting:
            self._supersede(twin, self._waiting[fill.event_id])
        return Verdict.DUPLICATE, ""

    def _learn(self, known: StoredFill, fill: Fill) -> None:
        """Only the stream tells the position after an execution; REST may be first."""
        if known.position_qty is None and fill.position_qty is not None:
            known.position_qty = fill.position_qty
            self.changed.add(known.event_id)

    def _insert(self, fill: Fill) -> None:
        self.inserted[fill.event_id] = fill
        self._remember(
            StoredFill(
                event_id=fill.event_id,
                kind=fill.kind,
                account_name=fill.account_name,
                order_id=fill.order_id,
                symbol=fill.symbol,
                side=fill.side,
                qty=fill.qty,
                price=fill.price,
                cum_qty=fill.cum_qty,
                source=fill.source,
                has_execution_id=fill.execution_id is not None,
                superseded_by=self._waiting.get(fill.event_id),
                cum_qty_source=fill.source,
                position_qty=fill.position_qty,
            )
        )

    def _insert_superseding(self, fill: Fill) -> tuple[Verdict, str]:
        assert fill.supersedes is not None
        self._insert(fill)
        self._waiting.setdefault(fill.supersedes, fill.event_id)
        target = self._fill_of_event.get(fill.supersedes)
        if target is not None:
            self._supersede(self.fills[target], fill.event_id)
        return Verdict.WRITTEN, ""

    def _supersede(self, row: StoredFill, by: str) -> None:
        if row.superseded_by is None:
            if row.is_live:
                self._live.pop(row.place, None)
                self._superseded[row.place] = row.event_id
            row.superseded_by = by
            self.changed.add(row.event_id)
            self.freed_orders.add(row.order_id)

    def _remember(self, row: StoredFill) -> None:
        self.fills[row.event_id] = row
        self._fill_of_event[row.event_id] = row.event_id
        if row.is_live:
            self._live[row.place] = row.event_id
        elif row.kind == "fill":
            self._superseded[row.place] = row.event_id
