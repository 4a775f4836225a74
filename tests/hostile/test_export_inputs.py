"""What export is given beside a checkpoint: no pipe holds it up, and no claim of a size takes memory."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from hostile_files import GIB, sparse

from dirdet_export.commands.export import command
from dirdet_export.errors import ExportError
from dirdet_export.parity.pictures import load_pictures


def test_a_pipe_among_the_pictures_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ExportError, match="named pipe"):
        load_pictures([tmp_path])


@pytest.mark.parametrize("kind", ["pipe", "hole", "deep"])
def test_figures_are_bounded(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "quality.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "hole":
        sparse(path, size=3 * GIB)
    else:
        path.write_text("[" * 100_000)
    told = CliRunner().invoke(command, ["x.py", "x.pth", "--out", str(tmp_path / "out"), "--quality", str(path)])
    assert "cannot be read as JSON" in f"{told.exception} {told.output}"
