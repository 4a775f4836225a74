"""`dirdet batch --to`: after the job, of a finished one, refused early, killed and given again."""

import re
import shlex
import signal
from pathlib import Path

import pytest
from jobs import Run, spawn
from PIL import Image

from dirdet.bundle.bundle import Manifest
from dirdet.commands.batch import command
from dirdet.commands.batch_output_options import OutputFlags
from dirdet.errors import ParameterError

# Kills the process while the n-th file of a data set is written, or between the two renames of its folder.
KILLED_WRITING = """
import os, signal
from pathlib import Path
plain, calls = Path.open, [0]
def killing(path, mode="r", *rest, **named):
    if ".yolo." in str(path) and mode == "xb":
        calls[0] += 1
        if calls[0] == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    return plain(path, mode, *rest, **named)
Path.open = killing
"""
KILLED_RENAMING = """
import os, signal
from pathlib import Path
plain = Path.rename
def killing(path, target):
    if Path(target).name == "yolo":
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(path, target)
Path.rename = killing
"""
FULL_DISK = """
import errno
from pathlib import Path
plain = Path.open
def full(path, mode="r", *rest, **named):
    if ".yolo." in str(path) and mode == "xb":
        raise OSError(errno.ENOSPC, "No space left on device", str(path))
    return plain(path, mode, *rest, **named)
Path.open = full
"""
INTERRUPTED = FULL_DISK.replace(
    'raise OSError(errno.ENOSPC, "No space left on device", str(path))',
    "import os, signal, time; os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)",
)


@pytest.fixture(scope="module")
def few(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    for name in ("chelsea.png", "coffee.png", "rocket.jpg"):
        with Image.open(photographs / name) as picture:
            picture.resize((200, 150)).save(folder / name)
    return folder


DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "batch.md"


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_a_finished_job_is_written_in_another_format(run: Run, few: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run(few, "--out", out, "--to", "coco", "--to", "coco", "--annotate", 1)
    assert first.exit_code == 0, first.output
    assert f"{out / 'coco'}: " in first.stdout
    assert first.stdout.count(" box in ") == 2
    assert len(list((out / "annotated").iterdir())) == 1
    again = run(few, "--out", out, "--to", "yolo", "--keep", "score>=0.4")
    assert "already finished" in again.stdout
    assert ", kept" in again.stdout
    assert {"coco/labels.json", "yolo/data.yaml", "yolo/labels/coffee.txt", "yolo/images/coffee.png"} <= below(out)


def test_what_could_not_be_written_is_refused_before_the_job(
    run: Run, few: Path, tmp_path: Path, manifest: Manifest
) -> None:
    out = tmp_path / "out"
    for arguments, words in [
        (["--to", "yolo", "--of", "kept"], "kept needs --keep CONDITION"),
        (["--to", "yolo", "--of", "sure", "--keep", "score>0"], "sure needs --review CONDITION"),
        (["--annotate", "0"], "a number of at least 1"),
        (["--annotate", "everything"], "unknown column 'everything'"),
    ]:
        with pytest.raises(ParameterError, match=words):
            run(few, "--out", out, *arguments)
    assert run(few, "--out", out, "--to", "pascal").exit_code == 2
    assert not out.exists()
    plain = manifest.model_copy(update={"localization_confidence": None})
    for options, words in [
        (OutputFlags(as_score="iou"), "does not report iou"),
        (OutputFlags(annotate="iou>0.5"), "does not report iou"),
    ]:
        with pytest.raises(ParameterError, match=words):
            options.checked(plain, keep=None, review=None, seed=0, workers=1, quiet=True)


def test_what_is_killed_leaves_nothing_half_written_and_is_done_again(run: Run, few: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(few, "--out", out, "--to", "yolo")
    before = below(out / "yolo")
    for fault in (KILLED_WRITING, KILLED_RENAMING):
        killed = spawn(few, "--out", out, "--to", "yolo", before=fault)
        killed.communicate(timeout=120)
        assert killed.returncode == -signal.SIGKILL
        assert not (out / "yolo").exists() or below(out / "yolo") == before
        assert list(out.glob(".yolo*"))
        run(few, "--out", out, "--to", "yolo")
        assert below(out / "yolo") == before
        assert not list(out.glob(".yolo*"))


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        pytest.param(FULL_DISK, 1, "the disk is full; the detections are done and kept; formats: coco", id="full disk"),
        pytest.param(INTERRUPTED, 143, "stopped; all detections are done and kept", id="SIGTERM"),
    ],
)
def test_what_is_stopped_says_so(few: Path, tmp_path: Path, fault: str, status: int, words: str) -> None:
    out = tmp_path / "out"
    stopped = spawn(few, "--out", out, "--to", "coco", "--to", "yolo", before=fault)
    _, told = stopped.communicate(timeout=120)
    assert stopped.returncode == status, told
    assert words in told
    assert "Traceback" not in told
    assert (out / "coco" / "labels.json").is_file()
    assert not (out / "yolo").exists()
    assert not list(out.glob(".yolo*"))


def test_the_document_has_no_option_that_there_is_not() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    lines = re.findall(r"^\$ dirdet batch (.+)$", text, re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        command.make_context("batch", shlex.split(line))
    known = {name for parameter in command.params for name in parameter.opts}
    named = set(re.findall(r"`(--[a-z-]+)", text))
    assert {"--to", "--of", "--as-score", "--media", "--yolo-confidence", "--annotate"} <= named & known
