"""Building and running images without a Docker engine and without a registry.

Debian's buildah and podman, as root, with images in a folder of their own: what stands
in for the base image carries the real one's name and must not be found by anybody else.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: What the Dockerfile's FROM says, in full.
BASE = "docker.io/library/python:3.11-slim-bookworm"

#: Debian's packages of the stand-in: Python and pip, and what the real base adds.
PACKAGES = "python3.11,python3-pip,python3-venv,ca-certificates,netbase,tzdata"

#: The stand-in is like the real base where that matters to the Dockerfile: `python` in
#: /usr/local/bin, and no .pyc in the standard library. pip.conf is a place to mount on.
FINISH = """
ln -s /usr/bin/python3.11 /usr/local/bin/python
ln -s /usr/bin/python3.11 /usr/local/bin/python3
find /usr/lib/python3.11 -name '*.pyc' -delete
rm -rf /var/cache/apt /var/lib/apt/lists/* /var/log/*.log
: > /etc/pip.conf
"""

#: program -> Debian's package of it.
NEEDED = {
    "buildah": "buildah",
    "podman": "podman",
    "runc": "runc",
    "debootstrap": "debootstrap",
}

#: Target of the Dockerfile -> the stages that it copies from.
COPIED = {
    "ingester": ("program",),
    "orchestration": ("program", "orchestration-dependencies"),
}

#: Of this machine, for fetching packages during the build only.
MOUNTED = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf")


#: How a container is run: as compose.yaml does, on this machine's loopback, and with
#: limits that this machine's own cannot get in the way of.
CONFINED = (
    *("--read-only", "--tmpfs=/tmp", "--cap-drop=all", "--network=host"),
    *("--security-opt=no-new-privileges", "--http-proxy=false"),
    *("--ulimit=nofile=1024:4096", "--ulimit=nproc=1000:1000"),
)


class ImageError(Exception):
    """The message is what the user reads."""


def require(holds: object, otherwise: str) -> None:
    """Raise ImageError with ``otherwise`` unless it holds."""
    if not holds:
        raise ImageError(otherwise)


class Engine:
    """buildah and podman on a folder of images that outlives the run."""

    def __init__(self) -> None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self.folder = cache / "excursion-images"
        self._storage = [
            *("--root", str(self.folder / "storage")),
            *("--runroot", "/run/excursion-images"),
            *("--storage-driver", "overlay"),
        ]

    def require(self) -> None:
        """Raise ImageError where something is missing here."""
        missing = [NEEDED[name] for name in NEEDED if shutil.which(name) is None]
        if missing:
            raise ImageError(
                "missing: " + ", ".join(missing) + "; on Debian as root:"
                f" apt-get install --no-install-recommends {' '.join(missing)}"
            )
        if os.geteuid() != 0:
            raise ImageError("only root can build an image here: sudo make image-test")

    def buildah(self, *arguments: str, log: Path | None = None) -> str:
        return _run(["buildah", *self._storage, *arguments], log)

    def podman(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run podman; what it says of systemd, which need not be here, is left out."""
        # crun, its first choice, needs more of the machine than there may be.
        runtime = ["--runtime", "runc", "--cgroup-manager", "cgroupfs"]
        done = subprocess.run(
            ["podman", *self._storage, *runtime, "--events-backend=file", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        said = [line for line in done.stderr.splitlines() if "systemd" not in line]
        done.stderr = "\n".join(said)
        return done

    def once(self, image: str, *command: str, options: Sequence[str] = ()) -> str:
        """What a command in a confined container prints; it must exit with 0."""
        done = self.podman("run", "--rm", *CONFINED, *options, image, *command)
        if done.returncode:
            raise ImageError(
                f"{' '.join(command)} in {image} exits with {done.returncode}:\n"
                + done.stdout
                + done.stderr
            )
        return done.stdout

    def inspect(self, image: str) -> dict[str, object]:
        """What `docker inspect` tells of an image."""
        done = self.podman("image", "inspect", image)
        if done.returncode:
            raise ImageError(done.stderr)
        found: dict[str, object] = json.loads(done.stdout)[0]
        return found

    def make_base(self) -> str | None:
        """Have the stand-in of the base image; tells where it was there already."""
        recipe = hashlib.sha256((PACKAGES + FINISH).encode()).hexdigest()
        done = self.podman("image", "inspect", "--format={{.Labels.recipe}}", BASE)
        if done.stdout.strip() == recipe:
            return "kept from an earlier run"
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder, prefix="root-") as folder:
            log = self.folder / "debootstrap.log"
            options = ("--variant=minbase", f"--include={PACKAGES}")
            _run(["debootstrap", *options, "bookworm", folder], log)
            _run(["chroot", folder, "sh", "-ec", FINISH], log)
            container = self.buildah("from", "scratch")
            self.buildah("add", "--quiet", container, folder, "/")
        path = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.buildah(
            "config",
            *(f"--env=PATH={path}", "--env=LANG=C.UTF-8", "--cmd=python3"),
            *(f"--label=recipe={recipe}", container),
        )
        self.buildah("commit", "--quiet", "--rm", container, BASE)
        return None

    def build(self, target: str, image: str) -> None:
        """Build a target of the Dockerfile on the stand-in."""
        mounts = [
            f"--volume={path}:{path}:ro" for path in MOUNTED if Path(path).is_file()
        ]
        # Stages that are copied from get a name too, or pruning would forget them.
        tags = {stage: f"localhost/excursion-stage:{stage}" for stage in COPIED[target]}
        for stage, tag in {**tags, target: image}.items():
            self.buildah(
                *("bud", "--isolation=chroot", "--pull-never", "--format=docker"),
                *("--layers", f"--target={stage}", f"--tag={tag}", *mounts, str(ROOT)),
                log=self.folder / f"build-{stage}.log",
            )

    def prune(self) -> None:
        """Remove the images that a newer build has taken the name of."""
        self.podman("image", "prune", "--force")


def _run(command: list[str], log: Path | None = None) -> str:
    """Run to the end; output that is logged is shown, its last lines, on failure."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if log else subprocess.PIPE,
        text=True,
        check=False,
    )
    if log:
        log.write_text(done.stdout)
    if done.returncode:
        said = (done.stdout if log else done.stderr).strip().splitlines()[-15:]
        raise ImageError("\n".join([f"{command[0]} failed:", *said]))
    return done.stdout.strip()
