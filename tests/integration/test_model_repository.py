"""model_repository/ is what the packages write for the shipped detector, in a clone, with make and with compose."""

import importlib
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from dirdet.bundle.shipped import default_bundle, open_bundle
from dirdet.engines.triton.repository.config import RepositoryOptions
from dirdet.engines.triton.repository.writer import write_repository

yaml: Any = importlib.import_module("yaml")
ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "model_repository"
WEIGHTS = {"model.onnx", "model.safetensors"}


def texts(repository: Path) -> dict[str, bytes]:
    """Every model's files that people read, by their paths."""
    files = [path for path in repository.glob("*/**/*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(repository).as_posix(): path.read_bytes() for path in files if path.name not in WEIGHTS}


def committed() -> dict[str, bytes]:
    name = open_bundle().manifest.name
    return {path: content for path, content in texts(COMMITTED).items() if path.startswith(f"{name}_")}


def test_what_is_committed_is_what_is_written(tmp_path: Path) -> None:
    write_repository(open_bundle(), tmp_path, options=RepositoryOptions())
    assert committed() == texts(tmp_path), "run `make model_repository` and commit what it changes"


def test_make_writes_it_into_its_place(tmp_path: Path) -> None:
    """The command that make would run, in an empty folder."""
    told = subprocess.run(
        ["make", "--dry-run", "--assume-old=.venv-serve/.ready", "model_repository"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    [words] = [shlex.split(line) for line in told if "dirdet triton" in line]
    subprocess.run([sys.executable, "-m", "dirdet", *words[1:]], cwd=tmp_path, check=True, capture_output=True)
    assert texts(tmp_path / "model_repository") == committed()
    assert {path.name for path in tmp_path.rglob("*")} >= WEIGHTS


def by_compose(tmp_path: Path, **variables: str) -> Path:
    """The repository that the service `models` writes."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    shell, flags, script = services["models"]["entrypoint"]
    script = script.replace("$$", "$").replace("dirdet triton", f"{sys.executable} -m dirdet triton")
    script = script.replace("/models", str(tmp_path)).replace(" /detector ", f" {default_bundle()} ")
    fixed = {name: value for name, value in services["models"]["environment"].items() if value is not None}
    assert variables.keys() <= services["models"]["environment"].keys() - fixed.keys(), "it passes them on"
    subprocess.run([shell, flags, script], env=os.environ | fixed | variables, check=True, capture_output=True)
    return tmp_path / "repository"


def test_compose_serves_the_same_models(tmp_path: Path) -> None:
    assert texts(by_compose(tmp_path)) == committed()


def test_compose_chooses_one_process(tmp_path: Path) -> None:
    assert {path.name for path in by_compose(tmp_path, TRITON_DETECTOR_AS="process").iterdir()} == {
        "scenes_detector",
        "scenes_detector_onnx",
    }


def test_compose_chooses_the_accelerator_and_keeps_its_engines(tmp_path: Path) -> None:
    changed = texts(by_compose(tmp_path, TRITON_ACCELERATOR="tensorrt"))
    [(path, config)] = [each for each in changed.items() if each not in committed().items()]
    assert path.endswith("_trunk/config.pbtxt")
    triton = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]["triton"]
    [mount] = [each for each in triton["volumes"] if each["source"] == "engines"]
    assert not mount.get("read_only")
    assert f'value: "{mount["target"]}/'.encode() in config
    assert f" {mount['target']}\n" in (ROOT / "docker" / "triton.Dockerfile").read_text(), "where its user may write"
