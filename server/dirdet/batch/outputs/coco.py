"""The formats that are COCO's: a data set, the same for FiftyOne, and a list of results."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dirdet.batch.outputs.ask import Of
from dirdet.batch.outputs.context import Context, Written
from dirdet.batch.outputs.json_lists import write_list, write_object
from dirdet.batch.outputs.media import file_of, put
from dirdet.batch.outputs.places import claim
from dirdet.batch.outputs.results import JobPicture
from dirdet.convert.coco import coco_annotations, coco_categories, coco_image, coco_results_of
from dirdet.errors import PictureError, ResultsError
from dirdet.files import whole_folder, write_whole

LABELS, DATA = "labels.json", "data"


def write_coco(context: Context, of: Of) -> Written:
    """`coco/labels.json`, whose file names are the job's; with copies in `coco/data`, theirs."""

    def file_name(each: JobPicture, folder: Path) -> str:
        return _copied(each, folder) if context.ask.media == "copy" else each.result.name

    return _write_dataset(context, of, context.folder / "coco", file_name)


def write_fiftyone(context: Context, of: Of) -> Written:
    """`fiftyone/labels.json` for FiftyOne's COCODetectionDataset; file names say where on this machine pictures are.

    Pictures of archives, and copies that are wanted, are in `fiftyone/data`, which FiftyOne wants in any case.
    """

    def file_name(each: JobPicture, folder: Path) -> str:
        file = file_of(each.entry)
        return _copied(each, folder) if file is None or context.ask.media == "copy" else str(file)

    return _write_dataset(context, of, context.folder / "fiftyone", file_name, with_data=True)


def _copied(picture: JobPicture, folder: Path) -> str:
    """The name that a copy gets."""
    place = claim(
        picture.result.name, picture.position, lambda place: put(picture.entry, folder / DATA / place, "copy")
    )
    return str(place)


def write_coco_results(context: Context, of: Of) -> Written:
    """`coco-results.json`, for pycocotools and `dirdet quality`."""
    written = Written(of)

    def entries() -> Iterator[dict[str, Any]]:
        for each in context.pictures(of):
            yield from coco_results_of(each.result, each.image_id, context.ask.score)
            written.add(each)

    write_whole(context.folder / "coco-results.json", lambda file: write_list(file, entries()))
    return written


def _write_dataset(
    context: Context, of: Of, target: Path, file_name: Callable[[JobPicture, Path], str], *, with_data: bool = False
) -> Written:
    """Goes through the job twice, since COCO has all pictures before the first annotation."""
    written = Written(of)
    lost: set[int] = set()

    def images(folder: Path) -> Iterator[dict[str, Any]]:
        ids: set[int] = set()
        for each in context.pictures(of):
            if each.entry.image_id is not None:  # of a COCO file, which was held whole anyway
                if each.image_id in ids:
                    raise ResultsError(f"id {each.image_id} is that of two pictures, the second {each.result.name!r}")
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
                told = coco_annotations(each.result, each.image_id, first_id=number, score=context.ask.score)
                number += len(told)
                yield from told

    detector = context.job.identity.detector
    names = {each.category_id: each.name for each in context.manifest.categories}
    with whole_folder(target) as folder:
        if with_data:
            (folder / DATA).mkdir()
        with (folder / LABELS).open("wb") as file:
            write_object(
                file,
                {
                    "info": {"description": f"detections of {detector.name}, {of}", "score": context.ask.score},
                    "licenses": [],
                    "categories": coco_categories(names),
                },
                {"images": images(folder), "annotations": annotations()},
            )
    return written
