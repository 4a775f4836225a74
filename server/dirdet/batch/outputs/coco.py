"""COCO's formats: a data set, the same for FiftyOne, and a results list."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dirdet.batch.outputs.context import Context, Written
from dirdet.batch.outputs.json_lists import write_list, write_object
from dirdet.batch.outputs.media import file_of, put
from dirdet.batch.outputs.places import claim
from dirdet.batch.outputs.request import Of
from dirdet.batch.outputs.results import JobPicture
from dirdet.convert.coco import coco_annotations, coco_categories, coco_image, coco_results_of
from dirdet.errors import PictureError, ResultsError
from dirdet.files import whole_folder, write_whole

LABELS, DATA = "labels.json", "data"


def write_coco(context: Context, of: Of) -> Written:
    """Writes `coco/labels.json` with the job's file names; with copied pictures, the names in `coco/data`."""

    def file_name(each: JobPicture, folder: Path) -> str:
        return _copied(each, folder) if context.request.media == "copy" else each.result.name

    return _write_dataset(context, of, context.folder / "coco", file_name)


def write_fiftyone(context: Context, of: Of) -> Written:
    """Writes `fiftyone/labels.json` for FiftyOne's COCODetectionDataset, with absolute paths of the pictures.

    Pictures of archives, and copied pictures, are in `fiftyone/data`, a folder that FiftyOne always expects.
    """

    def file_name(each: JobPicture, folder: Path) -> str:
        file = file_of(each.entry)
        return _copied(each, folder) if file is None or context.request.media == "copy" else str(file)

    return _write_dataset(context, of, context.folder / "fiftyone", file_name, with_data=True)


def _copied(picture: JobPicture, folder: Path) -> str:
    """The name of a picture's copy."""
    place = claim(
        picture.result.name, picture.position, lambda place: put(picture.entry, folder / DATA / place, "copy")
    )
    return str(place)


def write_coco_results(context: Context, of: Of) -> Written:
    """Writes `coco-results.json` for pycocotools and `dirdet quality`."""
    written = Written(of)

    def entries() -> Iterator[dict[str, Any]]:
        for each in context.pictures(of):
            yield from coco_results_of(each.result, each.image_id, context.request.score)
            written.add(each)

    write_whole(context.folder / "coco-results.json", lambda file: write_list(file, entries()))
    return written


def _write_dataset(
    context: Context, of: Of, target: Path, file_name: Callable[[JobPicture, Path], str], *, with_data: bool = False
) -> Written:
    """Reads the job twice, since COCO lists all pictures before the first annotation."""
    written = Written(of)
    lost: set[int] = set()

    def images(folder: Path) -> Iterator[dict[str, Any]]:
        ids: set[int] = set()
        for each in context.pictures(of):
            if each.entry.image_id is not None:  # from a COCO file, which was in memory anyway
                if each.image_id in ids:
                    raise ResultsError(
                        f"id {each.image_id} belongs to two pictures; the second is {each.result.name!r}"
                    )
                ids.add(each.image_id)
            try:
                name = file_name(each, folder)
            except PictureError as exc:
                written.lose(each, exc)
                lost.add(each.position)
                continue
            yield coco_image(each.result, each.image_id, file_name=name)
            written.add(each)

    def annotations() -> Iterator[dict[str, Any]]:
        number = 1
        for each in context.pictures(of):
            if each.position not in lost:
                annotations = coco_annotations(each.result, each.image_id, first_id=number, score=context.request.score)
                number += len(annotations)
                yield from annotations

    detector = context.job.identity.detector
    names = {each.category_id: each.name for each in context.manifest.categories}
    with whole_folder(target) as folder:
        if with_data:
            (folder / DATA).mkdir()
        with (folder / LABELS).open("wb") as file:
            write_object(
                file,
                {
                    "info": {"description": f"detections of {detector.name}, {of}", "score": context.request.score},
                    "licenses": [],
                    "categories": coco_categories(names),
                },
                {"images": images(folder), "annotations": annotations()},
            )
    return written
