"""Features that judges are trained on, pooled once from a frozen detector and stored on disk."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import DATASETS
from mmengine.registry import FUNCTIONS
from torch import Tensor, nn

from dirdet.errors import DirdetError
from dirdet_training.mm.examples import Examples
from dirdet_training.mm.frozen import predicted
from dirdet_training.mm.judges import SEEN, Sight

# The tables of the examples' boxes and numbers, stored with the features.
TABLES = ("proposals_xyxy", "refined_xyxy", "objects_xyxy", "class_ids", "object_ids")
# Also a table where judges are trained on jittered boxes.
JITTERED = "jittered_xyxy"


class CacheError(DirdetError):
    """The features cannot be stored, or belong to another detector."""


@dataclass(frozen=True)
class CacheKey:
    """The settings that cached features depend on.

    Attributes:
        checkpoint_sha256: the sha256 of the frozen detector's checkpoint.
        config_sha256: the sha256 of its config's text.
        boxes_per_picture: boxes kept of each picture and pass.
        passes: the number of passes over the pictures.
        sights: the kinds of boxes on which features are pooled.
    """

    checkpoint_sha256: str
    config_sha256: str
    boxes_per_picture: int
    passes: int
    sights: tuple[Sight, ...]


def is_cached(folder: Path, key: CacheKey) -> bool:
    """Checks whether a folder holds a complete cache with this key."""
    path = folder / "cache.json"
    return path.is_file() and json.loads(path.read_text(encoding="utf-8"))["key"] == json.loads(json.dumps(asdict(key)))


@torch.no_grad()
def gather(model: Any, batches: Iterable[dict[str, Any]], folder: Path, key: CacheKey, *, pictures: int) -> int:  # noqa: ANN401
    """Pools the features that judges are trained on and writes them to a folder, whose content is replaced.

    Args:
        model: a frozen two-stage detector with DIR, in evaluation mode.
        batches: training pictures as the data loader returns them.
        folder: receives `SIGHT.f16` (features [P, C, S, S]), a table of P rows for each of TABLES, the number of rows
            of each picture, and cache.json, which is written last.
        key: the key that is stored with them.
        pictures: the number of pictures in the batches, for the estimate of disk space.

    Returns:
        P, the number of boxes kept.

    Raises:
        CacheError: the disk has too little space for the cache.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = (*TABLES, JITTERED) if "jittered" in key.sights else TABLES
    tables: dict[str, list[Tensor]] = {name: [] for name in names}
    shape: tuple[int, ...] = ()
    files = {sight: (folder / f"{sight}.f16").open("wb") for sight in key.sights}
    try:
        for batch in batches:
            examples, features = _pool(model, batch, key)
            for sight, pooled in features.items():
                if not shape:
                    shape = tuple(pooled.shape[1:])
                    _require_space(folder, pictures * key.boxes_per_picture * len(files) * 2 * int(np.prod(shape)))
                files[sight].write(pooled.half().cpu().numpy().tobytes())
            for name, parts in tables.items():
                parts += [rows.cpu() for rows in getattr(examples, name)]
    finally:
        for file in files.values():
            file.close()
    counts = np.array([len(rows) for rows in tables["class_ids"]])
    np.save(folder / "counts.npy", counts)
    for name, parts in tables.items():
        np.save(folder / f"{name}.npy", torch.cat(parts).numpy() if parts else np.zeros(0))
    count = int(counts.sum())
    described = {"key": asdict(key), "shape": shape, "boxes": count}
    (folder / "cache.json").write_text(json.dumps(described, indent=2), encoding="utf-8")
    return count


def _pool(model: Any, batch: dict[str, Any], key: CacheKey) -> tuple[Examples, dict[Sight, Tensor]]:  # noqa: ANN401
    """Makes the examples of a batch, and pools their features [P, C, S, S] at each sight."""
    data = model.data_preprocessor(batch, training=True)
    x, seen = predicted(model, data["inputs"], data["data_samples"])
    examples = model.roi_head.learns_from.draw(seen, key.boxes_per_picture)
    if "jittered" in key.sights:
        examples = examples.jittered()
    return examples, {sight: model.roi_head.box_features(x, getattr(examples, SEEN[sight])) for sight in key.sights}


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise CacheError(
            f"the features take up to {needed / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB left; "
            "keep fewer boxes a picture"
        )


@DATASETS.register_module()
class CachedExamples(torch.utils.data.Dataset[dict[str, Tensor]]):
    """Boxes whose features are on disk; an item holds the boxes of one picture."""

    def __init__(self, folder: Path | str) -> None:
        """Opens a cache that `gather` wrote.

        Raises:
            CacheError: the folder holds no complete cache.
        """
        folder = Path(folder)
        if not (folder / "cache.json").is_file():
            raise CacheError(f"{folder} holds no complete cache of features")
        described = json.loads((folder / "cache.json").read_text(encoding="utf-8"))
        count = described["boxes"]
        if count == 0:
            raise CacheError(f"{folder}: the detector has no box to learn from on the training pictures")
        shape = (count, *described["shape"])
        counts = np.load(folder / "counts.npy")
        ends = counts.cumsum()
        self.rows = [slice(end - size, end) for end, size in zip(ends, counts, strict=True) if size]
        tables = [path for path in folder.glob("*.npy") if path.stem != "counts"]
        self.columns: dict[str, np.ndarray] = {path.stem: np.load(path) for path in tables}
        for sight in described["key"]["sights"]:
            path = folder / f"{sight}.f16"
            self.columns[f"{sight}_features"] = np.memmap(path, dtype=np.float16, mode="r", shape=shape)
        self.metainfo: dict[str, Any] = {}

    def __len__(self) -> int:
        """Returns the number of pictures with at least one box."""
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Reads the features [P, C, S, S] of each sight as `SIGHT_features`, and P rows of each table."""
        return {name: torch.from_numpy(np.array(column[self.rows[index]])) for name, column in self.columns.items()}


@FUNCTIONS.register_module()
def join_pictures(items: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Joins the boxes of several pictures into a batch; ids of objects stay distinct."""
    batch = {name: torch.cat([item[name] for item in items]) for name in items[0]}
    numbers = [torch.full_like(item["object_ids"], number) for number, item in enumerate(items)]
    batch["object_ids"] = batch["object_ids"] * len(items) + torch.cat(numbers)
    return batch


def as_examples(batch: dict[str, Tensor]) -> Examples:
    """Returns the boxes of a batch as examples of one picture; the losses do not depend on the picture of a box."""
    jittered = [batch[JITTERED]] if JITTERED in batch else []
    return Examples(*([batch[name]] for name in TABLES), jittered_xyxy=jittered)


def heads_of(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Returns the trained heads' weights under the names that they have in a detector."""
    known = model.state_dict()
    return {f"roi_head.{name}": value for name, value in state.items() if f"roi_head.{name}" in known}
