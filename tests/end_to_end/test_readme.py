"""What the README shows is what the commands print."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.postgres import Database

README = (ROOT / "README.md").read_text(encoding="utf-8")


def shown(command: str) -> str:
    """The output that the README shows below a command."""
    block = re.search(rf"^\$ {re.escape(command)}\n(.*?)^```", README, re.M | re.S)
    assert block, f"the README does not show {command}"
    return block[1]


def printed(database: Database, *arguments: str) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("excursion")), *arguments],
        env=database.environment(COLUMNS="80", NO_COLOR="1"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def test_statistics_and_promises_are_as_shown(built: Database) -> None:
    for command in ("stats SPY", "verify"):
        expected = shown(f".venv/bin/excursion {command}")
        assert printed(built, *command.split()) == expected


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z-]+)", README))))
def test_every_make_target_that_is_named_exists(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.M)


@pytest.mark.parametrize(
    "name",
    [
        "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/recordings.md",
        "docs/operating.md", "docs/dispatcher.md", "docs/container.md",
        "docs/dagster.md", "docs/incremental.md",
    ],
)  # fmt: skip
def test_every_link_leads_somewhere(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    for link in links:
        assert (page.parent / link).exists(), link
