"""Which executor runs the steps: chosen by name, so that no file here changes."""

from __future__ import annotations

import json
import os
from importlib import import_module
from typing import Any

from dagster import (
    DagsterInvalidConfigError,
    ExecutorDefinition,
    GraphDefinition,
    validate_run_config,
)

from ingest.errors import UsageError

EXECUTOR_VARIABLE = "EXCURSION_DAGSTER_EXECUTOR"
CONFIG_VARIABLE = "EXCURSION_DAGSTER_EXECUTOR_CONFIG"

#: A night is two steps, within which dbt builds models side by side, and two checks. A
#: process for each step would add nothing but its start, 18 to 45 s in all.
DEFAULT = "dagster:in_process_executor"


def executor() -> ExecutorDefinition:
    """The executor that the environment names as ``module:name``, with its config.

    Raises UsageError where there is none of that name, or it takes no such config.
    """
    named = os.environ.get(EXECUTOR_VARIABLE, "").strip() or DEFAULT
    module, _, name = named.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"{EXECUTOR_VARIABLE}={named}: {error}; name it as module:name, for example"
            " dagster:multiprocess_executor or dagster_k8s:k8s_job_executor"
        ) from error
    if not isinstance(found, ExecutorDefinition):
        raise UsageError(f"{EXECUTOR_VARIABLE}={named} is no executor")
    config = _config()
    return _configured(found, config) if config else found


def _configured(
    found: ExecutorDefinition, config: dict[str, Any]
) -> ExecutorDefinition:
    configured = found.configured(config, name=found.name)
    nothing = GraphDefinition("nothing").to_job(executor_def=configured)
    try:
        validate_run_config(nothing)
    except DagsterInvalidConfigError as error:
        reason = " ".join(each.message for each in error.errors)
        raise UsageError(f"{CONFIG_VARIABLE}: {reason}") from error
    return configured


def _config() -> dict[str, Any]:
    """What the environment says of the executor: a broker's address, a pod's image."""
    given = os.environ.get(CONFIG_VARIABLE, "").strip()
    try:
        config = json.loads(given or "{}")
    except ValueError as error:
        raise UsageError(f"{CONFIG_VARIABLE}: no JSON ({error})") from error
    if not isinstance(config, dict):
        raise UsageError(f'{CONFIG_VARIABLE}: give a JSON object, {{"key": value}}')
    return config
