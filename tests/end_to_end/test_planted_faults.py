"""Every data test goes red for the fault that it is there for, and for no other.

The bundled sample is replayed and built once. Each fault is planted in a clone of that
database, and all data tests, those that only warn among them, are run on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dbt import BuildError, run
from tests.support.faults import FAULTS
from tests.support.paths import ROOT
from tests.support.postgres import Database, Server


@pytest.fixture(scope="module")
def green(server: Server, built_sample: Database) -> Iterator[Database]:
    """The sample, with all data tests green."""
    database = server.clone(built_sample)
    # One text of the sample is not mapped on purpose, which is a warning.
    database.execute(
        """
        update analytics.position_history set exit_reason_raw = 'unknown'
        where exit_reason = 'unknown' and exit_reason_source = 'dispatch'
        """
    )
    assert red(database) == set()
    yield database
    server.drop(database)


@pytest.fixture
def clone(server: Server, green: Database) -> Iterator[Database]:
    """A copy of it, to plant a fault in."""
    database = server.clone(green)
    yield database
    server.drop(database)


def red(database: Database) -> set[str]:
    """Names of the data tests that fail, those that only warn among them."""
    try:
        run(
            database,
            [
                *("test", "--exclude-resource-type", "unit_test"),
                *("--warn-error-options", '{"error": ["LogTestResult"]}'),
            ],
        )
    except BuildError as error:
        explanation = str(error)
    else:
        return set()
    names = set(re.findall(r"^test\.excursion\.(\w+)", explanation, re.MULTILINE))
    assert names, explanation
    return names


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_turns_exactly_its_test_red(name: str, clone: Database) -> None:
    clone.execute(FAULTS[name])
    assert red(clone) == {name}


def test_every_named_test_has_a_fault() -> None:
    """A test that nobody has seen fail may be one that cannot."""
    named = {
        path.stem
        for path in (ROOT / "tests" / "dbt").glob("assert_*.sql")
        # These prove the generic tests, on literal rows.
        if "_finds_" not in path.stem
    }
    for folder in ("models", "seeds"):
        for path in Path(ROOT / folder).rglob("_*.yml"):
            if not path.stem.endswith(("__unit_tests", "__exposures")):
                text = path.read_text(encoding="utf-8")
                named |= set(
                    re.findall(
                        r"- (?:expression_is_true|columns_not_null|monotonic_columns"
                        r"|columns_in_order|accepted_values|relationships):\n"
                        r"\s+name: (\w+)",
                        text,
                    )
                )
    assert named - set(FAULTS) == set()
