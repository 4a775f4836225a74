"""Broken and hostile pictures, each the same in every run: read or refused, soon, and without keeping memory.

DIRDET_FUZZ_PICTURES says how many; `make test-fuzz` tries many more than the tests do.
"""

import os
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pytest
from picture_mutations import BOMBS, mutated

from dirdet.errors import PictureError
from dirdet.pictures.reading import read_picture

PICTURES = int(os.environ.get("DIRDET_FUZZ_PICTURES", "3000"))
SHOW_EVERY = 5000
# Of the processor's time. A hundred megapixels and a hundred scans are accepted, and take a few seconds.
MOST_S = 30.0
# Of 100,000 pictures, measured: 5. What allocators keep after the first bomb is there before.
MOST_GROWTH_MIB = 100


def resident_mib() -> int:
    """Of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def read(data: bytes) -> str:
    """What became of it."""
    begun_s = time.thread_time()
    try:
        picture = read_picture(BytesIO(data))
    except PictureError as exc:
        outcome = type(exc).__name__
    else:
        assert picture.mode == "RGB"
        outcome = "read"
    assert time.thread_time() - begun_s < MOST_S
    return outcome


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_read_or_refused(name: str) -> None:
    read(BOMBS[name])


def test_of_broken_pictures_nothing_comes_to_standard_error() -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from io import BytesIO; from picture_mutations import mutated\n"
        "from dirdet.errors import PictureError; from dirdet.pictures.reading import read_picture, silence_parsers\n"
        "silence_parsers()\n"
        "for number in range(1, 300):\n"
        "    name, data = mutated(number)\n"
        "    if 'bomb' not in name:\n"
        "        try: read_picture(BytesIO(data))\n"
        "        except PictureError: pass\n"
    )
    command = [sys.executable, "-c", script, str(Path(__file__).parents[2] / "support")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow's remarks on broken metadata
def test_mutated_pictures_are_read_or_refused() -> None:
    for data in BOMBS.values():
        read(data)
    before_mib = resident_mib()
    outcomes: dict[str, int] = {}
    for number in range(PICTURES):
        name, data = mutated(number)
        try:
            outcome = read(data)
        except Exception as exc:
            raise AssertionError(name) from exc
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        if number % SHOW_EVERY == 0:
            print(f"{number}: {resident_mib()} MiB, {outcomes}")
    assert outcomes["read"] > PICTURES / 10
    assert outcomes["BrokenPictureError"] > PICTURES / 10
    assert resident_mib() - before_mib < MOST_GROWTH_MIB
