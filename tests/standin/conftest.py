"""A stand-in of each test alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from standin import Alpaca, running
from tests.support.clients import Heard


@pytest.fixture
def alpaca(caplog: pytest.LogCaptureFixture) -> Iterator[Alpaca]:
    """A stand-in in which nothing went wrong that a test did not ask for."""
    with running(accounts={"main": ("key", "secret"), "other": ("k2", "s2")}) as it:
        yield it
    for record in caplog.get_records("call"):
        assert not record.name.startswith(("aiohttp", "asyncio")), record.getMessage()


@pytest.fixture
def heard(alpaca: Alpaca) -> Heard:
    return Heard(alpaca)
