"""Other decoders, each in a process and an environment of its own: what they decode, and how many a second."""

import json
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dirdet.bench.gateway.environment import python_with
from dirdet.errors import EngineError

SCRIPT = Path(__file__).parent / "decoder_peer.py"
# Decoders of JPEG and WebP round differently, and spread colour between pixels differently; those of PNG are exact.
MEAN_TOLERANCE: Mapping[str, float] = {"JPEG": 1.5, "PNG": 0.0, "WEBP": 1.5}


@dataclass(frozen=True)
class Peer:
    """A decoder of another project.

    Attributes:
        requirements: of its environment; none for this one.
        kinds: of files that it reads.
    """

    requirements: Sequence[str]
    kinds: Sequence[str] = ("JPEG", "PNG", "WEBP")


PEERS: Mapping[str, Peer] = {
    "opencv": Peer(("opencv-python-headless==5.0.0.93", "numpy")),
    "simplejpeg": Peer(("simplejpeg==1.9.0", "numpy"), ("JPEG",)),
    # The one that the extra train brings: another copy of torch would be gigabytes.
    "torchvision": Peer(()),
}


class Decoder:
    """A decoder that waits in its process for what it is told, a JSON line each."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        """Is told by `decoding`."""
        self._name = name
        self._process = process

    def _ask(self, **order: object) -> Any:  # noqa: ANN401 - JSON
        if self._process.stdin is None or self._process.stdout is None:
            raise EngineError(f"{self._name} cannot be spoken to")
        print(json.dumps(order), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise EngineError(f"{self._name} ended; what it said stands above")
        return json.loads(line)

    def decoded(self, file: Path) -> NDArray[np.uint8]:
        """Pixels [H, W, 3] RGB of a picture."""
        out = file.with_suffix(f".{self._name}.npy")
        self._ask(decode=str(file), out=str(out))
        return np.load(out)

    def rate(self, files: Sequence[Path], *, threads: int, seconds: float) -> float:
        """As `dirdet.bench.threads_rate.rate`."""
        return float(self._ask(files=[str(file) for file in files], threads=threads, seconds=seconds))


@contextmanager
def decoding(name: str) -> Generator[Decoder]:
    """A decoder of `PEERS` for the block; it is installed on first use.

    Raises:
        MissingExtraError: it cannot be installed.
    """
    requirements = PEERS[name].requirements
    python = str(python_with(f"decode-{name}", requirements)) if requirements else sys.executable
    command = [python, str(SCRIPT), name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Decoder(name, process)
        finally:
            if process.stdin is not None:
                process.stdin.close()


def differs(found: NDArray[np.uint8], expected: NDArray[np.uint8], kind: str) -> str | None:
    """How pixels differ from those expected by more than the type's tolerance; None where they do not."""
    if found.shape != expected.shape:
        return f"its pixels are {found.shape}, not {expected.shape}"
    away = float(np.abs(found.astype(np.int16) - expected.astype(np.int16)).mean())
    if away > MEAN_TOLERANCE[kind]:
        return f"its pixels differ by {away:.2f} of 255 in the mean, more than {MEAN_TOLERANCE[kind]:g}"
    return None
