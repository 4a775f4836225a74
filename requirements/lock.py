"""Writes the locked requirements: one file an extra, resolved together with what every user of it needs."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# File: extras, dependency groups.
LOCKS: dict[str, tuple[list[str], list[str]]] = {
    "cpu": (["cpu"], []),
    "openvino": (["openvino"], []),
    "gpu": (["gpu"], []),
    "triton": (["triton", "cpu"], []),
    "train": (["train"], []),
    "export": (["export", "cpu"], []),
    "quality": (["quality", "cpu"], []),
    "dev": (["export", "quality", "batch", "video", "remote", "cpu", "triton", "bench", "otel"], ["dev"]),
    "gpu-dev": (["export", "quality", "gpu", "bench", "otel"], ["dev"]),
}


def lock(name: str, extras: list[str], groups: list[str]) -> None:
    """Resolves one file for every platform and Python; what it already pins stays unless pyproject.toml forbids it."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--universal"]
    command += ["--output-file", f"requirements/{name}.txt"]
    command += [f"--extra={extra}" for extra in extras]
    command += [f"--group={group}" for group in groups]
    command += ["--constraint=requirements/proved.txt", "--quiet", "--no-header", "--no-annotate"]
    subprocess.run(command, cwd=ROOT, check=True)


def main() -> None:
    """Resolves all files; the largest first, so that the others agree with it."""
    for name in reversed(LOCKS):
        lock(name, *LOCKS[name])


if __name__ == "__main__":
    main()
