"""Splits a data set that has no split, by picture and by a reproducible rule."""

import hashlib
from collections.abc import Mapping
from typing import Any

from dirdet.errors import counted
from dirdet_training.annotations.errors import AnnotationError


def split(content: Mapping[str, Any], shares: Mapping[str, float], *, seed: int) -> dict[str, dict[str, Any]]:
    """Splits COCO's content: pictures in the order of sha256("SEED/file_name"), cut at the cumulated shares.

    The order depends only on the names and the seed, so that it is the same on every machine. Within a part, pictures
    and annotations keep the file's order and ids.

    Args:
        content: images, annotations and categories.
        shares: the share of each part; the sum of the shares is the whole.
        seed: any number.

    Raises:
        AnnotationError: a share is not positive, or there are too few pictures for every part to get one.
    """
    for name, share in shares.items():
        if not 0 < share < float("inf"):
            raise AnnotationError(f"the share of {name} must be above 0, not {share}")
    images: list[dict[str, Any]] = list(content["images"])
    drawn = sorted(range(len(images)), key=lambda row: _draw(images[row]["file_name"], seed))
    whole = sum(shares.values())
    parts: dict[str, dict[str, Any]] = {}
    start, reached = 0, 0.0
    for name, share in shares.items():
        reached += share
        end = round(len(images) * reached / whole)
        if end == start:
            raise AnnotationError(f"{counted(len(images), 'picture')}: too few, none is left for {name}")
        rows = sorted(drawn[start:end])
        ids = {images[row]["id"] for row in rows}
        annotations = [entry for entry in content["annotations"] if entry["image_id"] in ids]
        parts[name] = {**content, "images": [images[row] for row in rows], "annotations": annotations}
        start = end
    return parts


def _draw(file_name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{file_name}".encode()).digest()
