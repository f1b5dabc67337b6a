"""How large an order is, and into which executions it falls."""

from itertools import pairwise

from ingest.generator.orders import Order
from ingest.generator.plans import Instrument, Mix
from ingest.generator.text import CENT, NANO, Stream

Piece = tuple[int, int, int]
"""An execution to be: instant, price in points, quantity in nanos."""

_INVERSION = 5_349
"""Microseconds by which a later execution may state an earlier time."""


def order_size(instrument: Instrument, points: int, source: Stream) -> int:
    """Nanos that a bot trades at a price: whole units, but for coins."""
    if instrument.contract:
        return source.between(1, 8) * NANO
    if instrument.asset_class == "crypto":
        return source.between(500, 4_000) * 10_000 * NANO // points
    budget = source.between(4_000, 20_000) * 10_000
    return max(2, budget // points) * NANO


def half_of(qty: int) -> int:
    """About half of an open quantity, in whole units where it has whole units."""
    if qty % NANO:
        return qty // 2
    return qty // NANO // 2 * NANO


class Cutter:
    """Cuts orders into executions, as often and as strangely as the mix says."""

    def __init__(self, mix: Mix, source: Stream) -> None:
        self._mix = mix
        self._source = source

    def cut(self, qty: int, instant: int, price: int) -> list[Piece]:
        """The executions of a quantity from an instant on, in order of cum_qty."""
        source, mix = self._source, self._mix
        if not source.chance(mix.partial):
            return [(instant, price, qty)]
        unit = 1 if qty % NANO else NANO
        count = min(source.between(2, 4), qty // unit)
        cuts = sorted({source.between(1, qty // unit - 1) for _ in range(count - 1)})
        edges = [0, *cuts, qty // unit]
        sizes = [(b - a) * unit for a, b in pairwise(edges)]
        if source.chance(mix.one_instant):
            return [(instant, price, size) for size in sizes]
        pieces: list[Piece] = []
        for size in sizes:
            pieces.append((instant, price, size))
            instant += source.between(6_000, 90_000)
        if len(pieces) > 1 and source.chance(mix.inverted):
            pieces[-1] = (pieces[-2][0] - _INVERSION, price, sizes[-1])
        return pieces

    def notional(self, order: Order, instant: int, price: int) -> list[Piece]:
        """An order by dollars: its fraction, then its whole shares, stamped earlier."""
        qty = order.notional * CENT * NANO // price
        whole = qty // NANO * NANO
        if whole in (0, qty):
            return [(instant, price, qty)]
        return [
            (instant, price, qty - whole),
            (instant - _INVERSION, price, whole),
        ]
