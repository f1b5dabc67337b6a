"""Everything that `make test` runs, in order; one line per step, output on failure.

Lint and types, beside them the models over the sample in a database of their own, then
pytest on three processes. Exit status 1 at the first step that fails.

    python scripts/run_tests.py            all
    python scripts/run_tests.py lint       without a database: ruff, mypy, SQL by jinja
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SAMPLE = "sample/session.jsonl.gz"
SQL_SOURCES = ["models", "tests/dbt"]


class StepFailedError(Exception):
    """A step did not pass; its output has been shown."""


def run(
    title: str, *command: str | Path, environ: dict[str, str], live: bool = False
) -> None:
    """Run one step. ``live`` shows the output as it comes instead of on failure."""
    if live:
        print(title, flush=True)
    started = time.monotonic()
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=None if live else subprocess.PIPE,
        stderr=None if live else subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started
    verdict = "ok" if done.returncode == 0 else "FAILED"
    print(f"{title:<44}{verdict}, {seconds:.1f} s", flush=True)
    if done.returncode != 0:
        if not live:
            print(done.stdout, flush=True)
        raise StepFailedError(title)


def lint(environ: dict[str, str]) -> None:
    run("ruff check", BIN / "ruff", "check", ".", environ=environ)
    run("ruff format --check", BIN / "ruff", "format", "--check", ".", environ=environ)
    run("mypy --strict", BIN / "mypy", environ=environ)


def lint_without_database(environ: dict[str, str]) -> None:
    """As `lint`, and the SQL as the jinja templater renders it."""
    lint(environ)
    how = ["--templater", "jinja", "--processes", "2"]
    sqlfluff = [BIN / "sqlfluff", "lint", *how, *SQL_SOURCES]
    run("sqlfluff, jinja templater", *sqlfluff, environ=environ)


def models(environ: dict[str, str]) -> None:
    """The sample through the real commands, and the SQL linted as dbt renders it."""
    excursion, dbt = BIN / "excursion", BIN / "dbt"
    run("excursion db start", excursion, "db", "start", environ=environ)
    run("excursion migrate", excursion, "migrate", environ=environ)
    run(
        "excursion replay --strict",
        excursion,
        "replay",
        "--strict",
        SAMPLE,
        environ=environ,
    )
    run("dbt build", dbt, "build", "--quiet", environ=environ)
    run("excursion verify", excursion, "verify", environ=environ)
    sqlfluff = [BIN / "sqlfluff", "lint", "--processes", "2", *SQL_SOURCES]
    run("sqlfluff, dbt templater", *sqlfluff, environ=environ)


def lint_and_models(environ: dict[str, str]) -> None:
    """Both at once: each keeps one core busy for most of its time."""
    with ThreadPoolExecutor(2) as pool:
        for step in [pool.submit(lint, environ), pool.submit(models, environ)]:
            step.result()


def tests(environ: dict[str, str]) -> None:
    # One more than the cores of CI: some of the longest only wait for a clock.
    options = ("-n", "3", "--dist", "worksteal", "-q", "-rs")
    run("pytest", BIN / "pytest", *options, environ=environ, live=True)


def main() -> int:
    environ = {
        name: value
        for name, value in os.environ.items()
        # The user's database is not touched: tests bring their own.
        if name != "DATABASE_URL" and not name.startswith("PG")
    }
    environ["PATH"] = f"{BIN}{os.pathsep}{environ.get('PATH', '')}"
    with tempfile.TemporaryDirectory(prefix="excursion-test-") as folder:
        environ["EXCURSION_STATE_DIR"] = f"{folder}/state"
        environ["DBT_TARGET_PATH"] = f"{folder}/target"
        environ["DBT_LOG_PATH"] = f"{folder}/logs"
        steps: list[Callable[[dict[str, str]], None]] = [lint_and_models, tests]
        if sys.argv[1:] == ["lint"]:
            steps = [lint_without_database]
        try:
            for step in steps:
                step(environ)
        except StepFailedError as failed:
            print(f"{failed} failed", file=sys.stderr)
            return 1
        finally:
            stop = [str(BIN / "excursion"), "db", "stop"]
            if len(steps) > 1:
                subprocess.run(
                    stop, cwd=ROOT, env=environ, capture_output=True, check=False
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
