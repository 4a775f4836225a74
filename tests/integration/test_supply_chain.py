"""What is installed is what was locked, whatever an index offers; images are pinned by what a registry tells."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted(path for path in (ROOT / "requirements").glob("*.txt") if path.name != "proved.txt")
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))
ENVIRONMENTS = (".venv", ".venv-serve", ".venv-converters", ".venv-ray", ".venv-audit")
DIGEST = "sha256:" + "5" * 64


def requirements(lock: Path) -> list[str]:
    """Each requirement with its options, on one line."""
    return lock.read_text(encoding="utf-8").replace("\\\n", "").splitlines()


def assert_locked(command: str) -> None:
    """A use of pip that takes files by their hashes, or this project's own folder without anything else."""
    if "-r" in command.split():
        assert "--require-hashes" in command
        assert ("--only-binary :all:" in command) != ("--no-build-isolation" in command)
    else:
        assert "--no-deps" in command
        assert "--no-build-isolation" in command


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_requirement_has_one_version_and_hashes(lock: Path) -> None:
    assert requirements(lock)
    for line in requirements(lock):
        assert re.match(r"[\w.-]+==[\w.!+]+( ;[^\\]+)? +--hash=sha256:[0-9a-f]{64}", line), line
        assert "://" not in line


def test_what_is_tested_is_what_is_served() -> None:
    tested = {line.split(" --hash")[0].strip() for line in requirements(ROOT / "requirements" / "dev.txt")}
    served = {line.split(" --hash")[0].strip() for line in requirements(ROOT / "requirements" / "cpu.txt")}
    assert served <= tested


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_make_installs_nothing_else(environment: str, tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "bench", "requirements"):
        (tmp_path / name).symlink_to(ROOT / name)
    said = subprocess.run(
        ["make", "--dry-run", f"{environment}/.ready"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    commands = [line for line in said.stdout.splitlines() if "pip install" in line]
    assert len(commands) >= 2
    for command in commands:
        assert_locked(command)


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_images_install_nothing_else(dockerfile: Path) -> None:
    text = dockerfile.read_text(encoding="utf-8").replace("\\\n", "")
    commands = [part for part in re.split("&&|\n", text) if "pip install" in part]
    assert commands
    for command in commands:
        assert_locked(command)


def test_an_index_of_the_environment_cannot_bring_another_file(tmp_path: Path) -> None:
    """The locked version under the locked name, but not the locked bytes."""
    packages = tmp_path / "index" / "annotated-doc"
    packages.mkdir(parents=True)
    [line] = [line for line in requirements(ROOT / "requirements" / "cpu.txt") if line.startswith("annotated-doc==")]
    wheel = f"annotated_doc-{line.split()[0].split('==')[1]}-py3-none-any.whl"
    (packages / wheel).write_bytes(b"something else")
    (packages / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')
    (tmp_path / "lock.txt").write_text(line)
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(tmp_path), "--require-hashes"]
    env = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    env |= {"PIP_INDEX_URL": (tmp_path / "index").as_uri(), "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        [*pip, "-r", str(tmp_path / "lock.txt")], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr


def pin_images(tree: Path, *, registry: str | None) -> subprocess.CompletedProcess[str]:
    """Runs the script in a tree, with a skopeo that prints or fails."""
    (tree / "docker").mkdir(exist_ok=True)
    shutil.copy(ROOT / "docker" / "pin_images.py", tree / "docker")
    tools = tree / "tools"
    tools.mkdir(exist_ok=True)
    if registry is not None:
        (tools / "skopeo").write_text(f"#!/bin/sh\n{registry}\n")
        (tools / "skopeo").chmod(0o755)
    script = [sys.executable, "docker/pin_images.py"]
    env = {"PATH": str(tools)}
    return subprocess.run(script, cwd=tree, env=env, capture_output=True, text=True, check=False)


def test_images_are_pinned_beside_their_tags(tmp_path: Path) -> None:
    """Those of registries; not this project's own, nor stages. Pinned again, they get the digest of that day."""
    (tmp_path / "docker").mkdir()
    dockerfile, compose = tmp_path / "docker" / "a.Dockerfile", tmp_path / "docker-compose.yml"
    before = "FROM docker.io/library/python:3.11 AS code\nFROM code AS lean\nCOPY --from=code /a /b\n"
    dockerfile.write_text(before)
    compose.write_text("    image: nvcr.io/a/b:1\n    image: dirdet-gateway:${DIRDET_TAG:-latest}\n")
    for digest in (DIGEST, "sha256:" + "6" * 64):
        done = pin_images(tmp_path, registry=f"echo {digest}")
        assert done.stdout == f"docker.io/library/python:3.11@{digest}\nnvcr.io/a/b:1@{digest}\n"
        assert dockerfile.read_text() == before.replace(":3.11", f":3.11@{digest}")
        assert f"image: nvcr.io/a/b:1@{digest}\n    image: dirdet-gateway:$" in compose.read_text()


def test_no_file_is_pinned_where_one_image_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    dockerfile = tmp_path / "docker" / "a.Dockerfile"
    dockerfile.write_text("FROM docker.io/library/a:1\nFROM docker.io/library/b:1\n")
    failing = f'case "$*" in *b:1) echo no such image >&2; exit 1;; *) echo {DIGEST};; esac'
    done = pin_images(tmp_path, registry=failing)
    assert done.returncode != 0
    assert "docker.io/library/b:1: expected a digest from skopeo, got: no such image" in done.stderr
    assert "sha256" not in dockerfile.read_text()


def test_pinning_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "a.Dockerfile").write_text("FROM docker.io/library/a:1\n")
    done = pin_images(tmp_path, registry=None)
    assert "no file was changed: digests are asked for by skopeo, or by docker with buildx" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_images_of_this_project_are_among_those_that_are_pinned(tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    for path in (*DOCKERFILES, *ROOT.glob("docker-compose*.yml")):
        shutil.copy(path, tmp_path / path.relative_to(ROOT))
    said = pin_images(tmp_path, registry=f"echo {DIGEST}").stdout
    for name in ("library/python", "nvidia/tritonserver", "prom/prometheus", "grafana/grafana"):
        assert name in said
