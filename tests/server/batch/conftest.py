"""Photographs for jobs, and a way to run `dirdet batch` on the detector that comes with the package.

Where numbers matter, jobs of the detector of rectangles, with masks.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
import skimage
from click.testing import CliRunner, Result
from jobs import MANY, RectangleJob, Run, job_arguments, rectangle_job, spawn
from PIL import Image
from waiting import PATIENCE_S

from dirdet.commands.batch import command
from dirdet.detector.detector import Detector
from dirdet.errors import DirdetError

PHOTOGRAPHS = Path(skimage.__file__).parent / "data"


@pytest.fixture(scope="session")
def photographs() -> Path:
    """The folder of scikit-image's photographs."""
    return PHOTOGRAPHS


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of parts of a photograph, upright and lying, and one file that is broken."""
    folder = tmp_path_factory.mktemp("many")
    with Image.open(PHOTOGRAPHS / "astronaut.png") as photograph:
        for number in range(MANY - 1):
            width, height = (200, 150) if number % 3 else (150, 200)
            left, top = 9 * number % (512 - width), 17 * number % (512 - height)
            below = folder / f"roll {number % 2}"
            below.mkdir(exist_ok=True)
            photograph.crop((left, top, left + width, top + height)).save(below / f"{number:02d}.png")
    (folder / "roll 0" / "05.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    return folder


@pytest.fixture
def run() -> Run:
    """Runs the command in this process; errors that users see come out as they were raised."""

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(command, [str(argument) for argument in arguments])
        if isinstance(result.exception, DirdetError):
            raise result.exception
        return result

    return invoke


@pytest.fixture(scope="session")
def uninterrupted(many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a job that nothing stopped."""
    out = tmp_path_factory.mktemp("uninterrupted") / "out"
    done = spawn(*job_arguments(many, out))
    _, errors = done.communicate(timeout=PATIENCE_S)
    assert done.returncode == 3, errors  # one picture is broken
    return out


@pytest.fixture
def job_of(mask_detector: Detector, tmp_path: Path) -> Callable[[Path | str], RectangleJob]:
    """Runs a job of the detector of rectangles on a source."""
    return lambda source: rectangle_job(source, tmp_path / "out", mask_detector)


@pytest.fixture
def scenes(rectangles: Callable[..., Image.Image], tmp_path: Path) -> Path:
    """Pictures of one name, of one stem, lying on their side, empty and broken."""
    folder = tmp_path / "in"
    for below in ("a", "b"):
        (folder / below).mkdir(parents=True)
    rectangles(red=(100, 60, 300, 200), blue=(80, 260, 560, 440)).save(folder / "a" / "p.png")
    rectangles(320, 240, green=(20, 20, 203, 199)).save(folder / "b" / "p.png")
    rectangles(200, 200).crop((0, 0, 20, 20)).save(folder / "b" / "p.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    rectangles(480, 640, red=(60, 100, 200, 300)).save(folder / "turned сова 🦉.jpg", exif=exif, quality=95)
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder
