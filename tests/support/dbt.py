"""Running dbt against a database of a test, in this process.

Importing dbt takes a second and parsing the project two, so both happen once. A
parsed project names the database in every relation; each run gets a copy of it in
which that name is the test's.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from tests.support.paths import ROOT
from tests.support.postgres import Database, scrub

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_PARSED_FOR = "excursion_parsed"
_parsed: dict[str, Manifest] = {}


class BuildError(AssertionError):
    """A model, seed or data test failed; the text names each and says why."""


def build(
    database: Database,
    select: str | None = None,
    *,
    exclude: str | None = None,
    data_tests: bool = True,
    vars: Mapping[str, Any] | None = None,  # noqa: A002
) -> None:
    """``dbt build`` against the database; raises BuildError unless all is well.

    Seeds, models and data tests. dbt's unit tests look at no data: they run once, by
    themselves.

    Args:
        database: Migrated; what it holds already is replaced.
        select: dbt's selection; default: everything.
        exclude: dbt's exclusion.
        data_tests: Whether to look at the results as well.
        vars: dbt vars for this run.
    """
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    if not data_tests:
        arguments.append("test")
    if select:
        arguments += ["--select", select]
    if exclude:
        arguments += ["--exclude", exclude]
    run(database, arguments, vars=vars)


def run(
    database: Database,
    arguments: list[str],
    *,
    vars: Mapping[str, Any] | None = None,  # noqa: A002
) -> Any:
    """Any dbt command and its result, as dbtRunner gives it.

    Raises BuildError unless it and all its nodes succeed.
    """
    # Sources are placed by vars when the project is parsed.
    text = json.dumps(vars or {}, sort_keys=True)
    if text not in _parsed:
        _parsed[text] = _parse(text)
    manifest: Manifest = _parsed[text].deepcopy()  # type: ignore[no-untyped-call]
    for node in (*manifest.nodes.values(), *manifest.sources.values()):
        node.database = database.name
        if node.relation_name:
            node.relation_name = node.relation_name.replace(
                f'"{_PARSED_FOR}"', f'"{database.name}"'
            )
    result = _invoke(database.url, [*arguments, "--vars", text], manifest)
    if not result.success:
        raise BuildError(_explain(result))
    return result.result


def _parse(vars_text: str) -> Manifest:
    # Nobody connects to it: parsing only wants to know what it would be called.
    url = f"postgresql://nobody@127.0.0.1:1/{_PARSED_FOR}"
    result = _invoke(url, ["parse", "--vars", vars_text], None)
    if not result.success:
        raise BuildError(_explain(result))
    manifest: Manifest = result.result
    return manifest


def _invoke(url: str, arguments: list[str], manifest: Manifest | None) -> Any:
    from dbt.cli.main import dbtRunner

    from tests.support.lean_dbt import lean

    environment = {**scrub(dict(os.environ)), "DATABASE_URL": url}
    with (
        tempfile.TemporaryDirectory(prefix="excursion-dbt-") as folder,
        mock.patch.dict(os.environ, environment, clear=True),
        _same_working_directory(),
        lean(),
    ):
        # Folders of its own, so that runs side by side do not meet.
        return dbtRunner(manifest=manifest).invoke(
            [
                *arguments,
                *("--project-dir", str(ROOT), "--profiles-dir", str(ROOT)),
                *("--target-path", f"{folder}/target", "--log-path", f"{folder}/logs"),
                # Nobody reads artifacts and log: they were half of a small run.
                *("--quiet", "--no-use-colors", "--no-write-json"),
                *("--log-level", "none", "--log-level-file", "none"),
            ]
        )


@contextmanager
def _same_working_directory() -> Iterator[None]:
    before = Path.cwd()
    try:
        yield
    finally:
        os.chdir(before)


def _explain(result: Any) -> str:
    if result.exception is not None:
        return f"dbt: {result.exception}"
    failed = [
        f"{node.node.unique_id}: {node.status}: {node.message}"
        for node in getattr(result.result, "results", ())
        if node.status not in ("success", "pass", "skipped", "no-op", "warn")
    ]
    return "\n".join(failed) or "dbt failed without saying why"
