"""dbt's `adapter` for sqlfluff's jinja templater, which has none.

A dispatched macro becomes a call of a function of its name: enough to be parsed.
"""

from collections.abc import Callable
from types import SimpleNamespace


def dispatch(macro_name: str) -> Callable[..., str]:
    """What ``adapter.dispatch(name)(arguments)`` stands for."""
    return lambda *_: f"{macro_name}()"


def get_columns_in_relation(_relation: object) -> list[SimpleNamespace]:
    """One column, whatever the relation."""
    return [SimpleNamespace(name="id")]
