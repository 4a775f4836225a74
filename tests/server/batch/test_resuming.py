"""A job that is stopped in any way goes on, and ends with the results of one that was not."""

import json
import os
import signal
from pathlib import Path

import pytest
from jobs import MANY, PART, Run, contents, job_arguments, rows, signalled, spawn
from waiting import PATIENCE_S, until

from dirdet.batch.errors import OutputError

PARTS = -(-MANY // PART)
# The process sends itself a signal at the n-th call: before a write is half done, or at a rename.
KILLED_WRITING = """
import io, os, signal
from pathlib import Path
plain, calls = Path.open, [0]
def half(path, mode="r", *rest, **named):
    file = plain(path, mode, *rest, **named)
    if mode == "xb" and {name!r} in path.name:
        calls[0] += 1
        if calls[0] == {call}:
            class Half:
                def write(self, data):
                    file.write(data[: len(data) // 2]); file.flush()
                    os.kill(os.getpid(), signal.SIGKILL)
                def __enter__(self): return self
                def __exit__(self, *_): return None
            return Half()
    return file
Path.open = half
"""
KILLED_LOGGING = """
import os, signal
from dirdet.batch import part_log
plain, calls = part_log.open_appending, [0]
def torn(path):
    file = plain(path)
    class Torn:
        fileno, close = file.fileno, file.close
        def write(self, data):
            calls[0] += 1
            if calls[0] == 3:
                file.write(data[: len(data) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return file.write(data)
    return Torn()
part_log.open_appending = torn
"""
FULL_DISK = """
import errno
from pathlib import Path
plain, calls = Path.open, [0]
def full(path, mode="r", *rest, **named):
    file = plain(path, mode, *rest, **named)
    if mode == "xb" and "part-" in path.name:
        calls[0] += 1
        if calls[0] == 4:
            file.write(b"PAR1")
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
    return file
Path.open = full
"""


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(KILLED_WRITING.format(name="part-000001", call=1), id="writing detections"),
        pytest.param(KILLED_WRITING.format(name="part-000003", call=2), id="writing pictures"),
        pytest.param(signalled(signal.SIGKILL, "job.json", after=False), id="before the first job.json"),
        pytest.param(signalled(signal.SIGKILL, "job.json"), id="after the first job.json"),
        pytest.param(KILLED_LOGGING, id="adding to parts.jsonl"),
        pytest.param(signalled(signal.SIGKILL, "job.json", call=2, after=False), id="before the last job.json"),
        pytest.param(signalled(signal.SIGKILL, "errors.parquet", after=False), id="at the end"),
    ],
)
def test_a_job_killed_while_it_writes_goes_on(
    run: Run, many: Path, uninterrupted: Path, tmp_path: Path, fault: str
) -> None:
    out = tmp_path / "out"
    killed = spawn(*job_arguments(many, out), before=fault)
    killed.communicate(timeout=PATIENCE_S)
    assert killed.returncode == -signal.SIGKILL
    again = run(*job_arguments(many, out))
    assert again.exit_code == 3, again.output
    assert contents(out) == contents(uninterrupted)


def test_a_job_killed_at_some_moment_goes_on(run: Run, many: Path, uninterrupted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    killed = spawn(*job_arguments(many, out))
    until((out / "detections" / "part-000001.parquet").exists)
    killed.kill()
    killed.communicate(timeout=PATIENCE_S)
    run(*job_arguments(many, out))
    assert contents(out) == contents(uninterrupted)


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_keeps_whole_parts_and_says_how_to_go_on(
    run: Run, many: Path, uninterrupted: Path, tmp_path: Path, sent: signal.Signals, status: int
) -> None:
    out = tmp_path / "out"
    at_a_part = signalled(sent, "part-000001.parquet")
    stopped = spawn(*job_arguments(many, out), before=at_a_part)
    _, told = stopped.communicate(timeout=PATIENCE_S)
    assert stopped.returncode == status
    assert f"of {MANY:,} pictures done and kept, the same command continues from there" in told
    assert "Traceback" not in told
    run(*job_arguments(many, out))
    assert contents(out) == contents(uninterrupted)


def test_a_full_disk_stops_the_job_and_nothing_is_broken(
    run: Run, many: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    stopped = spawn(*job_arguments(many, out), before=FULL_DISK)
    _, told = stopped.communicate(timeout=PATIENCE_S)
    assert stopped.returncode == 1
    assert f"the disk is full; {PART:,} pictures done and kept. Make room, then the same command" in told
    assert "Traceback" not in told
    assert len(rows(out, "pictures")) == PART
    run(*job_arguments(many, out))
    assert contents(out) == contents(uninterrupted)


def test_every_picture_is_there_once_and_in_order(uninterrupted: Path) -> None:
    told = rows(uninterrupted, "pictures")
    assert [row["position"] for row in told] == list(range(MANY))
    assert len({row["picture"] for row in told}) == MANY
    counts = {row["position"]: row["count"] for row in told if row["error"] is None}
    found = [row["position"] for row in rows(uninterrupted, "detections")]
    assert found == [position for position, count in counts.items() for _ in range(count)]
    assert found


def test_a_finished_job_is_not_done_again(run: Run, many: Path, uninterrupted: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (uninterrupted / "pictures").iterdir()}
    result = run(*job_arguments(many, uninterrupted))
    assert result.exit_code == 3
    assert "already finished" in result.stdout
    assert {path: path.stat().st_mtime_ns for path in (uninterrupted / "pictures").iterdir()} == before


def test_a_part_that_was_changed_or_lost_is_computed_again(
    run: Run, many: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run(*job_arguments(many, out))
    (out / "detections" / "part-000001.parquet").write_bytes(b"changed")
    (out / "pictures" / "part-000003.parquet").unlink()
    (out / "errors.parquet").unlink()
    result = run(*job_arguments(many, out))
    assert "part 1, 3 was changed or missing and was computed again" in result.stdout
    assert contents(out) == contents(uninterrupted)


@pytest.mark.parametrize(
    ("more", "difference"),
    [
        (["--min-iou", 0.5], "settings.min_iou: was none, is 0.5"),
        (["--limit", 5], "source.limit: was none, is 5"),
        (["--part", 9], f"part_pictures: was {PART}, is 9"),
        (["--classes", "bird"], "settings.class_ids: was none, is [0]"),
    ],
)
def test_another_job_is_refused_by_its_difference(
    run: Run, many: Path, uninterrupted: Path, more: list[object], difference: str
) -> None:
    before = contents(uninterrupted)
    with pytest.raises(OutputError) as refused:
        run(*job_arguments(many, uninterrupted), *more)
    assert difference in str(refused.value)
    assert contents(uninterrupted) == before


def test_a_source_that_changed_is_refused_by_the_first_difference(run: Run, tmp_path: Path, many: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    for path in sorted((many / "roll 1").iterdir())[:3]:
        (source / path.name).write_bytes(path.read_bytes())
    run(source, "--out", out)
    (source / "02.png").write_bytes((source / "01.png").read_bytes())
    with pytest.raises(OutputError, match=r"the first that differs: picture 2 was 03\.png .* and is 02\.png"):
        run(source, "--out", out)


def test_other_files_in_the_folder_are_refused(run: Run, many: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_bytes(b"")
    with pytest.raises(OutputError, match=r"holds thesis\.docx and no job\.json"):
        run(many, "--out", tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.docx"]


def test_a_line_of_the_log_that_cannot_be_read_costs_its_part(
    run: Run, many: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run(*job_arguments(many, out))
    lines = (out / "parts.jsonl").read_bytes().splitlines(keepends=True)
    lines[1] = b"\0" * (len(lines[1]) - 1) + b"\n"
    (out / "parts.jsonl").write_bytes(b"".join(lines)[:-20])
    before = {path.name: path.stat().st_mtime_ns for path in (out / "pictures").iterdir()}
    result = run(*job_arguments(many, out))
    assert f"part 1, {PARTS - 1} was changed or missing" in result.stdout
    after = {path.name: path.stat().st_mtime_ns for path in (out / "pictures").iterdir()}
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"part-000001.parquet", f"part-{PARTS - 1:06d}.parquet"}
    assert contents(out) == contents(uninterrupted)


def test_a_job_of_an_earlier_job_json_goes_on(run: Run, many: Path, uninterrupted: Path, tmp_path: Path) -> None:
    """Its parts stood in job.json itself."""
    out = tmp_path / "out"
    run(*job_arguments(many, out))
    told = json.loads((out / "job.json").read_text())
    parts = [json.loads(line) for line in (out / "parts.jsonl").read_text().splitlines()]
    (out / "job.json").write_text(json.dumps(told | {"schema_version": 1, "finished": False, "parts": parts[:-1]}))
    (out / "parts.jsonl").unlink()
    before = (out / "pictures" / "part-000000.parquet").stat().st_mtime_ns
    run(*job_arguments(many, out))
    assert (out / "pictures" / "part-000000.parquet").stat().st_mtime_ns == before
    assert contents(out) == contents(uninterrupted)


def test_two_jobs_do_not_write_into_one_folder(run: Run, many: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = spawn(*job_arguments(many, out), before=signalled(signal.SIGSTOP, "job.json"))
    try:
        until((out / "job.json").exists)
        with pytest.raises(OutputError, match="another job is writing"):
            run(*job_arguments(many, out))
    finally:
        os.kill(first.pid, signal.SIGCONT)
        first.kill()
        first.communicate(timeout=PATIENCE_S)


def test_a_job_goes_on_from_another_folder(
    run: Run, many: Path, uninterrupted: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    monkeypatch.chdir(many.parent)
    stopped = spawn(*job_arguments(Path(many.name), out))
    until((out / "detections" / "part-000000.parquet").exists)
    stopped.kill()
    stopped.communicate(timeout=PATIENCE_S)
    monkeypatch.chdir(tmp_path)
    run(*job_arguments(many, out))
    assert {key: value for key, value in contents(out).items() if key != "job.json"} == {
        key: value for key, value in contents(uninterrupted).items() if key != "job.json"
    }
