"""Trains judges on cached features, so that the frozen detector runs once for each picture."""

# pyright: reportAttributeAccessIssue=false, reportCallIssue=false

import copy
import hashlib
import sys
from pathlib import Path
from typing import Any

import click
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor

from dirdet.bundle.bundle import sha256_of
from dirdet_training.mm.checkpoints import load_weights, read_checkpoint
from dirdet_training.mm.configs import build_model
from dirdet_training.mm.feature_cache import (
    CacheKey,
    as_examples,
    gather,
    heads_of,
    is_cached,
)
from dirdet_training.mm.frozen import JUDGES
from dirdet_training.mm.head_start import begin_as_box_head, has_dir_head
from dirdet_training.mm.judges import SEEN, Sight, build_judges, judge_losses
from dirdet_training.mm.refused_settings import naming_refused_settings

# The number of pictures whose boxes make one step.
BATCH = 8


@MODELS.register_module()
class CachedJudges(BaseModel):
    """A detector's judges without the detector; their input is features that were pooled before."""

    def __init__(
        self,
        *,
        dir_head: dict[str, Any],
        sights: dict[str, Sight] | None = None,
        judges: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        """Builds the judges from the same settings as DIRMixin, with the same names of weights."""
        super().__init__()
        self.dir_head, self.judges, self.sights = build_judges(dir_head, sights, judges)

    def forward(self, mode: str = "loss", **batch: Tensor) -> dict[str, Tensor]:
        """Computes the judges' losses on a batch of cached boxes.

        Raises:
            ValueError: the mode is not "loss".
        """
        if mode != "loss":
            raise ValueError(f"cached judges are only trained: mode must be 'loss', not {mode!r}")
        suffix = "_features"
        names = [sight for sight in SEEN if f"{sight}{suffix}" in batch]
        features = {sight: batch[f"{sight}{suffix}"].float() for sight in names}
        return judge_losses({"dir": self.dir_head, **self.judges}, self.sights, features, as_examples(batch))


@naming_refused_settings()
def train_on_cache(
    cfg: Config, *, boxes_per_picture: int, passes: int, trust_checkpoint: bool, averaged: bool = True
) -> Path:
    """Pools features with a frozen detector, unless they are cached already, and trains its judges on them.

    Args:
        cfg: config of a detector that `retrofit` set up, with work_dir and load_from.
        boxes_per_picture: boxes kept of each picture and pass.
        passes: how often each picture is read, with a new augmentation each time; each pass counts as another picture.
        trust_checkpoint: allow pickled objects in the checkpoint.
        averaged: as in `weights_in`.

    Returns:
        The checkpoint of the whole detector, WORK_DIR/retrofitted.pth.

    Raises:
        CacheError: the disk is too small.
        CheckpointError: the checkpoint cannot be read, or belongs to another detector.
    """
    checkpoint = Path(cfg.load_from)
    model: Any = build_model(cfg).to(get_device())
    content = read_checkpoint(checkpoint, trust_checkpoint=trust_checkpoint)
    load_weights(model, content, checkpoint, without=JUDGES, averaged=averaged)
    if not has_dir_head(content):
        begin_as_box_head(model.roi_head)
    wanted = {sights.training for sights in model.roi_head.sights.values()}
    key = CacheKey(
        checkpoint_sha256=sha256_of(checkpoint),
        config_sha256=hashlib.sha256(_what_pooling_sees(cfg, averaged=averaged).encode()).hexdigest(),
        boxes_per_picture=boxes_per_picture,
        passes=passes,
        sights=tuple(sorted(wanted)),
    )
    folder = Path(cfg.work_dir) / "features"
    if not is_cached(folder, key):
        loader_cfg = copy.deepcopy(cfg.train_dataloader)
        loader_cfg.persistent_workers = False
        loader_cfg.dataset = {"type": "RepeatDataset", "dataset": loader_cfg.dataset, "times": passes}
        loader = Runner.build_dataloader(loader_cfg, seed=cfg.get("randomness", {}).get("seed"))
        with click.progressbar(loader, label="Pooling features", file=sys.stderr) as shown:
            gather(model.eval(), shown, folder, key, pictures=len(loader.dataset))
    heads_cfg = _heads_config(cfg, folder)
    runner = Runner.from_cfg(heads_cfg)
    runner.model.dir_head.load_state_dict(model.roi_head.dir_head.state_dict())
    runner.train()
    model.load_state_dict(heads_of(runner.model.state_dict(), model), strict=False)
    path = Path(cfg.work_dir) / "retrofitted.pth"
    meta = {"cfg": cfg.pretty_text, "dataset_meta": (content.get("meta") or {}).get("dataset_meta")}
    torch.save({"state_dict": model.cpu().state_dict(), "meta": meta}, path)
    cfg.dump(Path(cfg.work_dir) / f"{Path(cfg.filename).stem}.py")
    return path


def _what_pooling_sees(cfg: Config, *, averaged: bool) -> str:
    """Dumps what cached features depend on: the model without its judges, the data, and which weights are taken."""
    model = copy.deepcopy(cfg.model)
    for name in ("dir_head", "judges", "sights"):
        model.roi_head.pop(name, None)
    return repr((model.to_dict(), cfg.train_dataloader.to_dict(), cfg.get("randomness"), averaged))


def _heads_config(cfg: Config, folder: Path) -> Config:
    """Makes a config that trains only the judges on a folder of features, with the detector config's schedule."""
    heads = Config({key: cfg[key] for key in ("optim_wrapper", "param_scheduler", "train_cfg", "default_hooks")})
    heads = copy.deepcopy(heads)
    roi_head = cfg.model.roi_head
    heads.model = {
        "type": "CachedJudges",
        "dir_head": roi_head.dir_head,
        "sights": roi_head.get("sights"),
        "judges": roi_head.get("judges"),
    }
    heads.train_dataloader = {
        "batch_size": BATCH,
        "num_workers": 0,
        "sampler": {"type": "DefaultSampler", "shuffle": True},
        "collate_fn": {"type": "join_pictures"},
        "dataset": {"type": "CachedExamples", "folder": str(folder)},
    }
    heads.default_hooks.pop("visualization", None)
    heads.work_dir = str(Path(cfg.work_dir) / "heads")
    heads.default_scope = "mmdet"
    heads.log_processor = cfg.get("log_processor")
    heads.randomness = cfg.get("randomness", {"seed": 0})
    return heads
