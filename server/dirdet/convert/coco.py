"""Results as COCO's: a list of results to evaluate, or a data set to correct."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dirdet.client.results import ImageResult
from dirdet.convert.common import Score, detections_of, figures_of, score_of
from dirdet.detection import Detection
from dirdet.errors import ResultsError


def to_coco_results(
    results: Iterable[ImageResult], *, image_ids: Mapping[str, int] | None = None, score: Score = "confidence"
) -> list[dict[str, Any]]:
    """A results list as pycocotools' `loadRes` reads it, with every other figure beside.

    Args:
        results: of pictures with different names.
        image_ids: the data set's, by the results' names; numbered from 1 in their order unless given.
        score: which figure becomes `score`, by which COCO's tools rank; "score" for `dirdet quality`, which knows all.

    Raises:
        ResultsError: a picture that could not be read or has no id, or a figure that the detector does not tell.
    """
    return [
        entry
        for image_id, result in _numbered(results, image_ids)
        for entry in coco_results_of(result, image_id, score)
    ]


def to_coco_dataset(
    results: Iterable[ImageResult],
    *,
    image_ids: Mapping[str, int] | None = None,
    categories: Mapping[int, str] | None = None,
    score: Score = "confidence",
) -> dict[str, Any]:
    """A data set whose annotations are the detections, for a tool in which a person corrects them.

    Args:
        results: of pictures with different names.
        image_ids: by the results' names; numbered from 1 in their order unless given.
        categories: names by category_id, as the classes of GET /detector; those that were found unless given.
        score: which figure becomes `score`, which some tools know.

    Raises:
        ResultsError: a picture that could not be read or has no id, a figure that the detector does not tell, or a
            category that is not among those given.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    found: dict[int, str] = {}
    for image_id, result in _numbered(results, image_ids):
        images.append(coco_image(result, image_id))
        found |= {each.category_id: each.label for each in detections_of(result)}
        annotations += coco_annotations(result, image_id, first_id=len(annotations) + 1, score=score)
    names = found if categories is None else dict(categories)
    if unknown := sorted(found.keys() - names.keys()):
        raise ResultsError(
            f"categories: category_id {unknown[0]} ({found[unknown[0]]}) was found and is not among them"
        )
    return {"images": images, "annotations": annotations, "categories": coco_categories(names)}


def coco_image(result: ImageResult, image_id: int, *, file_name: str | None = None) -> dict[str, Any]:
    """A picture in the list of images; its file name is the result's name unless given."""
    name = result.name if file_name is None else file_name
    return {"id": image_id, "file_name": name, "width": result.width, "height": result.height}


def coco_annotations(result: ImageResult, image_id: int, *, first_id: int, score: Score) -> list[dict[str, Any]]:
    """A picture's detections in the list of annotations, their ids from `first_id` on.

    `class_score` is the classifier's probability, whatever `score` is. There is no `confidence`: FiftyOne refuses a
    file that has both this and `score`.

    Raises:
        ResultsError: the picture could not be read, or the detector does not tell the figure.
    """
    told: list[dict[str, Any]] = []
    for number, each in enumerate(detections_of(result), first_id):
        figures = figures_of(each)
        figures["class_score"] = figures.pop("score")
        del figures["confidence"]
        own = {"id": number, "image_id": image_id, **_object(each), "iscrowd": 0}
        told.append({**own, "score": score_of(each, score), **figures})
    return told


def coco_results_of(result: ImageResult, image_id: int, score: Score) -> list[dict[str, Any]]:
    """A picture's part of a results list.

    Raises:
        ResultsError: the picture could not be read, or the detector does not tell the figure.
    """
    return [
        {"image_id": image_id, **_object(each), **figures_of(each), "score": score_of(each, score)}
        for each in detections_of(result)
    ]


def coco_categories(names: Mapping[int, str]) -> list[dict[str, Any]]:
    """The list of categories, by their ids."""
    return [{"id": number, "name": name} for number, name in sorted(names.items())]


def _object(detection: Detection) -> dict[str, Any]:
    """Box, area and mask; the area is the mask's where there is one."""
    x1, y1, x2, y2 = detection.box_xyxy
    # Sides are told to hundredths; what comes after a few digits more is the subtraction's.
    width, height = round(x2 - x1, 4), round(y2 - y1, 4)
    told: dict[str, Any] = {"category_id": detection.category_id, "bbox": [x1, y1, width, height]}
    if detection.mask is None:
        return told | {"area": round(width * height, 4)}
    return told | {"area": float(detection.mask.area), "segmentation": detection.mask.to_json()}


def _numbered(results: Iterable[ImageResult], image_ids: Mapping[str, int] | None) -> Iterator[tuple[int, ImageResult]]:
    seen: set[int] = set()
    for position, result in enumerate(results, start=1):
        image_id = position if image_ids is None else image_ids.get(result.name)
        if image_id is None:
            raise ResultsError(f"image_ids: no id for {result.name!r}")
        if image_id in seen:
            raise ResultsError(f"image_ids: id {image_id} is that of two results, the second {result.name!r}")
        seen.add(image_id)
        yield image_id, result
