"""The rules of identity: what is new, known, a second name, or a contradiction."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations

import pytest

from ingest.facts import Fill
from ingest.ledger import FillLedger, Verdict

WRITTEN, DUPLICATE, CONTRADICTS = (
    Verdict.WRITTEN,
    Verdict.DUPLICATE,
    Verdict.CONTRADICTS,
)


def fill(
    execution: str | None = "a",
    cum: str = "10",
    *,
    qty: str = "10",
    price: str = "5",
    source: str = "trade_updates",
    kind: str = "fill",
    supersedes: str | None = None,
    order: str = "order-1",
) -> Fill:
    return Fill(
        event_id=f"exec:{execution}"
        if execution
        else f"oc:{order}:{cum}:{qty}:{price}",
        event_type=kind,
        kind=kind,
        account_name="main",
        order_id=order,
        client_order_id=None,
        execution_id=execution,
        supersedes=None if supersedes is None else f"exec:{supersedes}",
        symbol="SPY",
        side="buy",
        qty=Decimal(qty),
        price=Decimal(price),
        cum_qty=Decimal(cum),
        position_qty=None,
        executed_at=datetime(2026, 3, 2, tzinfo=UTC),
        source=source,
    )


def rest(execution: str, cum: str = "10", qty: str = "10", price: str = "5") -> Fill:
    return fill(execution, cum, qty=qty, price=price, source="activities")


def admit_all(*fills: Fill) -> tuple[FillLedger, list[Verdict]]:
    ledger = FillLedger([], [])
    return ledger, [ledger.admit(each)[0] for each in fills]


def test_a_redelivery_is_a_duplicate_for_ever() -> None:
    ledger, verdicts = admit_all(fill(), fill(), fill())
    assert verdicts == [WRITTEN, DUPLICATE, DUPLICATE]
    assert list(ledger.inserted) == ["exec:a"]


def test_equal_partials_of_one_instant_are_different_executions() -> None:
    _, verdicts = admit_all(fill("a", "10"), fill("b", "20"), fill("c", "30"))
    assert verdicts == [WRITTEN] * 3


def test_two_orders_may_reach_one_cum_qty() -> None:
    _, verdicts = admit_all(fill("a"), fill("b", order="order-2"))
    assert verdicts == [WRITTEN, WRITTEN]


def test_the_copy_of_the_other_source_is_an_alias() -> None:
    for pair in permutations([fill("a"), rest("b")]):
        ledger, verdicts = admit_all(*pair)
        assert verdicts == [WRITTEN, DUPLICATE]
        assert [target for _, target in ledger.aliases.values()] == [pair[0].event_id]


def test_a_copy_without_an_execution_id_is_an_alias() -> None:
    _, verdicts = admit_all(fill("a"), fill(None))
    assert verdicts == [WRITTEN, DUPLICATE]


@pytest.mark.parametrize("other", [{"qty": "9"}, {"price": "6"}])
def test_another_quantity_or_price_at_one_place_contradicts(
    other: dict[str, str],
) -> None:
    for source in ("trade_updates", "activities"):
        _, verdicts = admit_all(fill("a"), fill("b", source=source, **other))
        assert verdicts == [WRITTEN, CONTRADICTS]


def test_one_source_that_names_an_execution_twice_contradicts() -> None:
    _, verdicts = admit_all(fill("a"), fill("b"))
    assert verdicts == [WRITTEN, CONTRADICTS]


def test_one_id_with_two_contents_contradicts() -> None:
    _, verdicts = admit_all(fill("a"), fill("a", price="6"))
    assert verdicts == [WRITTEN, CONTRADICTS]


def test_rest_wins_on_cum_qty() -> None:
    ledger, verdicts = admit_all(fill("a", "20"), rest("a", "10"))
    assert verdicts == [WRITTEN, WRITTEN]
    assert ledger.fills["exec:a"].cum_qty == 10
    # A late frame cannot move it back.
    assert ledger.admit(fill("a", "20"))[0] is DUPLICATE
    assert ledger.fills["exec:a"].cum_qty == 10


def test_a_wrong_place_that_is_mended_lets_the_right_execution_in() -> None:
    # The stream put the first execution where the second belongs.
    ledger, verdicts = admit_all(
        fill("a", "20"),  # wrong: it is the first ten
        rest("b", "20"),  # taken for a copy of a, though it is the second ten
        rest("a", "10"),  # REST says where a belongs
        rest("b", "20"),  # ... and b, at its next delivery, is an execution of its own
    )
    assert verdicts == [WRITTEN, DUPLICATE, WRITTEN, WRITTEN]
    assert set(ledger.inserted) == {"exec:a", "exec:b"}
    assert ledger.aliases == {}


def test_a_bust_frees_its_place_in_any_order() -> None:
    original, again = fill("a"), fill("c")
    bust = fill("b", "0", kind="bust", supersedes="a")
    for order in ([original, bust, again], [bust, original, again]):
        ledger, verdicts = admit_all(*order)
        assert verdicts == [WRITTEN] * 3
        assert ledger.fills["exec:a"].superseded_by == "exec:b"
        assert ledger.fills["exec:c"].superseded_by is None


def test_the_other_sources_copy_of_a_busted_execution_stays_away() -> None:
    bust = fill("b", "0", kind="bust", supersedes="a")
    _, verdicts = admit_all(fill("a"), bust, rest("x"))
    assert verdicts == [WRITTEN, WRITTEN, DUPLICATE]


def test_a_bust_that_names_the_second_name_of_an_execution_reaches_it() -> None:
    bust = fill("b", "0", kind="bust", supersedes="a")
    for order in (
        [rest("x"), fill("a"), bust],
        [rest("x"), bust, fill("a")],
        [bust, rest("x"), fill("a")],
    ):
        ledger, _ = admit_all(*order)
        assert ledger.fills["exec:x"].superseded_by == "exec:b"
