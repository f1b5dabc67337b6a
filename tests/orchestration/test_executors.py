"""The executor that the environment chooses and configures."""

from __future__ import annotations

import pytest
from dagster import GraphDefinition, validate_run_config


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("dagster", "name it as module:name"),
        ("nowhere:executor", "name it as module:name"),
        ("dagster:Definitions", "is no executor"),
    ],
)
def test_an_executor_that_is_none_says_so(
    named: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.errors import UsageError
    from orchestration.executors import executor

    assert executor().name == "in_process"
    monkeypatch.setenv("EXCURSION_DAGSTER_EXECUTOR", "dagster:multiprocess_executor")
    assert executor().name == "multiprocess"
    monkeypatch.setenv("EXCURSION_DAGSTER_EXECUTOR", named)
    with pytest.raises(UsageError, match=message):
        executor()


def test_an_executor_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration.executors import executor

    monkeypatch.setenv("EXCURSION_DAGSTER_EXECUTOR", "dagster:multiprocess_executor")
    monkeypatch.setenv("EXCURSION_DAGSTER_EXECUTOR_CONFIG", '{"max_concurrent": 3}')
    job = GraphDefinition("nothing").to_job(executor_def=executor())
    told = validate_run_config(job)["execution"]["multiprocess"]
    assert told["max_concurrent"] == 3


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{max_concurrent: 1}", "no JSON"),
        ("[1]", "give a JSON object"),
        ('{"nonsense": 1}', 'unexpected config entry "nonsense"'),
    ],
)
def test_what_configures_no_executor_says_so(
    config: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.errors import UsageError
    from orchestration.executors import executor

    monkeypatch.setenv("EXCURSION_DAGSTER_EXECUTOR", "dagster:multiprocess_executor")
    monkeypatch.setenv("EXCURSION_DAGSTER_EXECUTOR_CONFIG", config)
    with pytest.raises(
        UsageError, match=f"^EXCURSION_DAGSTER_EXECUTOR_CONFIG: .*{message}"
    ):
        executor()
