"""Converts results to COCO's formats: a results list for evaluation, or a data set for correction."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dirdet.convert.common import Score, detections_of, figures_of, score_of
from dirdet.convert.image_result import ImageResult
from dirdet.detection import Detection
from dirdet.errors import ResultsError


def to_coco_results(
    results: Iterable[ImageResult], *, image_ids: Mapping[str, int] | None = None, score: Score = "confidence"
) -> list[dict[str, Any]]:
    """Returns a results list for pycocotools' `loadRes`, with all other figures as extra keys.

    Args:
        results: of pictures with different names.
        image_ids: ids of the data set by the results' names; None numbers the results from 1 in their order.
        score: the figure that becomes `score`, by which COCO's tools rank; `dirdet quality` expects "score" here, since
            it reads the other figures too.

    Raises:
        ResultsError: a picture could not be read or has no id, or the detector does not report the figure.
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
    """Returns a data set with the detections as annotations, for a tool in which a person corrects them.

    Args:
        results: of pictures with different names.
        image_ids: by the results' names; None numbers the results from 1 in their order.
        categories: names by category_id, as the classes of GET /detector; None takes the detected classes.
        score: the figure that becomes `score`, which some tools read.

    Raises:
        ResultsError: a picture could not be read or has no id, the detector does not report the figure, or a detected
            category is not in `categories`.
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
            f"categories: category_id {unknown[0]} ({found[unknown[0]]}) was detected but is not among them"
        )
    return {"images": images, "annotations": annotations, "categories": coco_categories(names)}


def coco_image(result: ImageResult, image_id: int, *, file_name: str | None = None) -> dict[str, Any]:
    """A picture's entry in the list of images; `file_name` defaults to the result's name."""
    name = result.name if file_name is None else file_name
    return {"id": image_id, "file_name": name, "width": result.width, "height": result.height}


def coco_annotations(result: ImageResult, image_id: int, *, first_id: int, score: Score) -> list[dict[str, Any]]:
    """A picture's entries in the list of annotations, with ids from `first_id` on.

    `class_score` is the classifier's probability, whatever `score` is. There is no `confidence`: FiftyOne refuses a
    file with both this and `score`.

    Raises:
        ResultsError: the picture could not be read, or the detector does not report the figure.
    """
    annotations: list[dict[str, Any]] = []
    for number, each in enumerate(detections_of(result), first_id):
        figures = figures_of(each)
        figures["class_score"] = figures.pop("score")
        del figures["confidence"]
        own = {"id": number, "image_id": image_id, **_object(each), "iscrowd": 0}
        annotations.append({**own, "score": score_of(each, score), **figures})
    return annotations


def coco_results_of(result: ImageResult, image_id: int, score: Score) -> list[dict[str, Any]]:
    """A picture's entries in a results list.

    Raises:
        ResultsError: the picture could not be read, or the detector does not report the figure.
    """
    return [
        {"image_id": image_id, **_object(each), **figures_of(each), "score": score_of(each, score)}
        for each in detections_of(result)
    ]


def coco_categories(names: Mapping[int, str]) -> list[dict[str, Any]]:
    """The list of categories, sorted by id."""
    return [{"id": number, "name": name} for number, name in sorted(names.items())]


def _object(detection: Detection) -> dict[str, Any]:
    """Box, area and mask; the area is the mask's if there is a mask."""
    x1, y1, x2, y2 = detection.box_xyxy
    # Boxes are rounded to hundredths; further digits are an error of the subtraction.
    width, height = round(x2 - x1, 4), round(y2 - y1, 4)
    annotation: dict[str, Any] = {"category_id": detection.category_id, "bbox": [x1, y1, width, height]}
    if detection.mask is None:
        return annotation | {"area": round(width * height, 4)}
    return annotation | {"area": float(detection.mask.area), "segmentation": detection.mask.to_json()}


def _numbered(results: Iterable[ImageResult], image_ids: Mapping[str, int] | None) -> Iterator[tuple[int, ImageResult]]:
    used: set[int] = set()
    for position, result in enumerate(results, start=1):
        image_id = position if image_ids is None else image_ids.get(result.name)
        if image_id is None:
            raise ResultsError(f"image_ids: no id for {result.name!r}")
        if image_id in used:
            raise ResultsError(f"image_ids: id {image_id} belongs to two results; the second is {result.name!r}")
        used.add(image_id)
        yield image_id, result
