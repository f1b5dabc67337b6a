"""A group of commands that are imported when they are called, not when listed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

from ingest.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyGroup(click.Group):
    """A group that knows of its commands only where they are and what they do."""

    def __init__(
        self,
        *,
        lazy: Mapping[str, tuple[str, str]] | None = None,
        **rest: object,
    ) -> None:
        """``lazy``: name -> ("module:attribute", one line for the list of commands)."""
        super().__init__(**rest)  # type: ignore[arg-type]
        self._targets: dict[str, str] = {}
        for name, (target, short_help) in (lazy or {}).items():
            self._targets[name] = target
            # What help and completion show; resolve_command puts the real one there.
            self.add_command(click.Command(name, short_help=short_help))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and (target := self._targets.pop(name, None)):
            command = self.commands[name] = _load(name, target)
        return name, command, rest


def _load(name: str, target: str) -> click.Command:
    module, _, attribute = target.partition(":")
    try:
        command = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"`excursion {name}` is not installed here: it needs the Python package"
            f" {error.name}"
        ) from None
    assert isinstance(command, click.Command), target
    return command
