"""Photographs for jobs, and a way to run `dirdet batch` on the detector that comes with the package."""

from pathlib import Path

import pytest
import skimage
from click.testing import CliRunner, Result
from jobs import MANY, Run, job_arguments, spawn
from PIL import Image
from waiting import PATIENCE_S

from dirdet.commands.batch import command
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
