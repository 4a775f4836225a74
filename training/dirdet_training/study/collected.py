"""All candidates of one checkpoint on one split, with its judges' predictions, and the file that stores them."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dirdet.files import write_whole
from dirdet_training.nms.combination import COMBINATIONS
from dirdet_training.nms.ranks import Candidates
from dirdet_training.rivals import RIVALS
from dirdet_training.study.errors import StudyError

JUDGEMENT = "judgements/"
# Optional columns [N, ...], which depend on the detector.
OPTIONAL = ("ious", "proposals_xyxy")


@dataclass(frozen=True)
class Collected:
    """One pass of a checkpoint over P pictures.

    Attributes:
        picture_ids: [P], ids in the data set.
        candidates: the candidates of each picture.
        category_ids: the data set's category id of each class id.
    """

    picture_ids: tuple[int, ...]
    candidates: tuple[Candidates, ...]
    category_ids: tuple[int, ...]


def completed(candidates: Candidates) -> Candidates:
    """Adds the values that are computed from the judgements: Table 5's means, and the rivals' columns."""
    said = dict(candidates.judgements)
    for name in candidates.judgements:
        judge, _, field = name.rpartition("/")
        if field == "purity":
            purities, integrities = said[name], said[f"{judge}/integrity"]
            said |= {f"{judge}/{way}": combine(purities, integrities) for way, combine in COMBINATIONS.items()}
    learnt = {each.column: said[each.judgement] for each in RIVALS if each.column and each.judgement in said}
    return replace(candidates, judgements=said, learnt=learnt)


def store(path: Path, collected: Collected) -> None:
    """Writes the file atomically."""
    pictures = collected.candidates
    columns: dict[str, NDArray[np.generic]] = {
        "picture_ids": np.asarray(collected.picture_ids, np.int64),
        "category_ids": np.asarray(collected.category_ids, np.int64),
        "candidate_counts": np.asarray([len(picture.boxes_xyxy) for picture in pictures], np.int64),
        "object_counts": np.asarray([len(picture.objects_xyxy) for picture in pictures], np.int64),
        "boxes_xyxy": _joined([picture.boxes_xyxy for picture in pictures], (0, 4)),
        "class_ids": _joined([picture.class_ids for picture in pictures], (0,)).astype(np.int32),
        "scores": _joined([picture.scores for picture in pictures], (0,)),
        "objects_xyxy": _joined([picture.objects_xyxy for picture in pictures], (0, 4)),
        "object_class_ids": _joined([picture.object_class_ids for picture in pictures], (0,)).astype(np.int32),
    }
    for name in OPTIONAL:
        parts = [part for picture in pictures if (part := getattr(picture, name)) is not None]
        if pictures and len(parts) == len(pictures):
            columns[name] = _joined(parts, (0,))
    for name in pictures[0].judgements if pictures else ():
        columns[JUDGEMENT + name] = _joined([picture.judgements[name] for picture in pictures], (0,))
    write_whole(path, lambda file: np.savez_compressed(file, **columns))  # pyright: ignore[reportArgumentType]


def load(path: Path) -> Collected:
    """Reads the file and adds the computed values (`completed`).

    Raises:
        StudyError: the file is missing or broken, or `store` did not write it.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            columns: dict[str, NDArray[np.generic]] = {name: file[name] for name in file.files}
        return _collected(columns)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as exc:
        raise StudyError(
            f"candidates {path} cannot be read ({type(exc).__name__}: {exc}); delete the file to collect them again"
        ) from exc


def _collected(columns: Mapping[str, NDArray[np.generic]]) -> Collected:
    ends = _cuts(columns["candidate_counts"])
    object_ends = _cuts(columns["object_counts"])
    tensors = {name: torch.from_numpy(values) for name, values in columns.items()}
    names = [name for name in tensors if name.startswith(JUDGEMENT)]
    pictures = [
        completed(
            Candidates(
                boxes_xyxy=tensors["boxes_xyxy"][start:end],
                class_ids=tensors["class_ids"][start:end].long(),
                scores=tensors["scores"][start:end],
                ious=tensors["ious"][start:end] if "ious" in tensors else None,
                objects_xyxy=tensors["objects_xyxy"][first:last],
                object_class_ids=tensors["object_class_ids"][first:last].long(),
                proposals_xyxy=tensors["proposals_xyxy"][start:end] if "proposals_xyxy" in tensors else None,
                judgements={name.removeprefix(JUDGEMENT): tensors[name][start:end] for name in names},
            )
        )
        for (start, end), (first, last) in zip(pairwise(ends), pairwise(object_ends), strict=True)
    ]
    return Collected(tuple(columns["picture_ids"].tolist()), tuple(pictures), tuple(columns["category_ids"].tolist()))


def _cuts(counts: NDArray[np.generic]) -> list[int]:
    """Returns the first row of each picture and the end of the last picture's rows, [P + 1]."""
    return [0, *np.cumsum(counts).tolist()]


def _joined(parts: Sequence[Tensor], empty: tuple[int, ...]) -> NDArray[np.generic]:
    return np.concatenate([part.numpy() for part in parts]) if parts else np.zeros(empty, np.float32)
