"""Decoders of other projects, each in a process of its own: their pixels, and their pictures a second."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dirdet_bench.harness.environments import python_with
from dirdet_bench.harness.processes import Ask, json_lines

SCRIPT = Path(__file__).parent / "other_projects" / "decoder_process.py"
# Of 255. Decoders of JPEG and WebP round differently, and upsample colour differently; PNG is exact.
MEAN_TOLERANCE: Mapping[str, float] = {"JPEG": 1.5, "PNG": 0.0, "WEBP": 1.5}
# Requirements of each one's environment. torchvision is this environment's: another torch would be gigabytes.
REQUIREMENTS: Mapping[str, Sequence[str]] = {
    "opencv": ("opencv-python-headless==5.0.0.93", "numpy"),
    "simplejpeg": ("simplejpeg==1.9.0", "numpy"),
    "torchvision": (),
}


@dataclass(frozen=True)
class Decoder:
    name: str
    ask: Ask

    def reads(self, kind: str) -> bool:
        return kind == "JPEG" or self.name != "simplejpeg"

    def decoded(self, file: Path) -> NDArray[np.uint8]:
        """Pixels [H, W, 3] RGB of a picture."""
        out = file.with_suffix(f".{self.name}.npy")
        self.ask({"decode": str(file), "out": str(out)})
        return np.load(out)

    def rate(self, files: Sequence[Path], *, threads: int, seconds: float) -> float:
        """As `dirdet_bench.serving.other_projects.decoder_process.rate`."""
        return float(self.ask({"files": [str(file) for file in files], "threads": threads, "seconds": seconds}))


@contextmanager
def other_decoder(name: str) -> Generator[Decoder]:
    """A decoder of `REQUIREMENTS` for the block, installed on first use.

    Raises:
        MissingExtraError: it cannot be installed.
    """
    with json_lines(name, [python_with(f"decode-{name}", REQUIREMENTS[name]), SCRIPT, name]) as ask:
        yield Decoder(name, ask)


def difference(found: NDArray[np.uint8], expected: NDArray[np.uint8], kind: str) -> str | None:
    """How pixels differ by more than the tolerance of the type of file, in words; None if they do not."""
    if found.shape != expected.shape:
        return f"its pixels are {found.shape}, not {expected.shape}"
    away = float(np.abs(found.astype(np.int16) - expected.astype(np.int16)).mean())
    if away > MEAN_TOLERANCE[kind]:
        return f"its pixels differ by {away:.2f} of 255 in the mean, more than {MEAN_TOLERANCE[kind]:g}"
    return None
