"""Every data test goes red for the fault that it is there for, and for no other.

The bundled sample is replayed and built once. Each fault is planted in a clone of that
database, and all data tests, those that only warn among them, are run on it: the SQL
that dbt compiled of them, because dbt takes ten times as long around it. Once as
`dbt test` looks, at everything, and once as a build does that derived some.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest

from tests.support.dbt import BuildError, run
from tests.support.faults import FAULTS
from tests.support.paths import ROOT
from tests.support.postgres import Database, Server

#: What dbt writes into this one depends on the columns that it finds.
OF_COLUMNS = "position_history_has_its_31_columns_in_order"


#: As if all that stands had been derived by the last build.
UNCHECKED = """
delete from analytics_intermediate.int_lanes__unchecked;
delete from analytics_intermediate.int_positions__unchecked;
insert into analytics_intermediate.int_lanes__unchecked
select account_name, symbol, '-infinity'::timestamptz
from (
    select account_name, symbol from raw.fills
    union
    select account_name, symbol from raw.openings
    union
    select account_name, symbol from analytics_intermediate.int_legs__built
) as lanes;
insert into analytics_intermediate.int_positions__unchecked
select id from analytics.position_history
union
select position_id from analytics_intermediate.int_legs__built
"""


@pytest.fixture(scope="module")
def green(server: Server, built_sample: Database) -> Iterator[Database]:
    """The sample, with all data tests green."""
    with server.cloned(built_sample) as database:
        # One text of the sample is not mapped on purpose, which is a warning.
        database.execute(
            """
            update analytics.position_history set exit_reason_raw = 'unknown'
            where exit_reason = 'unknown' and exit_reason_source = 'dispatch'
            """
        )
        assert red_by_dbt(database) == set()
        yield database


@pytest.fixture(scope="module")
def queries(green: Database) -> list[dict[str, str]]:
    """What dbt asks for each data test, by its name: the rows that should not be.

    As `dbt test` asks, and as a build does in which every position was derived again.
    """
    from dbt_common.invocation import get_invocation_id

    everything = compiled(green)
    green.execute(
        "update analytics_intermediate.int_builds__scoped"  # noqa: S608
        f" set invocation_id = '{get_invocation_id()}', is_all_unchecked = false"
    )
    # The next run takes itself for the one that built.
    with mock.patch("dbt.cli.requires.reset_invocation_id"):
        some = compiled(green, {"tested_whole_until_legs": 0})
    assert some != everything
    return [everything, some]


def compiled(
    database: Database, variables: dict[str, int] | None = None
) -> dict[str, str]:
    select = ["--select", "test_type:data"]
    results = run(database, ["compile", *select], vars=variables)
    nodes = [result.node for result in results if result.node.resource_type == "test"]
    assert all(node.config.fail_calc == "count(*)" for node in nodes)
    return {node.name: node.compiled_code for node in nodes}


@pytest.fixture
def clone(server: Server, green: Database) -> Iterator[Database]:
    """A copy of it, to plant a fault in."""
    with server.cloned(green) as database:
        yield database


def red_by_dbt(database: Database) -> set[str]:
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


@pytest.mark.parametrize("name", [name for name in FAULTS if name != OF_COLUMNS])
def test_a_planted_fault_turns_exactly_its_test_red(
    name: str, clone: Database, green: Database, queries: list[dict[str, str]]
) -> None:
    clone.execute(FAULTS[name])
    clone.execute(UNCHECKED)
    everything, some = queries
    asked = [
        *everything.items(),
        *((test, query) for test, query in some.items() if query != everything[test]),
    ]
    red = []
    with closing(clone.connect()) as connection, connection.cursor() as cursor:
        for test, query in asked:
            cursor.execute(query.replace(f'"{green.name}"', f'"{clone.name}"'))
            if cursor.fetchall():
                red.append(test)
    assert red == [name] * sum(test == name for test, _ in asked)


@pytest.mark.parametrize("name", [OF_COLUMNS, "assert_quarantine_is_empty"])
def test_so_it_does_by_dbt(name: str, clone: Database) -> None:
    """One that fails the build, and one that warns."""
    clone.execute(FAULTS[name])
    assert red_by_dbt(clone) == {name}


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
                        r"|columns_in_order|accepted_values|relationships"
                        r"|constraints_hold):\n"
                        r"\s+name: (\w+)",
                        text,
                    )
                )
    assert named - set(FAULTS) == set()
