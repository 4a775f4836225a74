"""A TIFF of 400 megapixels is detected in parts: its pixels are never in memory together."""

from pathlib import Path
from typing import Any

import pytest
import tifffile
from measured import measured

SIDE = 20_000
PIXELS_MIB = 3 * SIDE**2 / 2**20
DETECT = """
import sys
from dirdet.cli import cli
cli(["detect", sys.argv[2], "--tiles", "20000x10000:0", "--json", "--detector", sys.argv[1]])
"""


@pytest.mark.parametrize("how", [{"tile": (256, 256)}, {"rowsperstrip": 64}], ids=["tiles", "strips"])
def test_400_megapixels_take_less_memory_than_their_pixels(
    how: dict[str, Any], bundle_folder: Path, tmp_path: Path
) -> None:
    """The file has holes in place of its black pixels, so that it takes no disk."""
    path = tmp_path / "huge.tif"
    tifffile.imwrite(path, shape=(SIDE, SIDE, 3), dtype="uint8", photometric="rgb", **how)
    assert path.stat().st_size > 3 * SIDE**2
    done = measured(DETECT, bundle_folder, path, within_s=240)
    assert done.status == 0, done.stderr
    assert done.peak_mib < PIXELS_MIB
