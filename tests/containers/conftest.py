"""The images, built from a clean copy of the tree, and one stack of services."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .engine import ROOT, Engine, find_engine
from .stack import BUILD_S, Stack, running


@pytest.fixture(scope="session")
def engine() -> Engine:
    return find_engine()


@pytest.fixture(scope="session")
def tree(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository's files and nothing that happens to lie about: what a clone would have."""
    out = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, out / name)
    if engine.has_stand_ins:
        for path in (*out.glob("docker/*.Dockerfile"), *out.glob("docker-compose*.yml")):
            path.write_text(re.sub("@sha256:[0-9a-f]{64}", "", path.read_text()))
    return out


@pytest.fixture(scope="session")
def images(engine: Engine, tree: Path) -> Path:
    """Builds what compose would build; the tree it was built from.

    One image after the other: two services have the gateway's, which podman-compose would build twice at once, with two
    layers of the same packages.
    """
    stack = Stack(engine, tree, "dirdet-test-build", {"COMPOSE_PARALLEL_LIMIT": "1"})
    stack.compose("build", timeout_s=BUILD_S)
    return tree


@pytest.fixture(scope="session")
def make_stack(engine: Engine, images: Path) -> Callable[..., Stack]:
    """A stack that is not started: `make_stack(name, **variables)`."""

    def make(name: str, **variables: str) -> Stack:
        return Stack(engine, images, f"dirdet-test-{os.getpid()}-{name}", variables)

    return make


@pytest.fixture(scope="session")
def stack(make_stack: Callable[..., Stack]) -> Iterator[Stack]:
    with running(make_stack("shipped")) as started:
        yield started
