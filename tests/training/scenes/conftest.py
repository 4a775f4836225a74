"""A tiny stamps folder and photographs, drawn here, so that no Debian package is needed."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dirdet_training.scenes.backgrounds import PHOTOGRAPHS
from dirdet_training.scenes.build import build_scenes
from dirdet_training.scenes.library import Library, load_library
from dirdet_training.scenes.plan import Plan
from dirdet_training.scenes.taxonomy import CLASSES


def _reserved(relative: str) -> bool:
    """The rule as the README states it, written a second time."""
    path = PurePosixPath(relative)
    plain = str(path.parent / path.name.replace("_mirror", ""))
    return hashlib.sha256(plain.encode()).hexdigest().startswith(("e", "f"))


def _draw_stamp(file: Path, number: int) -> None:
    """A lopsided blob with coloured stripes; each number draws another."""
    rng = np.random.default_rng(number)
    picture = Image.new("RGBA", (64, 48), (255, 0, 255, 0))
    pen = ImageDraw.Draw(picture)
    points = [(int(x), int(y)) for x, y in zip(rng.integers(0, 64, 7), rng.integers(0, 48, 7), strict=True)]
    pen.polygon([(2, 2), (60, 8), *points, (10, 45)], fill=(*rng.integers(0, 256, 3).tolist(), 255))
    for x in rng.integers(0, 60, 4).tolist():
        pen.line([(x, 4), (x, 24)], fill=(*rng.integers(0, 256, 3).tolist(), 255), width=3)
    picture.save(file)


@dataclass(frozen=True)
class Sources:
    """Where the drawn sources lie, and the reserved stamps among them."""

    stamps: Path
    backgrounds: Path
    reserved: list[str]

    def library(self) -> Library:
        return load_library(self.stamps, [self.backgrounds])

    def build(self, out: Path, plan: Plan, *, processes: int = 1) -> None:
        build_scenes(out, plan, stamps=self.stamps, backgrounds=[self.backgrounds], processes=processes)


def _draw_sources(root: Path) -> Sources:
    stamps, backgrounds = root / "stamps", root / "wallpapers"
    reserved: list[str] = []
    for class_index, entry in enumerate(CLASSES):
        (stamps / entry.folder / "deeper").mkdir(parents=True)
        names = [f"{entry.folder}/{'deeper/' * (number % 2)}stamp{number}.png" for number in range(60)]
        for number, name in enumerate([name for name in names if not _reserved(name)][:6]):
            _draw_stamp(stamps / name, 100 * class_index + number)
            if number == 0:
                mirrored = stamps / name.replace(".png", "_mirror.png")
                with Image.open(stamps / name) as picture:
                    picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mirrored)
        first = next(name for name in names if _reserved(name))
        for name in (first, first.replace(".png", "_mirror.png")):
            (stamps / name).write_bytes(b"opening this is an error")
            reserved.append(name)
    for number, photograph in enumerate(PHOTOGRAPHS[::2]):
        file = backgrounds / photograph.path
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((600, 400), Image.Resampling.BILINEAR).save(file)
    return Sources(stamps, backgrounds, reserved)


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """Shared sources: tests must not change them."""
    return _draw_sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture
def own_sources(tmp_path: Path) -> Sources:
    """Sources that a test may change."""
    return _draw_sources(tmp_path / "sources")


@pytest.fixture(scope="session")
def library(sources: Sources) -> Library:
    return sources.library()


@pytest.fixture(scope="session")
def is_reserved_by_the_rule() -> Callable[[str], bool]:
    return _reserved


@pytest.fixture(scope="session")
def dataset(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set: 6, 3 and 4 scenes of each difficulty."""
    out = tmp_path_factory.mktemp("dataset") / "scenes"
    sources.build(out, Plan(seed=5, train=6, val=3, test=4))
    return out
