"""Label Studio's tasks with pre-annotations, the most doubtful picture first, and the interface for them."""

import math
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from dirdet.batch.outputs.context import Context, Written
from dirdet.batch.outputs.json_lists import encoded
from dirdet.batch.outputs.media import file_of, put
from dirdet.batch.outputs.places import claim
from dirdet.batch.outputs.request import Of
from dirdet.batch.outputs.results import JobPicture
from dirdet.convert.common import score_of
from dirdet.convert.label_studio import to_label_studio
from dirdet.errors import ParameterError, PictureError
from dirdet.files import whole_folder

# Label Studio imports one file at a time, and gets slow with many tasks in one project.
TASKS_A_FILE = 10_000
LOCAL_FILES = "/data/local-files/?d="


def write_label_studio(context: Context, of: Of) -> Written:
    """Writes `label-studio/tasks-N.json`, to import one after the other, and `label-studio/config.xml`.

    Pictures of archives, and copied pictures, are in `label-studio/images`.

    Raises:
        ParameterError: a picture is not below the folder that Label Studio serves.
    """
    written = Written(of)
    with whole_folder(context.folder / "label-studio") as folder:
        # On disk, since sorting needs all tasks.
        path = folder / "order.db"
        with closing(sqlite3.connect(path)) as order:
            order.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF")
            order.execute("CREATE TABLE tasks (doubt REAL, position INTEGER, task BLOB)")
            order.executemany("INSERT INTO tasks VALUES (?, ?, ?)", _tasks(context, folder, written))
            order.execute("CREATE INDEX by_doubt ON tasks (doubt, position)")
            rows = order.execute("SELECT task FROM tasks ORDER BY doubt, position")
            number = 1
            while True:
                tasks: list[bytes] = [task for (task,) in islice(rows, TASKS_A_FILE)]
                if not tasks and number > 1:
                    break
                (folder / f"tasks-{number:04d}.json").write_bytes(b"[\n" + b",\n".join(tasks) + b"\n]\n")
                number += 1
        path.unlink()
        (folder / "config.xml").write_bytes(interface([each.name for each in context.manifest.categories]))
    return written


def interface(labels: list[str]) -> bytes:
    """The labelling interface of these tasks; paste it under Settings, Labeling Interface, Code."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name="image", value="$image", zoom="true")
    boxes = ElementTree.SubElement(view, "RectangleLabels", name="label", toName="image")
    for each in labels:
        ElementTree.SubElement(boxes, "Label", value=each)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="utf-8") + b"\n"


def _tasks(context: Context, folder: Path, written: Written) -> Iterator[tuple[float, int, bytes]]:
    for each in context.pictures(written.of):
        try:
            task = to_label_studio(each.result, image=_address(context, each, folder), score=context.request.score)
        except PictureError as exc:
            written.lose(each, exc)
            continue
        doubt = _doubt(each, context)
        prediction: dict[str, Any] = task["predictions"][0]
        if each.result.detections:
            prediction["score"] = doubt
        task["data"]["picture"] = each.result.name
        yield doubt, each.position, encoded(task)
        written.add(each)


def _doubt(picture: JobPicture, context: Context) -> float:
    """The lowest figure of the detections to review, or of all if there are none; infinite without detections."""
    numbers = picture.review or range(len(picture.result.detections))
    return min((score_of(picture.result.detections[each], context.request.score) for each in numbers), default=math.inf)


def _address(context: Context, picture: JobPicture, folder: Path) -> str:
    """The address from which Label Studio's page loads a picture."""
    request = context.request
    if request.label_studio_prefix is not None:
        return request.label_studio_prefix + quote(picture.result.name.lstrip("/"), safe="/")
    file = file_of(picture.entry)
    if file is None or request.media == "copy":
        place = claim(
            picture.result.name,
            picture.position,
            lambda place: put(picture.entry, folder / "images" / place, "copy"),
        )
        file = Path(os.path.abspath(context.folder / "label-studio" / "images" / place))  # noqa: PTH100
    root = Path(os.path.abspath(request.label_studio_root))  # noqa: PTH100
    if not file.is_relative_to(root):
        raise ParameterError("label_studio_root", f"expected a folder that holds all pictures, got {root}: not {file}")
    return LOCAL_FILES + quote(os.fsencode(file.relative_to(root).as_posix()), safe="/")
