"""YOLO's data set: a label file for each picture, the picture, and the YAML file with the class names."""

from pathlib import PurePosixPath

from dirdet.batch.outputs.context import Context, Written
from dirdet.batch.outputs.label_files import LabelFiles
from dirdet.batch.outputs.places import with_suffix
from dirdet.batch.outputs.request import Of
from dirdet.convert.yolo import to_yolo, yolo_yaml
from dirdet.files import whole_folder

LABELS, PICTURES = "labels", "images"


def write_yolo(context: Context, of: Of) -> Written:
    """Writes `yolo/data.yaml`, and `yolo/labels` and `yolo/images`, named after the pictures."""
    score = context.request.score if context.request.yolo_confidence else None
    with whole_folder(context.folder / "yolo") as folder:
        labels, pictures = folder / LABELS, folder / PICTURES
        labels.mkdir()
        pictures.mkdir()
        files = LabelFiles(folder, label_of, pictures, lambda each, _: to_yolo(each.result, score=score).encode())
        written = files.write(context, of)
        names = [each.name for each in context.manifest.categories]
        (folder / "data.yaml").write_text(yolo_yaml(names), encoding="utf-8")
    return written


def label_of(place: PurePosixPath) -> PurePosixPath:
    """The label file of `images/PLACE` by Ultralytics' rule: `labels` in place of the path's last folder `images`."""
    parts = [PICTURES, *with_suffix(place, ".txt").parts]
    last = len(parts) - 2 - parts[-2::-1].index(PICTURES)
    return PurePosixPath(*parts[:last], LABELS, *parts[last + 1 :])
