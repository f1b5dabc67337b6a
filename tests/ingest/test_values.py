"""Single values off the wire: exact, in UTC, and refused with a reason."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from ingest import values
from ingest.facts import UnreadableError


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ("0.012345678", Decimal("0.012345678")),
        (Decimal("64321.105"), Decimal("64321.105")),
        (7, Decimal(7)),
        ("-50", Decimal(-50)),
        ("", None),
        (None, None),
    ],
)
def test_decimals_are_exact(wire: object, expected: Decimal | None) -> None:
    assert values.decimal(wire, "qty") == expected


@pytest.mark.parametrize(
    "wire", ["ten", "NaN", "Infinity", "1e400", "1e-30", 1.5, True, [1], {}]
)
def test_what_is_no_finite_decimal_is_refused(wire: object) -> None:
    with pytest.raises(UnreadableError, match="qty"):
        values.decimal(wire, "qty")


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        # Truncated: rounding would move the mark behind a fill of the same instant.
        (
            "2014-06-05T13:30:59.999999999Z",
            datetime(2014, 6, 5, 13, 30, 59, 999999, UTC),
        ),
        ("2026-03-02T10:30:00-05:00", datetime(2026, 3, 2, 15, 30, tzinfo=UTC)),
        ("2026-03-02T15:30:48.61Z", datetime(2026, 3, 2, 15, 30, 48, 610000, UTC)),
        (None, None),
        ("", None),
    ],
)
def test_instants_are_utc_and_truncated(
    wire: object, expected: datetime | None
) -> None:
    found = values.instant(wire, "t")
    assert found == expected
    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize(
    "wire", ["yesterday", "2026-03-02T15:30:48", "0001-01-01T00:00:00Z", 5, ["x"]]
)
def test_what_is_no_instant_is_refused(wire: object) -> None:
    with pytest.raises(UnreadableError, match=r"^t "):
        values.instant(wire, "t")


@pytest.mark.parametrize(
    ("symbol", "asset_class", "expected"),
    [
        (
            "TWX140719C00070000",
            None,
            ("us_option", "TWX", 100, "CALL", Decimal(70), date(2014, 7, 19)),
        ),
        # The digit of an adjusted contract is no part of the underlying.
        (
            "AAPL1260417P00187500",
            None,
            ("us_option", "AAPL", 100, "PUT", Decimal("187.5"), date(2026, 4, 17)),
        ),
        ("BRK.B", "us_equity", ("us_equity", "BRK.B", 1, None, None, None)),
        ("BTC/USD", None, ("crypto", "BTC/USD", 1, None, None, None)),
        ("BTCUSD", "crypto", ("crypto", "BTCUSD", 1, None, None, None)),
        # Its month is 13: no option.
        (
            "TWX141319C00070000",
            None,
            ("us_equity", "TWX141319C00070000", 1, *[None] * 3),
        ),
    ],
)
def test_symbols_tell_what_they_are(
    symbol: str, asset_class: str | None, expected: tuple[object, ...]
) -> None:
    found = values.instrument(symbol, asset_class)
    assert (
        found.asset_class,
        found.ticker,
        found.multiplier,
        found.option_type,
        found.strike_price,
        found.expiration_date,
    ) == expected


def test_equal_decimals_have_one_spelling_in_keys() -> None:
    spellings = ["1", "1.00", "1E0", "100E-2"]
    assert {values.plain(Decimal(text)) for text in spellings} == {"1"}
    assert values.plain(Decimal("1E+3")) == "1000"
    assert values.plain(Decimal("0.000")) == "0"
