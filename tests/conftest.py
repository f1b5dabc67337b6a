"""Fixtures of every suite: an environment that points nowhere, and real databases."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Test modules are imported by path, so that their names may repeat; what they share
# is imported from here by name.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.dbt import build
from tests.support.ingester import Zygote
from tests.support.paths import SAMPLE, SHARED
from tests.support.postgres import (
    Database,
    Server,
    replay,
    running_server,
    scrub,
)

# At import, before any test module can look: a developer's own database is not a
# place to run tests in.
_scrubbed = scrub(dict(os.environ))
os.environ.clear()
os.environ.update(_scrubbed)

# CI looks at the same examples every time, so that a red build is its change's fault.
# Nothing is remembered between runs: a failure prints what it takes to repeat it.
settings.register_profile("local", deadline=None, database=None)
settings.register_profile("ci", deadline=None, database=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "shared: reads recordings that stand beside the checkout",
        "long: takes a minute or more, much of it waiting",
    ):
        config.addinivalue_line("markers", marker)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Begin with the long ones, so that the others run beside them.

    Each of pytest-xdist's workers begins with its own slice of the list and steals
    from others at the end: the long ones are shared out among the slices.
    """
    count = getattr(config, "workerinput", {}).get("workercount", 1)
    long = [item for item in items if item.get_closest_marker("long")]
    short = [item for item in items if not item.get_closest_marker("long")]
    items.clear()
    for number in range(count):
        begin, end = (len(short) * n // count for n in (number, number + 1))
        items += [*long[number::count], *short[begin:end]]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A Postgres of this test session (of this worker, under pytest-xdist)."""
    with running_server() as running:
        yield running


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    """A migrated database of this test alone."""
    with server.created() as created:
        yield created


@pytest.fixture
def empty_database(server: Server) -> Iterator[Database]:
    """A database of this test alone, without any schema of ours."""
    with server.created(migrated=False) as created:
        yield created


@pytest.fixture(scope="session")
def built_sample(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """The bundled sample, replayed and built: to clone, and never to change."""
    with server.created() as created:
        replay(created, [SAMPLE], tmp_path_factory.mktemp("sample"))
        build(created, data_tests=False)
        yield created


@pytest.fixture
def built(server: Server, built_sample: Database) -> Iterator[Database]:
    """The bundled sample, replayed and built, in a database of this test alone."""
    with server.cloned(built_sample) as created:
        yield created


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """A process that forks daemons (tests/support/ingester.py)."""
    started = Zygote()
    yield started
    started.close()


@pytest.fixture
def shared() -> Path:
    """The folder of shared recordings; skips where the checkout stands alone.

    Where they must be there, as in CI, their absence is a failure.
    """
    if not SHARED.is_dir():
        reason = f"no {SHARED.name} folder beside the checkout: its recordings"
        if os.environ.get("EXCURSION_REQUIRE_SHARED"):
            pytest.fail(reason)
        pytest.skip(reason)
    return SHARED
