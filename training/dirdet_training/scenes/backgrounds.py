"""The photographs behind the scenes: which installed wallpapers are photographs, and their split."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from dirdet_training.scenes.errors import ScenesError
from dirdet_training.scenes.split import split_by_hash
from dirdet_training.scenes.taxonomy import SPLITS

BACKGROUND_FOLDERS: Final = (Path("/usr/share/wallpapers"), Path("/usr/share/backgrounds"))

# The shorter side of a kept photograph: scenes crop windows of 224 to 704 pixels from it.
_SHORT_SIDE_PX: Final = 704


@dataclass(frozen=True)
class Photograph:
    """A wallpaper that is a photograph and shows nothing of the twelve classes.

    Attributes:
        path: one of its files, relative to a folder of wallpapers.
        package: the Debian package that installs it.
        region: left, top, right, bottom as fractions; the part that is free of the twelve classes.
    """

    path: str
    package: str
    region: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)


_PLASMA: Final = "plasma-workspace-wallpapers"
_MATE: Final = "mate-backgrounds"

# Chosen by eye. Other wallpapers are drawings, renderings, or close-ups of flowers and insects.
PHOTOGRAPHS: Final = (
    *(
        Photograph(f"{name}/contents/images/2560x1600.jpg", _PLASMA)
        for name in (
            "BytheWater",
            "ColdRipple",
            "ColorfulCups",
            "DarkestHour",
            "FallenLeaf",
            "Grey",
            "Kite",
            "OneStandsOut",
            "Path",
            "summer_1am",
        )
    ),
    # Boats lie in its lower half.
    Photograph("EveningGlow/contents/images/2560x1600.jpg", _PLASMA, (0.0, 0.0, 1.0, 0.42)),
    *(
        Photograph(f"mate/nature/{name}.jpg", _MATE)
        for name in ("Aqua", "Blinds", "Dune", "GreenMeadow", "RainDrops", "Storm", "Wood")
    ),
    # Dandelion seeds fill its right side.
    Photograph("mate/nature/TwoWings.jpg", _MATE, (0.0, 0.0, 0.33, 1.0)),
)


@dataclass(frozen=True)
class Background:
    """One photograph, ready to be cropped.

    Attributes:
        path: as in `Photograph`.
        package: as in `Photograph`.
        picture: RGB, its shorter side at most 704 pixels.
    """

    path: str
    package: str
    picture: Image.Image


def find_photographs(
    folders: Sequence[Path] = BACKGROUND_FOLDERS, photographs: Sequence[Photograph] = PHOTOGRAPHS
) -> list[tuple[Photograph, Path]]:
    """The photographs that are installed, with their files, sorted by path.

    Raises:
        ScenesError: a package has none of its photographs here; the message says what to install.
    """
    found = [
        (photograph, file)
        for photograph in sorted(photographs, key=lambda photograph: photograph.path)
        if (file := next((f for folder in folders if (f := folder / photograph.path).is_file()), None)) is not None
    ]
    wanted = {photograph.package for photograph in photographs}
    missing = sorted(wanted - {photograph.package for photograph, _ in found})
    if missing:
        where = ", ".join(map(str, folders))
        raise ScenesError(f"no photographs for backgrounds in {where}; apt-get install {' '.join(missing)}")
    return found


def _read(photograph: Photograph, file: Path) -> Background:
    try:
        with Image.open(file, formats=["JPEG"]) as opened:
            left, top, right, bottom = photograph.region
            width, height = opened.size
            box = (round(left * width), round(top * height), round(right * width), round(bottom * height))
            picture = opened.convert("RGB").crop(box)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as exc:
        raise ScenesError(f"{file}: expected a readable JPEG, found a broken one ({type(exc).__name__})") from exc
    scale = min(1.0, _SHORT_SIDE_PX / min(picture.size))
    size = (round(picture.width * scale), round(picture.height * scale))
    return Background(photograph.path, photograph.package, picture.resize(size, Image.Resampling.LANCZOS))


def load_backgrounds(found: Sequence[tuple[Photograph, Path]]) -> dict[str, tuple[Background, ...]]:
    """Reads photographs and divides them into splits.

    Returns:
        The photographs of each split, sorted by path, never empty.

    Raises:
        ScenesError: fewer photographs than splits, or one that cannot be read.
    """
    split_of = split_by_hash([photograph.path for photograph, _ in found], kind="photographs for backgrounds")
    read = [_read(photograph, file) for photograph, file in found]
    return {split: tuple(one for one in read if split_of[one.path] == split) for split in SPLITS}
