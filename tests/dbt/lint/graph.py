"""dbt's `graph` for sqlfluff's jinja templater, which has none: without nodes."""


def get(_name: str, default: object) -> object:
    """What ``graph.get(name, default)`` stands for."""
    return default
