"""Builds the ingester's image and watches it work: ``make image-test``.

The Dockerfile is linted, compose.yaml compared with what it promises. The image is
built on a stand-in for its base image (no registry is asked), looked into, and run as
its own user on a read-only root file system, against the local Alpaca and a real
PostgreSQL. What this proves and what it does not: docs/container.md.

Needs root, buildah, podman, runc and debootstrap; leaves nothing running. Images stay
in ~/.cache/excursion-images and make the next run faster.

    python scripts/image_test.py              the ingester
    python scripts/image_test.py --all        the image of Dagster and dbt too
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import image_compose
import image_run
import psycopg2
from image_engine import BASE, ROOT, Engine, ImageError, require

INGESTER = "localhost/excursion:image-test"
ORCHESTRATION = "localhost/excursion-orchestration:image-test"

#: Bytes that the Dockerfile may add to its base; pandas and numpy, which alpaca-py
#: brings, are most of them.
LARGEST = 220_000_000

#: The only folders that the program can write to: a volume, and memory.
WRITABLE = ["/var/lib/excursion", "/tmp"]  # noqa: S108

PYTHON = "--entrypoint=python"

#: What the ingester can do without.
UNWANTED = re.compile("(dbt|dagster|aiohttp|pixeltable|pytest|ruff|sqlfluff|pip$)")


def main(arguments: list[str]) -> int:
    engine = Engine()
    try:
        engine.require()
        step("lint the Dockerfile", lint)
        step("compare compose.yaml with its promises", compose)
        step("make what stands in for the base image", engine.make_base)
        step("build the ingester", lambda: engine.build("ingester", INGESTER))
        step("look into it", lambda: look(engine))
        step("read its configuration", lambda: configuration(engine))
        step("let it record", lambda: image_run.run(engine, INGESTER))
        if arguments == ["--all"]:
            build = ("orchestration", ORCHESTRATION)
            step("build Dagster with dbt", lambda: engine.build(*build))
            step("let Dagster load the project", lambda: orchestration(engine))
        engine.prune()
    except (ImageError, OSError, psycopg2.Error) as error:
        print(f"image-test: {str(error).strip()}", file=sys.stderr)
        return 1
    return 0


def step(title: str, action: Callable[[], str | None]) -> None:
    """Run one step and print one line about it, with what the step has to remark."""
    print(f"{title:<44}", end="", flush=True)
    started = time.monotonic()
    try:
        remark = action()
    except BaseException:
        print("FAILED", flush=True)
        raise
    said = f": {remark}" if remark else ""
    print(f"ok, {time.monotonic() - started:.1f} s{said}", flush=True)


def lint() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [str(hadolint), "--failure-threshold=warning", "Dockerfile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    require(done.returncode == 0, done.stdout + done.stderr)


def compose() -> None:
    found = image_compose.problems()
    require(not found, "compose.yaml: " + "; ".join(found))


def look(engine: Engine) -> str:
    """What must and what must not be in the image."""
    script = f"--volume={ROOT}/scripts/image_look.py:/look.py:ro"
    seen = json.loads(engine.once(INGESTER, "/look.py", options=[script, PYTHON]))
    require(seen["user"] == [10001, 10001], f"it runs as {seen['user']}")
    require(seen["tools"] == ["excursion"], f"it holds {seen['tools']}")
    homes = ("/root", "/home", "/opt", "/usr", "/etc")
    caches = ("-name", ".cache", "-o", "-name", "wanted.txt")
    find = ["--entrypoint=find", "--user=0:0", "--workdir=/"]
    left = engine.once(INGESTER, *homes, *caches, options=find)
    require(not left, f"the build has left {left}")
    require(not seen["pip_settings"], "this machine's pip settings are in it")
    require(not seen["uncompiled"], f"no .pyc of {seen['uncompiled'][:3]}")
    unset = "PYTHONDONTWRITEBYTECODE" not in seen["environment"]
    require(unset, "PYTHONDONTWRITEBYTECODE is set")
    require(seen["writable"] == WRITABLE, f"it can write to {seen['writable']}")

    packages = {_normal(name): v for name, v in seen["packages"].items()}
    version = metadata.version("excursion")
    require(packages.pop("excursion", None) == version, f"it is not {version}")
    strange = dict(packages.items() - _locked().items())
    require(not strange, f"not as requirements.lock has it: {strange}")
    unwanted = [name for name in packages if UNWANTED.match(name)]
    require(not unwanted, f"it holds {unwanted}")

    said = engine.once(INGESTER, "--version")
    require(said == f"excursion, version {version}\n", f"--version says {said}")
    return f"{len(packages)} packages, each as locked"


def _locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = (line.partition(";")[0].strip().split("==") for line in lines)
    return {_normal(name): version for name, version in pins}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def configuration(engine: Engine) -> str:
    """What an orchestrator reads off the image, and its size."""
    image: Any = engine.inspect(INGESTER)
    wanted = {
        "User": "10001:10001",
        "Entrypoint": ["excursion"],
        "Cmd": ["ingest"],
        "ExposedPorts": {"9464/tcp": {}},
        "Volumes": {"/var/lib/excursion": {}},
        "StopSignal": "SIGTERM",
    }
    for key, value in wanted.items():
        found = image["Config"].get(key)
        require(found == value, f"{key} is {found}")
    labels = {f"org.opencontainers.image.{n}" for n in ("title", "licenses")}
    missing = labels - image["Config"]["Labels"].keys()
    require(not missing, f"labels are missing: {missing}")
    base: Any = engine.inspect(BASE)
    added = image["Size"] - base["Size"]
    said = f"{added / 1e6:.0f} MB on top of the base image"
    require(added < LARGEST, said)
    return said


def orchestration(engine: Engine) -> None:
    """Dagster finds the job, as confined as in compose.yaml."""
    code = (
        "from orchestration.definitions import defs;"
        "print(defs.get_job_def('nightly_stats').name)"
    )
    scratch = "--tmpfs=/opt/app/target/dagster:mode=1777"
    said = engine.once(ORCHESTRATION, "python", "-c", code, options=[scratch])
    require(said == "nightly_stats\n", said)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
