"""The services of docker-compose.cpu.yml, started as a user starts them."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import httpx

from .engine import Engine

SERVICES = ("models", "triton", "gateway")
COMPOSE_FILE = "docker-compose.cpu.yml"
# Images of these tests, kept between runs for their layers; nobody's own are touched.
TAG = "test-containers"
GATEWAY_IMAGE = f"dirdet-gateway:{TAG}"
TRITON_IMAGE = f"dirdet-triton-cpu:{TAG}"
# PyTorch is 3 GB to fetch and 5 GB to write.
BUILD_S = 1200
UP_S = 180
READY_S = 180
DOWN_S = 120


class Stack:
    """A compose project on a free port of this machine's loopback."""

    def __init__(self, engine: Engine, tree: Path, project: str, variables: Mapping[str, str] | None = None) -> None:
        """Does not start yet.

        Args:
            engine: what runs it.
            tree: a clean copy of the repository.
            project: the project's name.
            variables: what a user would set before `docker compose up`.
        """
        self.engine = engine
        self.project = project
        self._tree = tree
        self.port = free_port()
        # Two stacks at once need two subnets.
        edge = f"10.231.{self.port // 16 % 256}.{self.port % 16 * 16}/28"
        self._variables = {"PORT": str(self.port), "EDGE_SUBNET": edge, "DIRDET_TAG": TAG, **(variables or {})}

    @property
    def url(self) -> str:
        """Where the gateway is published."""
        return f"http://127.0.0.1:{self.port}"

    def compose(self, *words: str, timeout_s: float) -> None:
        """Runs a compose command.

        Raises:
            AssertionError: it failed; with what it wrote.
        """
        command = [*self.engine.compose, "-p", self.project, "-f", COMPOSE_FILE, *words]
        done = subprocess.run(
            command,
            cwd=self._tree,
            env=os.environ | self._variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        # podman-compose exits with 0 whatever podman did, and tells it in a line.
        failed = [line for line in done.stdout.splitlines() if line.startswith("exit code: ") and line[11:] != "0"]
        if done.returncode != 0 or (failed and words[0] != "down"):
            raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout}")

    def container(self, service: str) -> str:
        """Identifier of the service's container, running or not."""
        [found] = self.containers(service)
        return found

    def containers(self, service: str | None = None) -> list[str]:
        """Identifiers of the project's containers."""
        filters = [f"--filter=label=com.docker.compose.project={self.project}"]
        if service is not None:
            filters.append(f"--filter=label=com.docker.compose.service={service}")
        return self.engine.lines("ps", "--all", "--quiet", *filters)

    def owned(self, kind: Literal["volume", "network"]) -> list[str]:
        """Names of the project's volumes or networks."""
        return self.engine.lines(kind, "ls", "--quiet", f"--filter=label=com.docker.compose.project={self.project}")

    def inspect(self, service: str, template: str) -> str:
        """A part of what the engine tells about the service's container, by a Go template."""
        return self.engine.run("inspect", "--format", template, self.container(service)).stdout.strip()

    def address(self, service: str, network: str) -> str:
        """The service's address in one of the project's networks."""
        networks = json.loads(self.inspect(service, "{{json .NetworkSettings.Networks}}"))
        return networks[f"{self.project}_{network}"]["IPAddress"]

    def inside(self, service: str, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command in the service's container."""
        return self.engine.run("exec", self.container(service), *command, check=check)

    def is_ready(self) -> bool:
        """Whether the gateway says that it detects."""
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=30).status_code == 200
        except httpx.TransportError:
            return False

    def wait_until_ready(self) -> None:
        """Returns once a picture would be detected.

        Raises:
            AssertionError: that takes too long; with the services' logs.
        """
        if not eventually(self.is_ready, timeout_s=READY_S):
            logs = [self.engine.run("logs", each, check=False) for each in self.containers()]
            raise AssertionError("\n".join(f"{each.stdout}\n{each.stderr}" for each in logs))

    def up(self) -> None:
        """Starts the services and waits until they serve."""
        if self.engine.is_docker:
            self.compose("up", "-d", "--no-build", *SERVICES, timeout_s=UP_S)
        else:
            # podman does not start a container again whose dependency has ended.
            first, *others = SERVICES
            self.compose("up", "--no-build", first, timeout_s=UP_S)
            self.compose("up", "-d", "--no-build", "--no-deps", *others, timeout_s=UP_S)
        self.wait_until_ready()

    def down(self) -> None:
        """Removes everything that `up` made."""
        self.compose("down", "--volumes", timeout_s=DOWN_S)
        if not self.engine.is_docker:
            # podman-compose forgets networks.
            for network in self.owned("network"):
                self.engine.run("network", "rm", network)


def free_port() -> int:
    """A port of this machine's loopback that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(stack: Stack) -> Generator[Stack]:
    """The stack, up; down at the end, also where it did not come up."""
    try:
        stack.up()
        yield stack
    finally:
        stack.down()


def eventually(true: Callable[[], bool], *, timeout_s: float, every_s: float = 0.5) -> bool:
    """Whether something becomes true in time."""
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
    return True
