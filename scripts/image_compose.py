"""What compose.yaml promises, looked up in it, in the Dockerfile and in the program."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import yaml

from ingest import config, settings
from ingest.cli import COMMANDS
from ingest.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent

#: Ours; what each must say to be confined.
OURS = ("migrate", "ingester", "dagster-web", "dagster-daemon")
CONFINED = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
}

#: ${NAME}, ${NAME:-default} and ${NAME:?message}.
VARIABLE = re.compile(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}")


def problems() -> list[str]:
    """Everything that is wrong; empty where nothing is."""
    text = (ROOT / "compose.yaml").read_text()
    told = yaml.safe_load(text)
    services: dict[str, dict[str, Any]] = told["services"]
    found = [f"there is no service {n}" for n in {*OURS, "postgres"} - services.keys()]
    if found:
        return found
    found += _variables(text)
    for name, service in services.items():
        found += [f"{name}: {problem}" for problem in _service(service, told)]
    for name in OURS:
        for key, wanted in CONFINED.items():
            if services[name].get(key) != wanted:
                found.append(f"{name}: {key} is not {wanted}")
        if "/tmp" not in services[name]["tmpfs"]:  # noqa: S108
            found.append(f"{name}: /tmp is not a tmpfs")
    ingester = services["ingester"]
    for key, wanted in {
        "stop_grace_period": "15s",
        "restart": "unless-stopped",
    }.items():
        if ingester.get(key) != wanted:
            found.append(f"ingester: {key} is not {wanted}")
    return found + _ingester_settings(ingester)


def _variables(text: str) -> list[str]:
    """Each variable is explained in the comment at the top, and no other is."""
    head = "\n".join(line for line in text.split("\n\n")[0].splitlines())
    explained = set(re.findall(r"^#   ([A-Z_]+)  ", head, re.MULTILINE))
    used = {match[1] for match in VARIABLE.finditer(text)}
    return [
        f"{name} is not explained at the top" for name in sorted(used - explained)
    ] + [f"{name} is explained and not used" for name in sorted(explained - used)]


def _service(service: dict[str, Any], told: dict[str, Any]) -> list[str]:
    found = []
    build = service.get("build")
    if build:
        stages = re.findall(r"^FROM .* AS (\S+)", _read("Dockerfile"), re.MULTILINE)
        if build["target"] not in stages:
            found.append(f"the Dockerfile has no target {build['target']}")
        if build["target"] == "ingester":
            command = service.get("command", ["ingest"])[0]
            if command not in COMMANDS:
                found.append(f"excursion has no command {command}")
    elif "@" not in service["image"] and not re.search(r":\d", service["image"]):
        found.append(f"the image {service['image']} is not pinned")
    for secret in service.get("secrets", []):
        if secret not in told["secrets"]:
            found.append(f"there is no secret {secret}")
    for name, value in service.get("environment", {}).items():
        if "PASSWORD" in name and not VARIABLE.fullmatch(str(value)):
            found.append(f"{name} is written out")
        if re.search(r"//[^:@/]+:(?!\$\{)[^@]+@", str(value)):
            found.append(f"{name} holds a password")
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if source.startswith("."):
            if not (ROOT / source).exists():
                found.append(f"there is no file {source}")
        elif source not in told["volumes"]:
            found.append(f"there is no volume {source}")
    for other in service.get("depends_on", {}):
        if other not in told["services"]:
            found.append(f"there is no service {other}")
    found += [
        f"port {port} is open to other machines"
        for port in service.get("ports", [])
        if not str(port).startswith("127.0.0.1:")
    ]
    return found


def _ingester_settings(service: dict[str, Any]) -> list[str]:
    """The program takes the environment, with defaults and each secret a file."""
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder) / "secret"
        secret.write_text("x\n")
        env = {
            name: str(secret) if name.endswith("_FILE") else _default(str(value))
            for name, value in service["environment"].items()
        }
        secrets = {
            Path(v).name
            for n, v in service["environment"].items()
            if n.endswith("_FILE")
        }
        if secrets != set(service["secrets"]):
            return ["ingester: its secrets are not those that it is told to read"]
        try:
            settings.load(env, cwd=Path(folder))
            where = config.load(env, cwd=Path(folder))
        except UsageError as error:
            return [f"ingester: {error}"]
    if where.database != "excursion@postgres:5432/excursion":
        return [f"ingester: its database is {where.database}"]
    return []


def _default(value: str) -> str:
    return VARIABLE.sub(lambda m: m[3] if m[2] == ":-" else "secret", value)


def _read(name: str) -> str:
    return (ROOT / name).read_text()
