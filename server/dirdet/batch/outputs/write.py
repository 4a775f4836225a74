"""Writes what is asked for after a job, one format after the other, and outputs.json, which tells of each."""

import errno
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from dirdet.batch.errors import JobStoppedError
from dirdet.batch.expression import written_out
from dirdet.batch.job import Job
from dirdet.batch.outputs.annotated import FOLDER, write_annotated
from dirdet.batch.outputs.ask import Format, Of, OutputsAsk
from dirdet.batch.outputs.coco import write_coco, write_coco_results, write_fiftyone
from dirdet.batch.outputs.context import Context, Written
from dirdet.batch.outputs.label_studio import write_label_studio
from dirdet.batch.outputs.table import write_csv
from dirdet.batch.outputs.voc import write_voc
from dirdet.batch.outputs.yolo import write_yolo
from dirdet.files import write_whole
from dirdet.options import Described

OUTPUTS = "outputs.json"
# Where a format is, and what writes it.
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
    "kept": ", of what is kept",
    "sure": ", of what is kept where nothing is to be reviewed",
    "review": ", of what is kept and to be reviewed where something is",
}
PLACES = (*(place for place, _ in WRITERS.values()), FOLDER, OUTPUTS)
_UNFINISHED = re.compile(rf"\.(?:{'|'.join(map(re.escape, PLACES))})(?:\.old)?\.\d+")


def write_outputs(folder: Path, job: Job, manifest: Described, ask: OutputsAsk) -> dict[str, Written]:
    """Writes every format that is asked for anew; what each was written of, by where it is.

    Args:
        folder: of the results; nobody else writes there meanwhile.
        job: finished.
        manifest: of its detector.
        ask: what is asked for.

    Raises:
        JobStoppedError: the disk is full.
        DirdetError: a format cannot be written as it is asked for.
    """
    _sweep(folder)
    context = Context(folder, job, manifest, ask)
    done: dict[str, Written] = {}
    try:
        for name in ask.formats:
            place, write = WRITERS[name]
            _announce(place, ask)
            done[place] = write(context, ask.of_format(name))
            _tell(folder, place, done[place], ask)
        if ask.annotate is not None:
            _announce(FOLDER, ask)
            done[FOLDER] = write_annotated(context, ask.annotate)
            _tell(folder, FOLDER, done[FOLDER], ask)
    except OSError as exc:
        if exc.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise JobStoppedError(
            f"{folder}: the disk is full; the detections are done and kept; formats: {', '.join(done) or 'none'}. "
            "Make room, then give the same command again"
        ) from exc
    return done


def told(folder: Path, done: dict[str, Written]) -> list[str]:
    """A line for each format, for people."""
    lines: list[str] = []
    for place, written in done.items():
        lines.append(f"{folder / place}: {written.boxes} boxes in {written.pictures} pictures{OF_WORDS[written.of]}")
        if written.lost is not None:
            lines.append(f"  without {written.losses} that could not be read any more, the first {written.lost}")
    return lines


def _announce(place: str, ask: OutputsAsk) -> None:
    if not ask.quiet:
        click.echo(f"writing {place}", err=True)


def _tell(folder: Path, place: str, written: Written, ask: OutputsAsk) -> None:
    """Adds to outputs.json, so that later on it can be seen what a format was written of."""
    path = folder / OUTPUTS
    try:
        entries: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        entries = {}
    conditions = {"keep": ask.keep, "review": ask.review}
    shown = (
        {}
        if written.of == "all"
        else {name: None if each is None else written_out(each) for name, each in conditions.items()}
    )
    entries[place] = asdict(written) | {"score": ask.score} | shown
    write_whole(path, lambda file: file.write(json.dumps(entries, indent=1).encode() + b"\n"))


def _sweep(folder: Path) -> None:
    """Removes what a killed run left half-written."""
    for each in folder.iterdir():
        if _UNFINISHED.fullmatch(each.name):
            if each.is_dir():
                shutil.rmtree(each, ignore_errors=True)
            else:
                each.unlink(missing_ok=True)
