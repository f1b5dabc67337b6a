"""profiles.yml and ingest.config find the same database, whatever the environment."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from dbt.config.profile import Profile, read_profile
from dbt.config.renderer import ProfileRenderer
from dbt.flags import set_from_args
from dbt_common.context import set_invocation_context
from dbt_common.exceptions import DbtRuntimeError
from psycopg2.extensions import parse_dsn

from ingest import config

PROFILES = Path(__file__).parents[2] / "profiles.yml"

#: Names that a developer's own environment may hold.
FOREIGN = ("DATABASE_URL", "EXCURSION_STATE_DIR", "USER", "LOGNAME")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process's environment without anything that says where a database is."""
    for name in [*os.environ]:
        if name.startswith("PG") or name in FOREIGN:
            monkeypatch.delenv(name)


def dbt_target(profiles_dir: str | Path, environ: dict[str, str]) -> dict[str, Any]:
    """What dbt makes of profiles.yml, by the functions that dbt uses for it."""
    set_invocation_context(environ)
    set_from_args(Namespace(profiles_dir=str(profiles_dir)), None)
    profile = Profile.from_raw_profiles(
        raw_profiles=read_profile(str(PROFILES.parent)),
        profile_name="excursion",
        renderer=ProfileRenderer({}),
    )
    return {**profile.credentials.to_dict(), "threads": profile.threads}


def effective(dsn: str, environ: dict[str, str]) -> dict[str, str]:
    """What libpq makes of a connection string and its variables."""
    parameters = parse_dsn(dsn)
    defaults = {
        "host": environ.get("PGHOST", ""),
        "port": environ.get("PGPORT", "5432"),
        "user": environ.get("PGUSER", ""),
        "password": environ.get("PGPASSWORD", ""),
        "dbname": environ.get("PGDATABASE") or parameters.get("user", ""),
        "sslmode": environ.get("PGSSLMODE", ""),
        "sslrootcert": environ.get("PGSSLROOTCERT", ""),
    }
    return {key: parameters.get(key) or value for key, value in defaults.items()}


URLS = [
    "postgresql://u:p@h:6000/d",
    "postgres://u@h/d",
    "  postgresql://u@h/d\n",
    "postgresql://u@h",
    "postgresql://u@h/",
    "postgresql://u:@h:/d",
    "postgresql:///d?host=%2Fvar%2Frun%2Fpostgresql&user=u",
    "postgresql://u@/d?host=/a b/c&port=7000",
    "postgresql://u%40x:p%3A%2F%3F%23%25%40@h/d%20e",
    "postgresql://u:%C3%A9%E2%82%AC%F0%9F%94%91@h/d",
    "postgresql://u:é€@h/d",
    "postgresql://u:a%5Cnb\\n%22'{{x}}@h/d",
    "postgresql://1234:5678@h/90",
    "postgresql://u:None@h/true",
    "postgresql://u:p?q@h/d",
    "postgresql://u:a:b@h/d",
    "postgresql://u:p@[::1]:6000/d",
    "postgresql://u:p@h/d?sslmode=verify-full&sslrootcert=%2Fa%20b.pem",
    "postgresql://u:p@h/d?host=other&dbname=e&user=v&password=w",
    "host=h port=6000 user=u password=p dbname=d sslmode=require",
    "host='/a b' user = u password='it\\'s \\\\ here' dbname=d",
    "user=u password=a\\ b%40 dbname=d",
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize(
    "others",
    [{}, {"PGHOST": "ph", "PGPORT": "7", "PGUSER": "pu", "PGPASSWORD": "pp"}],
    ids=["url only", "with PG variables"],
)
@pytest.mark.usefixtures("environment")
def test_database_url(url: str, others: dict[str, str]) -> None:
    environ = {"DATABASE_URL": url, "USER": "", **others}
    settings = config.load(environ, cwd=PROFILES.parent)
    assert settings.source is config.Source.URL
    expected = effective(settings.dsn, environ)
    found = dbt_target(PROFILES.parent, environ)
    found["dbname"] = found["database"]
    assert {key: str(found[key]) for key in expected} == expected


@pytest.mark.parametrize(
    "environ",
    [
        {"PGHOST": "h", "PGUSER": "u", "PGDATABASE": "d", "PGPASSWORD": "p"},
        {"PGHOST": "/run/x", "PGPORT": "6000", "PGUSER": "u"},
        {"PGPORT": "6000", "PGUSER": "u", "PGSSLMODE": "require"},
        {"PGUSER": "1234", "PGDATABASE": "5678"},
        {"PGHOSTADDR": "127.0.0.1", "PGUSER": "u"},
        {"PGDATABASE": "d", "USER": "login", "PGHOST": ""},
    ],
)
@pytest.mark.usefixtures("environment")
def test_libpq_variables(environ: dict[str, str]) -> None:
    settings = config.load(environ, cwd=PROFILES.parent)
    assert settings.source is config.Source.ENVIRONMENT
    expected = effective(settings.dsn, environ)
    expected["user"] = expected["user"] or environ["USER"]
    found = dbt_target(PROFILES.parent, environ)
    found["dbname"] = found["database"]
    assert {key: str(found[key]) for key in expected} == expected


@pytest.mark.parametrize("state", ["", "state", "/elsewhere/a b", "/" + "y" * 69])
@pytest.mark.parametrize("folder", ["p", "a b", "ü", "x" * 80, "with,comma"])
@pytest.mark.usefixtures("environment")
def test_embedded(folder: str, state: str, tmp_path: Path) -> None:
    root = tmp_path / folder
    root.mkdir()
    root.joinpath("dbt_project.yml").touch()
    environ = {"EXCURSION_STATE_DIR": state} if state else {}
    settings = config.load(environ, cwd=root)
    assert settings.source is config.Source.EMBEDDED
    expected = parse_dsn(settings.dsn)
    environ["PWD"] = str(root)
    for profiles_dir in (root, f"{root}/", ".", "./"):
        found = dbt_target(profiles_dir, environ)
        assert found["host"] == expected["host"] == str(settings.socket_dir)
        assert str(found["port"]) == expected["port"]
        assert found["user"] == expected["user"]
        assert found["database"] == expected["dbname"]
        assert len(os.fsencode(f"{found['host']}/.s.PGSQL.5432")) < 104


@pytest.mark.parametrize("length", [70, 71])
@pytest.mark.usefixtures("environment")
def test_longest_path_with_a_socket_of_its_own(length: int) -> None:
    # Bytes, not characters: é is two.
    state = "/é" + "y" * (length - 3)
    environ = {"EXCURSION_STATE_DIR": state}
    settings = config.load(environ, cwd=PROFILES.parent)
    assert (settings.socket_dir.parent == Path(state)) is (length == 70)
    assert dbt_target(PROFILES.parent, environ)["host"] == str(settings.socket_dir)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"DATABASE_URL": "secret"}, "a valid DATABASE_URL"),
        ({"PGSERVICE": "x"}, "dbt cannot read PGSERVICE"),
    ],
)
@pytest.mark.usefixtures("environment")
def test_dbt_refuses_in_words(environ: dict[str, str], words: str) -> None:
    with pytest.raises(DbtRuntimeError) as caught:
        dbt_target(PROFILES.parent, environ)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("environment")
def test_dbt_settings_of_its_own() -> None:
    found = dbt_target(PROFILES.parent, {"EXCURSION_DBT_THREADS": "3"})
    assert (found["schema"], found["threads"]) == ("analytics", 3)
    assert dbt_target(PROFILES.parent, {})["threads"] == 2


@pytest.mark.parametrize("url", URLS)
def test_the_test_urls_are_what_libpq_accepts(url: str) -> None:
    try:
        parse_dsn(url.strip())
    except psycopg2.ProgrammingError as error:
        pytest.fail(str(error))
