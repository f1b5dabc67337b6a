"""A stand-in of each test alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from standin import Alpaca, running
from tests.support.clients import Heard


@pytest.fixture
def alpaca() -> Iterator[Alpaca]:
    with running(accounts={"main": ("key", "secret"), "other": ("k2", "s2")}) as it:
        yield it


@pytest.fixture
def heard(alpaca: Alpaca) -> Heard:
    return Heard(alpaca)
