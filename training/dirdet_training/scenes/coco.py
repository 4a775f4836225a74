"""Scenes in COCO's words: boxes, areas and run lengths of the visible masks."""

from typing import Any

import numpy as np

from dirdet_training.scenes.compose import Scene
from dirdet_training.scenes.masks import Mask, box_xywh
from dirdet_training.scenes.taxonomy import category_id

Record = dict[str, Any]


def run_lengths(mask: Mask) -> Record:
    """COCO's uncompressed run lengths of a mask [H, W]: column by column, beginning with zeros."""
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    edges = np.concatenate(([0] if not flat[0] else [0, 0], changes, [flat.size]))
    return {"size": list(mask.shape), "counts": np.diff(edges).tolist()}


def image_record(scene: Scene, *, image_id: int, file_name: str) -> Record:
    """One entry of `images`."""
    width, height = scene.size_wh
    return {
        "id": image_id,
        "file_name": file_name,
        "width": width,
        "height": height,
        "background": scene.background,
    }


def annotation_records(scene: Scene, *, image_id: int) -> list[Record]:
    """The scene's entries of `annotations`, those behind first, without their ids."""
    records: list[Record] = []
    for entry in scene.objects:
        area = int(np.count_nonzero(entry.mask))
        records.append(
            {
                "image_id": image_id,
                "category_id": category_id(entry.cutout.class_index),
                "bbox": list(box_xywh(entry.mask)),
                "area": area,
                "iscrowd": 0,
                "segmentation": run_lengths(entry.mask),
                "visible_fraction": round(area / entry.whole_px, 4),
                "cutout": entry.cutout.path,
            }
        )
    return records
