"""YOLO's data set: a label file to a picture, its picture, and the YAML file that names the classes."""

from pathlib import Path, PurePosixPath

from dirdet.batch.outputs.ask import Of
from dirdet.batch.outputs.context import Context, Written
from dirdet.batch.outputs.media import put, with_usual_suffix
from dirdet.batch.outputs.places import claim, create
from dirdet.batch.outputs.results import JobPicture
from dirdet.convert.yolo import to_yolo, yolo_yaml
from dirdet.errors import PictureError
from dirdet.files import whole_folder


def write_yolo(context: Context, of: Of) -> Written:
    """`yolo/data.yaml`, `yolo/labels` and `yolo/images`, both by the pictures' names."""
    written = Written(of)
    score = context.ask.score if context.ask.yolo_confidence else None
    with whole_folder(context.folder / "yolo") as folder:
        (folder / "labels").mkdir()
        (folder / "images").mkdir()
        for each in context.pictures(of):
            labels = to_yolo(each.result, score=score).encode()
            try:
                claim(each.result.name, each.position, lambda place, each=each, labels=labels: _put(
                    context, folder, each, place, labels
                ))  # fmt: skip
            except PictureError as exc:
                written.lose(each, exc)
            else:
                written.add(each)
        names = [each.name for each in context.manifest.categories]
        (folder / "data.yaml").write_text(yolo_yaml(names), encoding="utf-8")
    return written


def _put(context: Context, folder: Path, picture: JobPicture, place: PurePosixPath, labels: bytes) -> None:
    media = context.ask.media
    if media != "none":
        place = with_usual_suffix(place, picture.entry)
    path = folder / "labels" / place.with_suffix(".txt")
    create(path, labels)
    if media != "none":
        try:
            put(picture.entry, folder / "images" / place, media)
        except BaseException:
            path.unlink()
            raise
