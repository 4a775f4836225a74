"""Writes the requested outputs after a job, one format after the other, and records each in outputs.json."""

import errno
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from dirdet.batch.errors import JobStoppedError
from dirdet.batch.job_record import Job
from dirdet.batch.outputs.annotated import FOLDER, write_annotated
from dirdet.batch.outputs.coco import write_coco, write_coco_results, write_fiftyone
from dirdet.batch.outputs.context import Context, Written
from dirdet.batch.outputs.label_studio import write_label_studio
from dirdet.batch.outputs.request import Format, Of, OutputsRequest
from dirdet.batch.outputs.table import write_csv
from dirdet.batch.outputs.voc import write_voc
from dirdet.batch.outputs.yolo import write_yolo
from dirdet.detector.options import Described
from dirdet.errors import counted
from dirdet.files import finished_name, write_whole

OUTPUTS = "outputs.json"
# Path and writer of each format.
WRITERS: dict[Format, tuple[str, Callable[[Context, Of], Written]]] = {
    "coco": ("coco", write_coco),
    "coco-results": ("coco-results.json", write_coco_results),
    "csv": ("detections.csv", write_csv),
    "fiftyone": ("fiftyone", write_fiftyone),
    "label-studio": ("label-studio", write_label_studio),
    "voc": ("voc", write_voc),
    "yolo": ("yolo", write_yolo),
}
OF_WORDS: dict[Of, str] = {
    "all": "",
    "kept": ", kept",
    "sure": ", kept, in pictures with nothing to review",
    "review": ", kept and to review, in pictures with something to review",
}
PLACES = (*(place for place, _ in WRITERS.values()), FOLDER, OUTPUTS)


def write_outputs(folder: Path, job: Job, manifest: Described, request: OutputsRequest) -> dict[str, Written]:
    """Writes every requested format again; returns the counts of each, by its path.

    Args:
        folder: of the results; no other process may write there meanwhile.
        job: finished.
        manifest: of its detector.
        request: the outputs.

    Raises:
        JobStoppedError: the disk is full.
        DirdetError: a format cannot be written with these options.
    """
    _sweep(folder)
    context = Context(folder, job, manifest, request)
    done: dict[str, Written] = {}
    try:
        for name in request.formats:
            place, write = WRITERS[name]
            _announce(place, request)
            done[place] = write(context, request.of_format(name))
            _record(context, place, done[place])
        if request.annotate is not None:
            _announce(FOLDER, request)
            done[FOLDER] = write_annotated(context, request.annotate)
            _record(context, FOLDER, done[FOLDER])
    except OSError as exc:
        if exc.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise JobStoppedError(
            f"{folder}: the disk is full; the detections are done and kept; formats: {', '.join(done) or 'none'}. "
            "Make room, then run the same command again"
        ) from exc
    return done


def stale_lines(folder: Path, job: Job, request: OutputsRequest, done: dict[str, Written]) -> list[str]:
    """One line for each format in the folder from an earlier run with other conditions or other detections."""
    now, lines = _conditions(request), list[str]()
    for place, before in _recorded(folder).items():
        if place in done or not (folder / place).exists():
            continue
        differing = [key for key in now if key in before and before[key] != now[key]]
        words = [f"--{key} {before[key]}" if before[key] else f"no --{key}" for key in differing]
        if before.get("detections_sha256", each := _detections_sha256(job)) != each:
            words.append("other detections")
        if words:
            lines.append(f"warning: {folder / place} is of an earlier run, with {' and '.join(words)}")
    return lines


def summary_lines(folder: Path, done: dict[str, Written]) -> list[str]:
    """One line for each format, for the user."""
    lines: list[str] = []
    for place, written in done.items():
        number = f"{counted(written.boxes, 'box')} in {counted(written.pictures, 'picture')}"
        lines.append(f"{folder / place}: {number}{OF_WORDS[written.of]}")
        if written.of == "sure" and not written.pictures:
            lines.append("  every picture has something to review; --of kept also takes what is kept in those")
        if written.lost is not None:
            lines.append(f"  without {written.losses} that can no longer be read, the first {written.lost}")
    return lines


def _announce(place: str, request: OutputsRequest) -> None:
    if not request.quiet:
        click.echo(f"writing {place}", err=True)


def _record(context: Context, place: str, written: Written) -> None:
    """Records in outputs.json the selection, counts and source of a format."""
    path = context.folder / OUTPUTS
    entries = _recorded(context.folder)
    of = {"score": context.request.score, "detections_sha256": _detections_sha256(context.job)}
    entries[place] = asdict(written) | of | ({} if written.of == "all" else _conditions(context.request))
    write_whole(path, lambda file: file.write(json.dumps(entries, indent=1).encode() + b"\n"))


def _conditions(request: OutputsRequest) -> dict[str, str | None]:
    conditions = {"keep": request.keep, "review": request.review}
    return {name: None if each is None else each.text for name, each in conditions.items()}


def _detections_sha256(job: Job) -> str:
    hashes = sorted(each for part in job.parts for each in part.sha256.items())
    return hashlib.sha256(repr(hashes).encode()).hexdigest()


def _recorded(folder: Path) -> dict[str, Any]:
    """The entries of outputs.json by path."""
    try:
        return json.loads((folder / OUTPUTS).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def _sweep(folder: Path) -> None:
    """Removes the unfinished files of a killed run."""
    for each in folder.iterdir():
        if finished_name(each.name) in PLACES:
            if each.is_dir():
                shutil.rmtree(each, ignore_errors=True)
            else:
                each.unlink(missing_ok=True)
