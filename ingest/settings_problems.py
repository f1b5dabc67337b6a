"""What is wrong with a setting, in one line that says what to write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from ingest.errors import UsageError

PREFIX = "EXCURSION_"

#: Read elsewhere than in the daemon's settings: by the other commands, dbt's profile,
#: compose.yaml, the benchmarks and the tests.
FOREIGN = frozenset(
    [
        "ACCOUNTS",
        "CONFIG",
        "DBT_THREADS",
        "DEBUG",
        "LOG_FORMAT",
        "PERCENTILES",
        "REQUIRE_SHARED",
        "STATE_DIR",
        "VERSION",
    ]
)
TESTS = "TEST_"

#: How alike a name must be to one that exists to count as a slip of the pen.
LIKENESS = 0.7

Place = tuple[str, ...]


def explain(
    error: ValidationError,
    model: type[BaseModel],
    origins: Mapping[Place, str],
    file_name: str,
) -> str:
    """The first mistake in one line, without the value: it may be a key.

    ``origins``: the environment's variable of each place that has its value from there.
    """
    first = error.errors(include_input=False, include_url=False)[0]
    place = tuple(map(str, first["loc"]))
    if isinstance(first["loc"][-1], int):
        place = place[:-1]  # an element of a list is told of as the list
    where = ".".join(place)
    if first["type"] == "extra_forbidden":
        owner = _model(model, place[:-1])
        names = owner.model_fields if owner else ()
        return f"{file_name}: there is no setting {where}{_meant(place[-1], names)}"
    origin = origins.get(place) or f"{file_name}: {where}"
    return f"{origin}: {_wanted(first, _field(model, place))}"


def refuse_unknown(env: Iterable[str], known: Iterable[str], fields: list[str]) -> None:
    """Refuse a variable that is nearly the name of a setting.

    What resembles none is somebody else's, as are those of an account that is not
    recorded now. ``known``: full names; ``fields``: of an account, without its name.

    Raises UsageError, without the value.
    """
    names = {name.removeprefix(PREFIX) for name in known} | FOREIGN
    ending = re.compile(rf"(.+)_(?:{'|'.join(map(str.upper, fields))})(?:_FILE)?")
    given = {name.removeprefix(PREFIX) for name in env if name.startswith(PREFIX)}
    for name in sorted(given - names):
        if name.startswith(TESTS):
            continue
        candidates, likeness = names, LIKENESS
        if of_account := ending.fullmatch(name):
            # Its own account's name, misspelt, only where that is not set as well:
            # PAPER2_KEY_ID beside PAPER_KEY_ID is another account.
            tail = name[len(of_account[1]) :]
            heads = {n.removesuffix(tail) for n in names - given if n.endswith(tail)}
            near = get_close_matches(of_account[1], heads, 1, LIKENESS)
            candidates, likeness = {head + tail for head in near}, 0.0
        if close := get_close_matches(name, sorted(candidates), 1, likeness):
            raise UsageError(
                f"{PREFIX}{name}: there is no such setting; did you mean"
                f" {PREFIX}{close[0]}?"
            )


def _model(model: type[BaseModel], place: Place) -> type[BaseModel] | None:
    """The section, or account, at a place."""
    if not place:
        return model
    annotation: Any = model.model_fields[place[0]].annotation
    rest = place[1:]
    if arguments := get_args(annotation):  # a table of them, by name
        annotation, rest = arguments[-1], rest[1:]
    return _model(annotation, rest) if isinstance(annotation, type) else None


def _field(model: type[BaseModel], place: Place) -> FieldInfo | None:
    owner = _model(model, place[:-1]) if len(place) > 1 else None
    return owner.model_fields.get(place[-1]) if owner else None


def _meant(name: str, names: Iterable[str]) -> str:
    near = get_close_matches(name, list(names), 1, LIKENESS)
    return f"; did you mean {near[0]}?" if near else ""


def _wanted(error: Any, field: FieldInfo | None) -> str:
    """What to write instead."""
    kind: str = error["type"]
    between = _range(field)
    if kind.startswith("int_"):
        return f"write a whole number{between}"
    if kind.startswith("float_") or kind == "finite_number":
        return f"write a number{between}"
    if kind.startswith(("greater_than", "less_than")):
        return f"out of range: write a number{between}"
    if kind.startswith("bool_"):
        return "write true or false"
    if kind == "literal_error":
        return f"write one of {', '.join(map(str, get_args(_choices(field))))}"
    if kind.startswith("string_"):
        return "write a text in quotes"
    if kind == "list_type":
        return "write a list of texts in [ ]"
    if kind in ("model_type", "dict_type"):
        return "write a table"
    said: str = error["msg"].removeprefix("Value error, ")
    return f"{said[:1].lower()}{said[1:]}"


def _choices(field: FieldInfo | None) -> Any:
    return field.annotation if field is not None else None


def _range(field: FieldInfo | None) -> str:
    limits: dict[str, Any] = {}
    for limit in field.metadata if field is not None else ():
        limits |= {
            n: getattr(limit, n) for n in ("ge", "gt", "le") if hasattr(limit, n)
        }
    low, over, high = limits.get("ge"), limits.get("gt"), limits.get("le")
    if over is not None:
        return f" above {_shown(over)}" + (f", at most {_shown(high)}" if high else "")
    if low is not None and high is not None:
        return f" from {_shown(low)} to {_shown(high)}"
    return f" of at least {_shown(low)}" if low is not None else ""


def _shown(number: Any) -> str:
    is_mib = isinstance(number, int) and number >= 1 << 20 and number % (1 << 20) == 0
    return f"{number >> 20}MiB" if is_mib else f"{number}"
