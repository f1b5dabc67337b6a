"""The list of commands: complete, and quick because nothing is loaded for it."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import click
import pytest
from click.testing import CliRunner

from ingest.cli import COMMANDS, cli
from ingest.commands.lazy import LazyGroup
from ingest.errors import UsageError
from tests.support.paths import ROOT


def test_help_lists_every_command_and_loads_none() -> None:
    code = (
        "import sys, ingest.cli\n"
        "sys.argv = ['excursion', '--help']\n"
        "try:\n    ingest.cli.main()\n"
        "finally:\n    print('LOADED', *sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    shown, _, loaded = done.stdout.partition("LOADED ")
    for name, (_, short_help) in COMMANDS.items():
        assert f"  {name} " in shown and short_help.split()[0] in shown
    slow = ("psycopg2", "rich", "alpaca", "pydantic", "aiohttp", "prometheus_client")
    assert not {*slow, "ingest.commands.db", "ingest.config"} & {*loaded.split()}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_where_the_list_says(name: str) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.name == name
    assert CliRunner().invoke(cli, [name, "--help"]).exit_code == 0


def test_a_command_whose_packages_are_missing_says_which() -> None:
    group = LazyGroup(lazy={"odd": ("no_such_package.command:odd", "Odd.")})
    assert "Odd." in CliRunner().invoke(group, ["--help"]).output
    with pytest.raises(UsageError, match=r"`excursion odd` .* package no_such_package"):
        CliRunner().invoke(group, ["odd"], catch_exceptions=False)
