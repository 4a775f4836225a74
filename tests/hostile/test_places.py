"""What is written: nowhere else than it should be, and as nothing that others would run."""

import csv
import io
import logging
import os
import subprocess
import sys
from pathlib import Path
from queue import SimpleQueue

import pytest

from dirdet.batch.output_folder import Output
from dirdet.batch.part_log import PartLog
from dirdet.batch.progress import Progress
from dirdet.bundle.bundle import MODEL_CARD, Bundle
from dirdet.bundle.copying import copy_with
from dirdet.bundle.shipped import open_bundle
from dirdet.cli import main
from dirdet.convert import to_csv
from dirdet.convert.image_result import ImageResult
from dirdet.engines.triton.shared_owner import sweep
from dirdet.errors import BundleError, UnreadableError
from dirdet.files import finished_name, whole_folder, write_whole
from dirdet.gateway.telemetry.log_format import configure_logging
from dirdet.terminal import visible_output
from dirdet.untrusted_text import cell, portable, visible


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("secret")
    return path


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """The shipped one, in a folder that can be added to."""
    shipped = open_bundle(None)
    copy_with(shipped, shipped.manifest, tmp_path / "bundle")
    return Bundle.open(tmp_path / "bundle")


def test_what_lies_beside_a_bundles_files_is_not_copied(bundle: Bundle, secret: Path, tmp_path: Path) -> None:
    (bundle.folder / "notes.txt").symlink_to(secret)
    (bundle.folder / "more.onnx").write_text("more")
    os.mkfifo(bundle.folder / "pipe")
    copy_with(bundle, bundle.manifest, tmp_path / "copy")
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {"bundle.json", *bundle.manifest.files}


def test_a_link_among_a_bundles_files_is_not_copied(bundle: Bundle, tmp_path: Path) -> None:
    name = MODEL_CARD if MODEL_CARD in bundle.manifest.files else next(iter(bundle.manifest.files))
    (bundle.folder / name).rename(tmp_path / "elsewhere")
    (bundle.folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match=f"{name} is a symbolic link"):
        copy_with(Bundle.open(bundle.folder), bundle.manifest, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("name", ["..\\..\\evil.onnx", "C:evil.onnx", "CON", "evil.onnx.", "a.onnx:stream"])
def test_a_bundle_names_no_file_that_leaves_it_on_windows(bundle: Bundle, name: str) -> None:
    text = (bundle.folder / "bundle.json").read_text()
    first = next(iter(bundle.manifest.files))
    (bundle.folder / first).rename(bundle.folder / name)
    (bundle.folder / "bundle.json").write_text(text.replace(f'"{first}"', f'"{name}"'.replace("\\", "\\\\")))
    with pytest.raises(BundleError, match="leaves the bundle"):
        Bundle.open(bundle.folder)


def test_a_bundle_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "bundle.json")
    with pytest.raises(BundleError, match="named pipe"):
        Bundle.open(tmp_path)


@pytest.mark.parametrize(
    "name", ["CON", "con.png", "LPT1.tar.gz", "nul ", "a.", "a b. .", "a\\b", "a:b", "a\0b", "..", "."]
)
def test_names_become_names_on_every_platform(name: str) -> None:
    made = portable(name)
    assert made != name
    assert portable(made) == made
    assert not set(made) & set('<>:"/\\|?*\0')
    assert not made.endswith((".", " "))


def test_a_link_in_the_place_of_a_part_is_not_followed(secret: Path, tmp_path: Path) -> None:
    """Names by the number of the process could be guessed, and lead elsewhere."""
    folder = tmp_path / "out"
    folder.mkdir()
    for name in (f".a.json.{os.getpid()}", ".lock"):
        (folder / name).symlink_to(secret)
    seen: list[str] = []

    def fill(file: io.BufferedIOBase) -> None:
        seen.extend(path.name for path in folder.iterdir() if finished_name(path.name) == "a.json")
        file.write(b"{}")

    write_whole(folder / "a.json", fill)  # pyright: ignore[reportArgumentType]
    assert len(seen) == 1
    assert (folder / "a.json").read_bytes() == b"{}"
    assert (folder / "a.json").stat().st_mode & 0o777 == 0o666 & ~_umask()
    with pytest.raises(OSError, match="symbolic link"), Output(folder).locked():
        pass
    with whole_folder(folder / "b") as made:
        (made / "x").touch()
    assert sorted(path.name for path in folder.iterdir() if not path.is_symlink()) == ["a.json", "b"]
    assert secret.read_text() == "secret"


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


def test_the_sweep_of_shared_memory_removes_nothing_else(secret: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shm"
    folder.mkdir()
    os.mkfifo(folder / "dirdet_1-00000001.lock")
    (folder / "dirdet_2-00000002.lock").symlink_to(secret)
    for name in (
        "dirdet_*.lock", "dirdet_3-xyz.lock", "dirdet_[a-z]-00000000.lock", "dirdet_4-00000004.lock.lock",
        "dirdet_5-00000005_data", "other_64_00000000",
    ):  # fmt: skip
        (folder / name).touch()
    (folder / "dirdet_5-00000005.lock").touch()
    (folder / "dirdet_5-00000005_64_0000000a").touch()
    (folder / "dirdet_5-00000005_64_0000000b").symlink_to(secret)
    before = {path.name for path in folder.iterdir()}
    assert sweep(folder) == ["dirdet_5-00000005_64_0000000a"]
    gone = {"dirdet_5-00000005.lock", "dirdet_5-00000005_64_0000000a"}
    assert {path.name for path in folder.iterdir()} == before - gone
    assert secret.read_text() == "secret"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_sweep_leaves_what_others_own(tmp_path: Path) -> None:
    for name in ("dirdet_5-00000005.lock", "dirdet_5-00000005_64_0000000a"):
        (tmp_path / name).touch()
        os.chown(tmp_path / name, 12345, 12345)
    assert sweep(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1+1", "-1+cmd", "@SUM(1)", "\t=1", "\r=1", "\uff1d1"])
def test_no_cell_of_a_table_is_a_formula(name: str) -> None:
    file = io.StringIO(newline="")
    broken = ImageResult(name, 0, 0, (), error=UnreadableError("=1+1"))
    to_csv([broken], file)
    row = next(csv.DictReader(io.StringIO(file.getvalue(), newline="")))
    assert (row["name"], row["error"]) == (f"'{name}", "'=1+1")


@pytest.mark.parametrize("text", ["-1.5", "+3", "a=b", "", "1-2"])
def test_other_cells_stay(text: str) -> None:
    assert cell(text) == text


def test_names_do_not_steer_the_terminal(tmp_path: Path) -> None:
    name = "a\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.png"
    (tmp_path / name).write_text("no picture")
    (tmp_path / "cut\rdirdet: fine.png").write_text("no picture")
    code = "from dirdet.cli import main; import sys; main(sys.argv[1:])"
    for more in ([], ["--json"]):
        ended = subprocess.run(
            [sys.executable, "-c", code, "detect", str(tmp_path), *more], capture_output=True, text=False, check=False
        )
        told = (ended.stdout + ended.stderr).decode()
        assert "owned" in told
        assert not set(told) & {"\x1b", "\x07", "\x9b", "\u202e", "\r"}


def test_a_reader_that_goes_away_is_no_error() -> None:
    code = "from dirdet.cli import main; import sys; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "detect", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_progress_is_still_shown() -> None:
    for text in ("\r\x1b[?25l 3/10", "\r\x1b[?25l     \r\x1b[?25l 3/10", "\x1b[?25h\n", "\rnext\r\n"):
        assert visible(text) == text
    assert visible("\x1b[31mred") == "\\u001b[31mred"
    assert visible("name\r\x1b[?25ldirdet: fine") == "name\\u000d\\u001b[?25ldirdet: fine"


def test_a_note_is_shown_in_the_bars_place(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    notes: SimpleQueue[str] = SimpleQueue()
    notes.put("a\nb")
    with visible_output():
        Progress(10, before=0).note(notes)
    assert capsys.readouterr().err.rpartition("\r")[2] == "dirdet: a\\u000ab\n"


NAMES = ["a\ndirdet: all is well", "a\r\x1b[?25hdirdet: all is well", "a\u2028dirdet: all is well\x1b[2J"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", ["batch", "quality", "serve", "annotations check"])
def test_no_error_writes_a_line_of_anothers(
    tmp_path: Path, name: str, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Names of files, as a shell puts them in place of a star."""
    path = str(tmp_path / name)
    Path(path).write_text("{}")
    arguments = {
        "batch": [path, "--out", path],
        "quality": [path, "--ann", path],
        "serve": ["--detector", path, "--port", "0"],
    }
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), *arguments.get(command, [path])])
    assert ended.value.code in (1, 2)
    told = "".join(capfd.readouterr())
    assert "all is well" in told
    assert not [line for line in told.splitlines() if line.startswith("dirdet: all")]
    assert not set(told) & {"\x1b", "\r", "\u2028"}


def test_no_line_of_the_log_is_anothers() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "reloaded %s", ("a\n2026 INFO all is well",), None)
    handlers = logging.getLogger().handlers[:]
    logging.getLogger().handlers.clear()
    try:
        configure_logging("text")
        [handler] = logging.getLogger().handlers
        assert "\n" not in handler.format(record)
    finally:
        logging.getLogger().handlers[:] = handlers


def test_a_name_tells_no_second_line(tmp_path: Path) -> None:
    (tmp_path / "a\ndirdet: all is well.png").write_text("no picture")
    code = "from dirdet.cli import main; import sys; main(sys.argv[1:])"
    ended = subprocess.run(
        [sys.executable, "-c", code, "detect", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert [line for line in ended.stderr.splitlines() if line.startswith("dirdet: all")] == []
    assert "a\\u000adirdet: all is well.png" in ended.stderr


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_log_of_parts_is_added_to_where_it_is(secret: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "parts.jsonl"
    if kind == "link":
        path.symlink_to(secret)
    else:
        os.mkfifo(path)
    with pytest.raises(OSError, match=r"symbolic link|No such device"):
        PartLog(path)
    assert secret.read_text() == "secret"
