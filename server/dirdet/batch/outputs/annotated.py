"""Annotated pictures: draws a job's detections on selected pictures."""

import random
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import PurePosixPath

from dirdet.batch.job_record import Job
from dirdet.batch.outputs.context import Context, Written
from dirdet.batch.outputs.places import claim, create, with_suffix
from dirdet.batch.outputs.request import Annotate
from dirdet.batch.outputs.results import JobPicture, pictures_of
from dirdet.batch.reading import HUGE_PIXELS
from dirdet.detection.draw import draw_detections, encode
from dirdet.errors import BrokenPictureError, PictureError
from dirdet.files import whole_folder
from dirdet.pictures.formats import JPEG, PNG, PictureFormat
from dirdet.pictures.reading import read_picture

# libjpeg's limit for a side of a JPEG.
JPEG_SIDE = 65_500
FOLDER = "annotated"


def write_annotated(context: Context, annotate: Annotate) -> Written:
    """Writes `annotated/`, named after the pictures, with all detections of each picture.

    Holds at most two pictures for each thread, and one picture above 16 megapixels.
    """
    written = Written("all")
    huge = threading.Lock()
    with (
        whole_folder(context.folder / FOLDER) as folder,
        ThreadPoolExecutor(context.request.workers, "draw") as threads,
    ):
        drawing: deque[tuple[JobPicture, Future[tuple[PictureFormat, bytes]]]] = deque()

        def save() -> None:
            each, drawn = drawing.popleft()
            try:
                written_as, data = drawn.result()
            except PictureError as exc:
                written.lose(each, exc)
                return
            claim(each.result.name, each.position, lambda place: create(folder / _named(place, written_as), data))
            written.add(each)

        for each in wanted(context, annotate):
            drawing.append((each, threads.submit(_draw, each, huge)))
            if len(drawing) == 2 * context.request.workers:
                save()
        while drawing:
            save()
    return written


def wanted(context: Context, annotate: Annotate) -> Iterator[JobPicture]:
    """The selected pictures, in the job's order."""
    if annotate.condition is not None:
        plain = replace(context, request=replace(context.request, of=None, keep=annotate.condition, review=None))
        yield from (each for each in plain.everything() if each.kept)
    elif annotate.number is None:
        yield from context.pictures("all")
    else:
        places = _drawn(context.job, annotate.number, annotate.seed)
        found = pictures_of(context.folder, context.job, parts=frozenset(places))
        part, number = -1, 0
        for each in found:
            now = each.position // context.job.identity.part_pictures
            part, number = (part, number) if now == part else (now, 0)
            if each.result.error is None:
                if number in places[part]:
                    yield each
                number += 1


def _drawn(job: Job, number: int, seed: int) -> dict[int, set[int]]:
    """Positions of a random draw among the pictures that could be read, by part."""
    read = {part.number: part.pictures - part.failures for part in job.parts}
    total = sum(read.values())
    drawn = sorted(random.Random(seed).sample(range(total), min(number, total)), reverse=True)
    places: dict[int, set[int]] = {}
    before = 0
    for part, pictures in read.items():
        while drawn and drawn[-1] < before + pictures:
            places.setdefault(part, set()).add(drawn.pop() - before)
        before += pictures
    return places


def _draw(picture: JobPicture, huge: threading.Lock) -> tuple[PictureFormat, bytes]:
    if picture.result.width * picture.result.height > HUGE_PIXELS:
        with huge:
            return _encoded(picture)
    return _encoded(picture)


def _encoded(picture: JobPicture) -> tuple[PictureFormat, bytes]:
    result = picture.result
    try:
        opened = read_picture(picture.entry.open())
        if opened.size != (result.width, result.height):
            raise BrokenPictureError(
                f"it has changed: it was {result.width} x {result.height} and is {opened.width} x {opened.height}"
            )
        drawn = draw_detections(opened, result.detections)
        written = PNG if max(drawn.size) > JPEG_SIDE else JPEG
        return written, encode(drawn, written.pillow)
    except PictureError:
        raise
    except Exception as exc:  # A decoder of untrusted bytes may raise anything.
        raise BrokenPictureError(f"it cannot be drawn: {exc}") from exc


def _named(place: PurePosixPath, written: PictureFormat) -> PurePosixPath:
    return place if place.suffix.lower() in written.suffixes else with_suffix(place, written.suffixes[0])
