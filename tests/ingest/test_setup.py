"""scripts/setup.py, short of installing anything."""

from __future__ import annotations

import builtins
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "setup.py"


@pytest.fixture
def script(tmp_path: Path) -> ModuleType:
    """The script, in a checkout of its own."""
    root = tmp_path / "a checkout"
    root.joinpath("scripts").mkdir(parents=True)
    copy = root / "scripts" / "setup.py"
    copy.write_text(SCRIPT.read_text())
    root.joinpath("requirements.lock").write_text("click==8.4.2\n")
    root.joinpath("pyproject.toml").write_text("[project]\n")
    spec = importlib.util.spec_from_file_location("checkout_setup", copy)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def installed(script: ModuleType) -> ModuleType:
    """The same, with something that passes for its environment."""
    script.PYTHON.parent.mkdir(parents=True)
    script.PYTHON.symlink_to(sys.executable)
    script.STAMP.write_text(script.fingerprint())
    return script


def test_nothing_to_do(
    installed: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    assert installed.main() == 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "name", ["requirements.lock", "pyproject.toml", "scripts/setup.py"]
)
def test_a_change_is_seen(installed: ModuleType, name: str) -> None:
    assert installed.is_current()
    with installed.ROOT.joinpath(name).open("a") as file:
        file.write("\n")
    assert not installed.is_current()


def test_another_python_is_seen(
    installed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version", "3.99.0")
    assert not installed.is_current()
    assert not installed.is_reusable()


def test_a_moved_checkout_is_seen(
    installed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = installed.ROOT.with_name("moved")
    monkeypatch.setattr(installed, "VENV", moved / ".venv")
    assert not installed.is_current()


def test_a_failed_step_shows_the_end_of_its_output(
    script: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    def set_up() -> None:
        code = "print('\\n'.join(f'line {n}' for n in range(100))); raise SystemExit(3)"
        script.step("count", sys.executable, "-c", code)

    script.set_up = set_up  # type: ignore[attr-defined]
    assert script.main() == 1
    error = capfd.readouterr().err.splitlines()
    assert error[0] == f"setup: count failed; the end of {script.LOG}:"
    assert error[1:] == [f"line {n}" for n in range(85, 100)]
    assert script.LOG.read_text().startswith("== count\nline 0\n")
    assert not script.is_current()


def test_python_without_venv(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    real = builtins.__import__

    def without_ensurepip(name: str, *rest: Any) -> Any:
        if name == "ensurepip":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_ensurepip)
    assert script.main() == 1
    error = capfd.readouterr().err
    assert f"install the package python3.{sys.version_info[1]}-venv" in error
    assert error.count("\n") == 1


def test_an_old_python(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    assert script.main() == 1
    assert capfd.readouterr().err == (
        "setup: Python 3.9.2 is too old: excursion needs 3.11 or newer; name one with "
        "`make setup PYTHON=python3.12`\n"
    )


def test_the_script_is_read_without_the_project() -> None:
    code = (
        "import sys, runpy; runpy.run_path(sys.argv[1]); "
        "print(*(m for m in sys.modules if m in ('ingest', 'click', 'venv')))"
    )
    command = [sys.executable, "-S", "-c", code, str(SCRIPT)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "\n"
