"""Writes the locked requirements: one file an extra or group, with the hashes of every file that pip may take.

    python requirements/lock.py [--upgrade | --upgrade-package NAME]

What a file pins already stays unless pyproject.toml forbids it or an option, which is one of uv's, says otherwise.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Lock:
    """One file of locked requirements.

    Attributes:
        extras: of the project.
        groups: of pyproject.toml's dependency groups.
        has_project: whether what the project needs is in the file; without, the groups stand alone.
        left_out: packages that are not installed from the file.
        constraints: files of this folder that it agrees with.
    """

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    has_project: bool = True
    left_out: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ("proved.txt", "dev.txt")


# What is tested is what is served: the others agree with the first.
LOCKS = {
    "dev": Lock(
        ("export", "quality", "batch", "video", "remote", "cpu", "triton", "otel", "tiff"),
        ("dev",),
        constraints=("proved.txt",),
    ),
    "gpu-dev": Lock(("export", "quality", "gpu", "otel"), ("dev",)),
    "ray-tests": Lock(("ray", "cpu"), ("ray-tests",)),
    # FiftyOne wants other versions of what the tests of the API need.
    "converters-tests": Lock((), ("converters-tests",), constraints=()),
    "batch": Lock(("batch", "cpu")),
    "quality": Lock(("quality", "cpu")),
    "export": Lock(("export", "cpu")),
    "train": Lock(("train",)),
    "torch": Lock(("torch",)),
    "triton": Lock(("triton", "cpu")),
    "gpu": Lock(("gpu",)),
    "openvino": Lock(("openvino",)),
    "cpu": Lock(("cpu",)),
    "build": Lock(groups=("build",), has_project=False),
    "audit": Lock(groups=("audit",), has_project=False),
    "docs": Lock(groups=("docs",), has_project=False),
    # numpy is the image's own: its Python backend was built for it.
    "tritonserver": Lock(groups=("tritonserver",), has_project=False, left_out=("numpy",)),
    "tritonserver-onnxruntime": Lock(groups=("tritonserver-onnxruntime",), has_project=False, left_out=("numpy",)),
    "tritonserver-onnxruntime-gpu": Lock(
        groups=("tritonserver-onnxruntime-gpu",), has_project=False, left_out=("numpy",)
    ),
}


def write(name: str, lock: Lock, options: list[str]) -> None:
    """Resolves one file for every platform and Python."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--universal", "--generate-hashes"]
    command += ["--quiet", "--no-header", "--no-annotate", f"--output-file=requirements/{name}.txt"]
    command += ["pyproject.toml"] if lock.has_project else ["--python-version=3.11"]
    command += [f"--extra={extra}" for extra in lock.extras]
    command += [f"--group={group}" for group in lock.groups]
    command += [f"--no-emit-package={package}" for package in lock.left_out]
    command += [f"--constraint=requirements/{file}" for file in lock.constraints]
    # What the command prints is the file once more.
    subprocess.run([*command, *options], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Resolves all files."""
    for name, lock in LOCKS.items():
        write(name, lock, sys.argv[1:])


if __name__ == "__main__":
    main()
