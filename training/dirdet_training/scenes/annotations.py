"""Writes the annotation files: one for each split and difficulty, and the unions."""

import itertools
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dirdet_training.scenes.difficulty import DIFFICULTIES
from dirdet_training.scenes.plan import Job
from dirdet_training.scenes.taxonomy import CLASSES, SPLITS, coco_categories
from dirdet_training.scenes.workers import Made

_UNIONS: Final = ("train", "val")


def _write(file: Path, scenes: Sequence[Made]) -> None:
    ids = itertools.count(1)
    content = {
        "info": {"description": "dirdet scenes: composed from cut-outs and photographs", "version": "1"},
        "licenses": [],
        "categories": coco_categories(),
        "images": [made.image for made in scenes],
        "annotations": [{"id": next(ids), **record} for made in scenes for record in made.annotations],
    }
    file.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")


def write_annotations(folder: Path, jobs: Sequence[Job], scenes: Sequence[Made]) -> dict[str, dict[str, int]]:
    """Writes the folder `annotations` of a data set.

    Args:
        folder: the data set.
        jobs: its N scenes.
        scenes: what became of each of them, N.

    Returns:
        For each annotation file of one split and difficulty: `scenes`, `objects`, and objects by class.
    """
    (folder / "annotations").mkdir()
    counts: dict[str, dict[str, int]] = {}
    for split in SPLITS:
        of_split: list[Made] = []
        for difficulty in DIFFICULTIES:
            chosen = [
                made
                for job, made in zip(jobs, scenes, strict=True)
                if (job.split, job.difficulty_name) == (split, difficulty.name)
            ]
            _write(folder / "annotations" / f"{split}_{difficulty.name}.json", chosen)
            counts[f"{split}_{difficulty.name}"] = _count(chosen)
            of_split += chosen
        if split in _UNIONS:
            _write(folder / "annotations" / f"{split}.json", of_split)
    return counts


def _count(scenes: Sequence[Made]) -> dict[str, int]:
    by_category = Counter(record["category_id"] for made in scenes for record in made.annotations)
    by_class = {entry.name: by_category[index + 1] for index, entry in enumerate(CLASSES)}
    return {"scenes": len(scenes), "objects": by_category.total(), **by_class}
