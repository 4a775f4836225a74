"""A DIR head for a detector that is trained already: everything else stays as it is, bit for bit."""

# pyright: reportAttributeAccessIssue=false

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdet.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from dirdet_training.mm.checkpoints import load_weights, read_checkpoint
from dirdet_training.mm.configs import ConfigError, build_model

# The RoI heads that dirdet knows, without DIR and with it.
WITH_DIR = {
    "StandardRoIHead": "DIRStandardRoIHead",
    "DoubleHeadRoIHead": "DIRDoubleHeadRoIHead",
    "TSDRoIHead": "DIRTSDRoIHead",
    "CascadeRoIHead": "DIRCascadeRoIHead",
    "HybridTaskCascadeRoIHead": "DIRHybridTaskCascadeRoIHead",
}
# What is trained.
JUDGES = ("roi_head.dir_head.", "roi_head.judges.")
FC_CHANNELS = 1024


def add_dir_head(cfg: Config) -> None:
    """Gives a two-stage detector's config a DIR head for the features that its box head sees, in place.

    A config that has one already keeps it.

    Raises:
        ConfigError: the detector has no RoI head that DIR can be added to.
    """
    roi_head = cfg.model.get("roi_head")
    kind = roi_head.type if roi_head else "none"
    if kind in WITH_DIR.values():
        return
    if kind not in WITH_DIR:
        raise ConfigError(f"DIR needs a two-stage detector whose roi_head is one of {', '.join(WITH_DIR)}, not {kind}")
    box_head = roi_head.get("tsd_head") or roi_head.bbox_head
    last = box_head[-1] if isinstance(box_head, list) else box_head
    roi_head.type = WITH_DIR[kind]
    roi_head.dir_head = {
        "type": "DIRHead",
        "in_channels": last.get("in_channels", 256),
        "roi_size": last.get("roi_feat_size", 7),
        "fc_channels": FC_CHANNELS,
    }


def retrofit(cfg: Config, checkpoint: Path, *, epochs: int, trust_checkpoint: bool) -> None:
    """Turns a detector's config into one that trains a DIR head on its frozen checkpoint, in place.

    Args:
        cfg: the trained detector's.
        checkpoint: its weights.
        epochs: over the training pictures.
        trust_checkpoint: allow pickled objects in the checkpoint.

    Raises:
        ConfigError: the detector has no RoI head that DIR can be added to.
        CheckpointError: the checkpoint cannot be read, or is not this detector's.
    """
    add_dir_head(cfg)
    # MMEngine would leave out what does not fit without a word.
    load_weights(
        build_model(cfg), read_checkpoint(checkpoint, trust_checkpoint=trust_checkpoint), checkpoint, without=JUDGES
    )
    cfg.load_from = str(checkpoint)
    cfg.custom_hooks = [*cfg.get("custom_hooks", []), {"type": "FreezeDetectorHook"}]
    # What is frozen has no gradient, and DistributedDataParallel asks that this be said.
    cfg.find_unused_parameters = True
    head_schedule(cfg, epochs=epochs)


def head_schedule(cfg: Config, *, epochs: int) -> None:
    """AdamW and a cosine for a head of fresh weights on features that do not change, in place."""
    cfg.train_cfg = {"type": "EpochBasedTrainLoop", "max_epochs": epochs, "val_interval": epochs + 1}
    cfg.optim_wrapper = {
        "type": "OptimWrapper",
        "optimizer": {"type": "AdamW", "lr": 1e-3, "weight_decay": 0.05},
        "clip_grad": {"max_norm": 10.0},
    }
    cfg.param_scheduler = [
        {"type": "LinearLR", "start_factor": 0.1, "by_epoch": False, "begin": 0, "end": 50},
        {
            "type": "CosineAnnealingLR",
            "by_epoch": True,
            "convert_to_iter_based": True,
            "T_max": epochs,
            "end": epochs,
            "eta_min_ratio": 0.01,
        },
    ]
    cfg.pop("auto_scale_lr", None)
    checkpoint = cfg.setdefault("default_hooks", {}).setdefault("checkpoint", {"type": "CheckpointHook"})
    checkpoint.update({"by_epoch": True, "interval": 1})
    cfg.log_processor = {"type": "LogProcessor", "window_size": 50, "by_epoch": True}


@HOOKS.register_module()
class FreezeDetectorHook(Hook):
    """Trains the judges alone, or what else is said: no gradient elsewhere, and no statistics of BatchNorm at all."""

    def __init__(self, learning: Sequence[str] = JUDGES) -> None:
        """Remembers what learns.

        Args:
            learning: prefixes of weights' names.
        """
        self.learning = tuple(learning)

    def before_train(self, runner: Runner) -> None:
        """Turns off the gradients of everything that does not learn."""
        for name, weight in _detector(runner).named_parameters():
            weight.requires_grad_(name.startswith(self.learning))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:  # noqa: ANN401, ARG002
        """Puts the frozen parts in evaluation mode; MMEngine puts all in training mode as it likes."""
        model = _detector(runner)
        if model.backbone.training:
            model.eval()
            model.training = True  # pyright: ignore[reportAttributeAccessIssue] - the detector's own flag alone


def _detector(runner: Runner) -> Any:  # noqa: ANN401
    model: nn.Module = runner.model
    return getattr(model, "module", model)
