"""dbt in this process without what no test looks at: half of a small run's time.

Imports dbt, which takes a second: to be imported where dbt is run.
"""

from __future__ import annotations

import gc
import inspect
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from functools import cache, partial
from threading import get_ident
from typing import Any
from unittest import mock

import jinja2
from dbt_common.clients import agate_helper
from dbt_common.events.base_types import BaseEvent
from dbt_common.events.event_manager import EventManager

_build_type_tester = agate_helper.build_type_tester
_compile = jinja2.Environment.compile
_compiled: dict[tuple[Any, ...], Any] = {}


@contextmanager
def lean() -> Iterator[None]:
    """Within it dbt does the same, and says nothing on the way, not even warnings.

    So ``--warn-error`` finds none; what failed stands in the results.
    """
    with ExitStack() as stack:
        for owner, name, instead in (
            # dbt asks who its callers are at each start, with their sources: pytest's
            # are many, and to read them took longer than most runs.
            (inspect, "stack", partial(inspect.stack, 0)),
            # Each event becomes two messages of protobuf before anyone looks at its
            # level: a quarter of a run.
            (BaseEvent, "__init__", lambda *_, **__: None),
            (EventManager, "fire_event", lambda *_, **__: None),
            (agate_helper, "build_type_tester", _type_tester),
            (agate_helper, "empty_table", cache(agate_helper.empty_table)),
            (jinja2.Environment, "compile", _compile_once),
        ):
            stack.enter_context(mock.patch.object(owner, name, instead))
        stack.enter_context(_without_cyclic_garbage_collection())
        yield


def _type_tester(
    text_columns: Iterable[str], string_null_values: Iterable[str] = ("null", "")
) -> Any:
    """As dbt's own, but parsers of dates are not made anew for each result."""
    tester = copy(_tester_of(get_ident(), tuple(string_null_values)))
    tester._force = dict.fromkeys(text_columns, tester._possible_types[-1])
    return tester


@cache
def _tester_of(thread: int, nulls: tuple[str, ...]) -> Any:
    """Of a thread's own, for a parser keeps a state."""
    return _build_type_tester((), string_null_values=nulls)


def _compile_once(
    self: jinja2.Environment, source: Any, *names: Any, **options: Any
) -> Any:
    """As Jinja's own, but the SQL of a model is compiled at its first run only."""
    if names or options or not isinstance(source, str):
        return _compile(self, source, *names, **options)
    key = (type(self), *self.extensions, source)
    if key not in _compiled:
        _compiled[key] = _compile(self, source)
    return _compiled[key]


@contextmanager
def _without_cyclic_garbage_collection() -> Iterator[None]:
    """A sixth of a run's time went into looking for garbage in the parsed project."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
