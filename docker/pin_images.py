"""Writes the digest of each base image beside its tag, as its registry tells it now: `make images`, then commit.

A tag may move, a digest may not. What tells it is skopeo, or Docker with buildx.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# An image of a registry, with a tag: this project's own have no host before them, and no digest before they are built.
IMAGE = re.compile(
    r"^(?P<before>FROM +|[ -]*image: +)"
    r"(?P<name>[\w-]+(?:\.[\w-]+)+(?::\d+)?/[\w./-]+:[\w.-]+)(?:@sha256:[0-9a-f]{64})?",
    re.MULTILINE,
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TIMEOUT_S = 60


class ImageError(Exception):
    """An image's digest cannot be had."""


def files(root: Path) -> list[Path]:
    """What names images: Dockerfiles, compose files, manifests for Kubernetes."""
    patterns = ("docker/*.Dockerfile", "docker-compose*.yml", "docker/kubernetes/**/*.yaml")
    return sorted(path for pattern in patterns for path in root.glob(pattern))


def digest(name: str) -> str:
    """The digest that the registry gives for a tag: of the list of platforms where there is one.

    Raises:
        ImageError: neither skopeo nor Docker is installed, or what is answers without a digest.
    """
    if shutil.which("skopeo"):
        command = ["skopeo", "inspect", "--no-tags", "--format", "{{.Digest}}", f"docker://{name}"]
    elif shutil.which("docker"):
        command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}", name]
    else:
        raise ImageError("digests are asked for by skopeo, or by docker with buildx: neither is installed")
    ran = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    said = ran.stdout.strip()
    if ran.returncode == 0 and said.startswith("{"):
        said = str(json.loads(said).get("digest"))
    if ran.returncode or not DIGEST.fullmatch(said):
        last = (ran.stderr.strip() or said or "nothing").splitlines()[-1]
        raise ImageError(f"{name}: expected a digest from {command[0]}, got: {last}")
    return said


def pin(root: Path) -> list[str]:
    """Writes the digests into all files, or none where one cannot be had.

    Returns:
        Each image's name with its digest.

    Raises:
        ImageError: a digest cannot be had.
    """
    texts = {path: path.read_text(encoding="utf-8") for path in files(root)}
    names = sorted({found["name"] for text in texts.values() for found in IMAGE.finditer(text)})
    pinned = {name: f"{name}@{digest(name)}" for name in names}
    for path, text in texts.items():
        path.write_text(IMAGE.sub(lambda found: found["before"] + pinned[found["name"]], text), encoding="utf-8")
    return list(pinned.values())


if __name__ == "__main__":
    try:
        print("\n".join(pin(ROOT)))
    except (ImageError, subprocess.TimeoutExpired) as error:
        sys.exit(f"no file was changed: {error}")
