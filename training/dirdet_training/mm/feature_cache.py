"""What judges learn from, pooled once from a frozen detector and kept on disk."""

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
from dirdet_training.mm.judges import SEEN, Sight
from dirdet_training.mm.positives import Positives

# Positives' boxes and numbers, beside their features.
TABLES = ("proposals_xyxy", "refined_xyxy", "objects_xyxy", "class_ids", "object_ids")
# A table too where judges look at jittered boxes.
JITTERED = "jittered_xyxy"


class CacheError(DirdetError):
    """Features that cannot be kept, or are not of this detector."""


@dataclass(frozen=True)
class CacheKey:
    """What cached features depend on.

    Attributes:
        checkpoint_sha256: of the frozen detector.
        config_sha256: of its config's text.
        boxes_per_picture: positives kept of each picture.
        sights: where features are pooled.
    """

    checkpoint_sha256: str
    config_sha256: str
    boxes_per_picture: int
    sights: tuple[Sight, ...]


def is_cached(folder: Path, key: CacheKey) -> bool:
    """Whether a folder holds the whole of what a key names."""
    path = folder / "cache.json"
    return path.is_file() and json.loads(path.read_text(encoding="utf-8"))["key"] == json.loads(json.dumps(asdict(key)))


def some_of(positives: Positives, count: int) -> Positives:
    """At most so many positives of each picture, drawn without replacement by torch's generator."""
    drawn = [torch.randperm(len(boxes), device=boxes.device)[:count].sort().values for boxes in positives.refined_xyxy]
    return Positives(
        *([rows[index] for rows, index in zip(getattr(positives, name), drawn, strict=True)] for name in TABLES)
    )


@torch.no_grad()
def gather(model: Any, batches: Iterable[dict[str, Any]], folder: Path, key: CacheKey, *, pictures: int) -> int:  # noqa: ANN401
    """Pools the positives of every picture and writes them below a folder; what stood there is replaced.

    Args:
        model: a frozen two-stage detector with DIR, in evaluation mode.
        batches: training pictures, as the data loader gives them.
        folder: gets `SIGHT.f16` (features [P, C, S, S]), a table of P rows for each of TABLES, how many rows are each
            picture's, and cache.json, written last.
        key: what is to be written down beside them.
        pictures: how many the batches hold, for the estimate.

    Returns:
        P, the positives kept.

    Raises:
        CacheError: the disk is too small for what is to come.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = (*TABLES, JITTERED) if "jittered" in key.sights else TABLES
    tables: dict[str, list[Tensor]] = {name: [] for name in names}
    shape: tuple[int, ...] = ()
    files = {sight: (folder / f"{sight}.f16").open("wb") for sight in key.sights}
    try:
        for batch in batches:
            positives, features = _pool(model, batch, key)
            for sight, pooled in features.items():
                if not shape:
                    shape = tuple(pooled.shape[1:])
                    _require_space(folder, pictures * key.boxes_per_picture * len(files) * 2 * int(np.prod(shape)))
                files[sight].write(pooled.half().cpu().numpy().tobytes())
            for name, parts in tables.items():
                parts += [rows.cpu() for rows in getattr(positives, name)]
    finally:
        for file in files.values():
            file.close()
    counts = np.array([len(rows) for rows in tables["class_ids"]])
    np.save(folder / "counts.npy", counts)
    for name, parts in tables.items():
        np.save(folder / f"{name}.npy", torch.cat(parts).numpy() if parts else np.zeros(0))
    count = int(counts.sum())
    described = {"key": asdict(key), "shape": shape, "positives": count}
    (folder / "cache.json").write_text(json.dumps(described, indent=2), encoding="utf-8")
    return count


def _pool(model: Any, batch: dict[str, Any], key: CacheKey) -> tuple[Positives, dict[Sight, Tensor]]:  # noqa: ANN401
    """Positives of a batch, and their features [P, C, S, S] at each sight."""
    data = model.data_preprocessor(batch, training=True)
    x = model.extract_feat(data["inputs"])
    proposal_cfg = model.train_cfg.get("rpn_proposal", model.test_cfg.rpn)
    samples = data["data_samples"]
    _, proposals = model.rpn_head.loss_and_predict(x, samples, proposal_cfg=proposal_cfg)
    _, found = model.roi_head.detector_losses(x, proposals, samples)
    positives = some_of(found, key.boxes_per_picture)
    if "jittered" in key.sights:
        positives = positives.jittered()
    return positives, {sight: model.roi_head.box_features(x, getattr(positives, SEEN[sight])) for sight in key.sights}


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise CacheError(
            f"the features take up to {needed / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB left; "
            "keep fewer boxes a picture"
        )


@DATASETS.register_module()
class CachedPositives(torch.utils.data.Dataset[dict[str, Tensor]]):
    """Positives whose features are on disk, a picture's an item."""

    def __init__(self, folder: Path | str) -> None:
        """Opens what `gather` wrote.

        Raises:
            CacheError: the folder holds no complete cache.
        """
        folder = Path(folder)
        if not (folder / "cache.json").is_file():
            raise CacheError(f"{folder} holds no complete cache of features")
        described = json.loads((folder / "cache.json").read_text(encoding="utf-8"))
        count = described["positives"]
        if count == 0:
            raise CacheError(f"{folder}: the detector has no positive proposal on the training pictures")
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
        """The pictures with a positive."""
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Features [P, C, S, S] by sight as `SIGHT_features`, and P rows of each table."""
        return {name: torch.from_numpy(np.array(column[self.rows[index]])) for name, column in self.columns.items()}


@FUNCTIONS.register_module()
def join_pictures(items: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """A batch of several pictures' positives, whose objects stay apart."""
    batch = {name: torch.cat([item[name] for item in items]) for name in items[0]}
    numbers = [torch.full_like(item["object_ids"], number) for number, item in enumerate(items)]
    batch["object_ids"] = batch["object_ids"] * len(items) + torch.cat(numbers)
    return batch


def as_positives(batch: dict[str, Tensor]) -> Positives:
    """The positives of a batch, as those of one picture; which they came from no longer matters."""
    jittered = [batch[JITTERED]] if JITTERED in batch else []
    return Positives(*([batch[name]] for name in TABLES), jittered_xyxy=jittered)


def heads_of(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """The trained heads' weights, under the names that a detector gives them."""
    known = model.state_dict()
    return {f"roi_head.{name}": value for name, value in state.items() if f"roi_head.{name}" in known}
