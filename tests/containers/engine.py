"""The container engine of this machine: Docker, or podman where there is none."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Makes podman work where no image registry can be reached; with it, nothing has to be pulled.
SETUP = "DIRDET_CONTAINER_SETUP"
SIBLING_SETUP = ROOT.parent / "shared" / "containers" / "setup"
SETUP_TIMEOUT_S = 900
TIMEOUT_S = 120
# From the environment of the tests: distributions have 1.0, which does not know networks' aliases.
PODMAN_COMPOSE = (sys.executable, "-m", "podman_compose")


@dataclass(frozen=True)
class Engine:
    """A container engine and what reads compose files for it.

    Attributes:
        cli: `docker` or `podman`.
        compose: the words before a compose command's own.
        has_stand_ins: whether images of registries are stand-ins of its own, which have their tags and no digest.
    """

    cli: str
    compose: tuple[str, ...]
    has_stand_ins: bool = False

    def run(self, *words: str, timeout_s: float = TIMEOUT_S, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command of the engine.

        Raises:
            AssertionError: it failed; with what it wrote.
        """
        return _run([self.cli, *words], timeout_s=timeout_s, check=check)

    def lines(self, *words: str) -> list[str]:
        """What a command prints, line by line."""
        return self.run(*words).stdout.split("\n")[:-1]

    @property
    def is_docker(self) -> bool:
        """Whether compose files are read by Docker's own, which knows all of them."""
        return self.cli == "docker"


def find_engine() -> Engine:
    """Docker with its compose, else podman, set up first where there is something to do so.

    Raises:
        AssertionError: there is neither.
    """
    if _works("docker", "info") and _works("docker", "compose", "version"):
        return Engine("docker", ("docker", "compose"))
    setup = os.environ.get(SETUP) or (str(SIBLING_SETUP) if SIBLING_SETUP.exists() else None)
    if setup is not None:
        _run(["sh", setup], timeout_s=SETUP_TIMEOUT_S, check=True)
    if _works("podman", "info"):
        engine = Engine("podman", PODMAN_COMPOSE, has_stand_ins=setup is not None)
        [networks] = engine.lines("info", "--format", "{{.Host.NetworkBackend}}")
        assert networks == "netavark", (
            f"podman's networks are made by {networks}, which has no names in internal networks: install netavark and "
            "aardvark-dns, then `podman system reset`"
        )
        return engine
    raise AssertionError(
        "no container engine: install Docker with its compose plugin (2.30 or newer), or podman, "
        f"or let {SETUP} name a script that does"
    )


def _works(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False).returncode == 0


def _run(command: list[str], *, timeout_s: float, check: bool) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done
