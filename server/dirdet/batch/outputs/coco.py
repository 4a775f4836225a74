"""The formats that are COCO's: a data set, the same for FiftyOne, and a list of results."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from dirdet.batch.outputs.ask import Of
from dirdet.batch.outputs.context import Context, Written
from dirdet.batch.outputs.json_lists import encoded, write_list, write_object
from dirdet.batch.outputs.media import file_of, put
from dirdet.batch.outputs.places import claim
from dirdet.batch.outputs.results import JobPicture
from dirdet.convert.coco import coco_annotations, coco_categories, coco_image, coco_results_of
from dirdet.errors import PictureError, ResultsError
from dirdet.files import whole_folder, write_whole

LABELS, DATA, MANIFEST, MEDIA = "labels.json", "data", "data.json", "media"


def write_coco(context: Context, of: Of) -> Written:
    """`coco/labels.json`, whose file names are the job's; with copies in `coco/data`, theirs."""

    def image(each: JobPicture, folder: Path) -> dict[str, Any]:
        name = None
        if context.ask.media == "copy":
            name = str(
                claim(
                    each.result.name,
                    each.position,
                    lambda place: put(each.entry, folder / DATA / place, context.ask.media),
                )
            )
        return coco_image(each.result, each.image_id, file_name=name)

    written = Written(of)
    with whole_folder(context.folder / "coco") as folder:
        _write_dataset(context, written, folder, image)
    return written


def write_fiftyone(context: Context, of: Of) -> Written:
    """`fiftyone/labels.json` as FiftyOne's COCODetectionDataset, and in `data.json` where each picture is.

    Pictures of archives, and copies that are wanted, are in `fiftyone/media`.
    """
    written = Written(of)
    with whole_folder(context.folder / "fiftyone") as folder, (folder / MANIFEST).open("wb") as manifest:

        def image(each: JobPicture, folder: Path) -> dict[str, Any]:
            file = file_of(each.entry)
            if file is None or context.ask.media == "copy":
                place = claim(
                    each.result.name, each.position, lambda place: put(each.entry, folder / MEDIA / place, "copy")
                )
                found = f"{MEDIA}/{place}"
            else:
                found = str(file)
            # FiftyOne joins the two files by this name, and keeps only where the picture is.
            name = f"{each.position + 1}/{each.result.name.rpartition('/')[2]}"
            manifest.write((b",\n" if written.pictures else b"{\n") + encoded(name) + b": " + encoded(found))
            return coco_image(each.result, each.image_id, file_name=name)

        _write_dataset(context, written, folder, image)
        manifest.write(b"\n}\n" if written.pictures else b"{}\n")
    return written


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
    context: Context, written: Written, folder: Path, image: Callable[[JobPicture, Path], dict[str, Any]]
) -> None:
    """Goes through the job twice, since COCO has all pictures before the first annotation."""
    lost: set[int] = set()

    def images() -> Iterator[dict[str, Any]]:
        ids: set[int] = set()
        for each in context.pictures(written.of):
            if each.entry.image_id is not None:  # of a COCO file, which was held whole anyway
                if each.image_id in ids:
                    raise ResultsError(f"id {each.image_id} is that of two pictures, the second {each.result.name!r}")
                ids.add(each.image_id)
            try:
                told = image(each, folder)
            except PictureError as exc:
                written.lose(each, exc)
                lost.add(each.position)
                continue
            yield told
            written.add(each)

    def annotations() -> Iterator[dict[str, Any]]:
        number = 1
        for each in context.pictures(written.of):
            if each.position not in lost:
                told = coco_annotations(each.result, each.image_id, first_id=number, score=context.ask.score)
                number += len(told)
                yield from told

    def listed(entries: Iterator[dict[str, Any]]) -> Callable[[IO[bytes]], int]:
        return lambda file: write_list(file, entries)

    detector = context.job.identity.detector
    names = {each.category_id: each.name for each in context.manifest.categories}
    with (folder / LABELS).open("wb") as file:
        write_object(
            file,
            [
                ("info", {"description": f"detections of {detector.name}, {written.of}", "score": context.ask.score}),
                ("licenses", []),
                ("categories", coco_categories(names)),
                ("images", listed(images())),
                ("annotations", listed(annotations())),
            ],
        )
