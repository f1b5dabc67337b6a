"""Running dbt on the checkout: quietly, and with all it said where it fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from ingest.config import Settings
from ingest.errors import ExcursionError, UsageError

#: Lines of dbt's output that are shown when it fails; its log has all of them.
SHOWN_LINES = 40

_WARNED = re.compile(r"\d+ of \d+ WARN (\d+) (\S+)")
_IDLE = re.compile(r"\d+ of \d+ (START|OK|PASS|SKIP|NO-OP)\b")


class DbtError(ExcursionError):
    """dbt failed; the message is one line, ``output`` the end of what it printed."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output


def require_checkout(settings: Settings) -> None:
    """Raise UsageError outside a checkout: dbt's project is its root."""
    if not (settings.root / "dbt_project.yml").is_file():
        raise UsageError("there is no dbt_project.yml here: run this in the checkout")


def run(settings: Settings, *arguments: str) -> str:
    """Run dbt on the project; returns what it printed.

    Raises:
        UsageError: Not in a checkout.
        DbtError: It failed, or is not installed.
    """
    require_checkout(settings)
    # Beside this interpreter, not on PATH: there may be another dbt there.
    program = Path(sys.executable).with_name("dbt")
    if not program.exists():
        raise DbtError("dbt is not installed beside excursion: run `make setup`", "")
    root = str(settings.root)
    command = [str(program), "--no-use-colors", *arguments]
    command += ["--project-dir", root, "--profiles-dir", root]
    environment = {
        **os.environ,
        "PWD": root,
        # profiles.yml looks for the embedded server there, whatever the folder.
        "EXCURSION_STATE_DIR": str(settings.state_dir),
    }
    # Without its cache of bytecode every start takes 1.5 s longer.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        command,
        cwd=root,
        env=environment,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode:
        # What went well, or was not tried for what went wrong, only hides the rest.
        lines = [line for line in done.stdout.splitlines() if not _IDLE.search(line)]
        what = " ".join(arguments)
        raise DbtError(
            f"`.venv/bin/dbt {what}` failed: its output is above",
            "\n".join(lines[-SHOWN_LINES:]),
        )
    return done.stdout


def counts(output: str) -> dict[str, int]:
    """What dbt counted at its end: PASS, WARN, ERROR, ..."""
    found = re.findall(r"(PASS|WARN|ERROR|SKIP|TOTAL)=(\d+)", output)
    return {word: int(number) for word, number in found}


def warnings(output: str) -> list[str]:
    """What dbt warned of: tests are named after what they expect."""
    return [
        f'"{name.removeprefix("assert_").replace("_", " ")}" is not true of {rows}'
        f" row{'' if rows == '1' else 's'}"
        for rows, name in _WARNED.findall(output)
    ]


def target_dir(settings: Settings) -> Path:
    """Where dbt puts what it generates."""
    return settings.root / (os.environ.get("DBT_TARGET_PATH") or "target")


def write_docs(settings: Settings) -> Path:
    """Generate the documentation as one HTML file that needs no server."""
    run(settings, "docs", "generate", "--static")
    page = target_dir(settings) / "static_index.html"
    if not page.is_file():
        raise DbtError(f"dbt said that it was done and wrote no {page.name}", "")
    return page
