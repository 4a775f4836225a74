"""Training judges on cached features: the frozen detector runs once for each picture."""

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

from dirdet.bundle import sha256_of
from dirdet_training.mm.checkpoints import load_weights, read_checkpoint
from dirdet_training.mm.configs import build_model
from dirdet_training.mm.feature_cache import (
    CacheKey,
    as_positives,
    gather,
    heads_of,
    is_cached,
)
from dirdet_training.mm.judges import SEEN, Sight, build_judges, judge_losses
from dirdet_training.mm.retrofit import JUDGES

# Pictures whose positives make a step.
BATCH = 8


@MODELS.register_module()
class CachedJudges(BaseModel):
    """The judges of a detector without the detector: looks at features that were pooled before."""

    def __init__(
        self,
        *,
        dir_head: dict[str, Any],
        sights: dict[str, Sight] | None = None,
        judges: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        """Builds the judges by the same settings as DIRMixin, with the same names of weights."""
        super().__init__()
        self.dir_head, self.judges, self.sights = build_judges(dir_head, sights, judges)

    def forward(self, mode: str = "loss", **batch: Tensor) -> dict[str, Tensor]:
        """The judges' losses on a batch of cached positives.

        Raises:
            ValueError: a mode other than loss.
        """
        if mode != "loss":
            raise ValueError(f"cached judges are only trained: mode must be 'loss', not {mode!r}")
        suffix = "_features"
        names = [sight for sight in SEEN if f"{sight}{suffix}" in batch]
        features = {sight: batch[f"{sight}{suffix}"].float() for sight in names}
        return judge_losses({"dir": self.dir_head, **self.judges}, self.sights, features, as_positives(batch))


def train_on_cache(cfg: Config, *, boxes_per_picture: int, trust_checkpoint: bool) -> Path:
    """Pools features with a frozen detector, unless that is done, and trains its judges on them.

    Args:
        cfg: a detector's that `retrofit` set up, with work_dir and load_from.
        boxes_per_picture: positives kept of each picture.
        trust_checkpoint: allow pickled objects in the checkpoint.

    Returns:
        The checkpoint of the whole detector, WORK_DIR/retrofitted.pth.

    Raises:
        CacheError: the disk is too small.
        CheckpointError: the checkpoint cannot be read, or is not this detector's.
    """
    checkpoint = Path(cfg.load_from)
    model: Any = build_model(cfg).to(get_device())
    content = read_checkpoint(checkpoint, trust_checkpoint=trust_checkpoint)
    load_weights(model, content, checkpoint, without=JUDGES)
    wanted = {sights.training for sights in model.roi_head.sights.values()}
    key = CacheKey(
        checkpoint_sha256=sha256_of(checkpoint),
        config_sha256=hashlib.sha256(_what_pooling_sees(cfg).encode()).hexdigest(),
        boxes_per_picture=boxes_per_picture,
        sights=tuple(sorted(wanted)),
    )
    folder = Path(cfg.work_dir) / "features"
    if not is_cached(folder, key):
        loader_cfg = copy.deepcopy(cfg.train_dataloader)
        loader_cfg.persistent_workers = False
        loader = Runner.build_dataloader(loader_cfg, seed=cfg.get("randomness", {}).get("seed"))
        with click.progressbar(loader, label="Pooling features", file=sys.stderr) as shown:
            gather(model.eval(), shown, folder, key, pictures=len(loader.dataset))
    heads_cfg = _heads_config(cfg, folder)
    runner = Runner.from_cfg(heads_cfg)
    runner.train()
    model.load_state_dict(heads_of(runner.model.state_dict(), model), strict=False)
    path = Path(cfg.work_dir) / "retrofitted.pth"
    torch.save({"state_dict": model.cpu().state_dict(), "meta": {"cfg": cfg.pretty_text}}, path)
    cfg.dump(Path(cfg.work_dir) / f"{Path(cfg.filename).stem}.py")
    return path


def _what_pooling_sees(cfg: Config) -> str:
    """The config's parts that cached features depend on: everything of the model but its judges, and the data."""
    model = copy.deepcopy(cfg.model)
    for name in ("dir_head", "judges", "sights"):
        model.roi_head.pop(name, None)
    return repr((model.to_dict(), cfg.train_dataloader.to_dict(), cfg.get("randomness")))


def _heads_config(cfg: Config, folder: Path) -> Config:
    """A config that trains the judges alone on a folder of features, by the schedule of the detector's."""
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
        "dataset": {"type": "CachedPositives", "folder": str(folder)},
    }
    heads.default_hooks.pop("visualization", None)
    heads.work_dir = str(Path(cfg.work_dir) / "heads")
    heads.default_scope = "mmdet"
    heads.log_processor = cfg.get("log_processor")
    heads.randomness = cfg.get("randomness", {"seed": 0})
    return heads
