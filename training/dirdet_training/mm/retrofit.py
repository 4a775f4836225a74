"""Adds a DIR head to a trained detector; all other weights stay the same, bit for bit."""

# pyright: reportAttributeAccessIssue=false

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from mmdet.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from dirdet_training.mm.checkpoints import load_weights, read_checkpoint
from dirdet_training.mm.configs import ConfigError, build_model, drop_pretrained
from dirdet_training.mm.frozen import JUDGES, freeze
from dirdet_training.mm.head_samples import LearnsFrom
from dirdet_training.mm.head_start import has_dir_head

# The RoI heads that dirdet supports, without DIR and with it. Dynamic R-CNN and PISA differ from Faster R-CNN only in
# their training, which a frozen detector does not need.
WITH_DIR = {
    "StandardRoIHead": "DIRStandardRoIHead",
    "DynamicRoIHead": "DIRStandardRoIHead",
    "PISARoIHead": "DIRStandardRoIHead",
    "MaskScoringRoIHead": "DIRMaskScoringRoIHead",
    "PointRendRoIHead": "DIRPointRendRoIHead",
    "TridentRoIHead": "DIRTridentRoIHead",
    "DoubleHeadRoIHead": "DIRDoubleHeadRoIHead",
    "TSDRoIHead": "DIRTSDRoIHead",
    "CascadeRoIHead": "DIRCascadeRoIHead",
    "HybridTaskCascadeRoIHead": "DIRHybridTaskCascadeRoIHead",
    "SCNetRoIHead": "DIRSCNetRoIHead",
}
# Box heads whose results lack what DIR's ranking needs.
BOX_HEADS = {"SABLHead": "DIRSABLHead"}
# Channels of the head's hidden layers; fewer if its features are larger than these.
FC_CHANNELS = 1024
USUAL_FEATURES = 256 * 7 * 7
# Entry points that are called with the detector and its config, and raise a DirdetError if it could not be used later:
# the export's, which this package does not import.
CHECKS = "dirdet.retrofit_checks"
# A higher rate, or no dropout, overfits on few pictures: docs/results/head.md has what was tried.
RETROFIT_RATE = 3e-4
RETROFIT_DROPOUT = 0.3
# The default mixture for a head that is added to a trained detector: docs/results/learning.md compares the mixtures.
RETROFIT_LEARNS_FROM = "candidates=2+positives=1"


def add_dir_head(cfg: Config) -> None:
    """Adds a DIR head for the features of the box head to a two-stage detector's config, in place.

    A config that already has one is not changed.

    Raises:
        ConfigError: the detector has no RoI head to which DIR can be added.
    """
    roi_head = cfg.model.get("roi_head")
    kind = roi_head.type if roi_head else "none"
    if kind in WITH_DIR.values():
        return
    if kind not in WITH_DIR:
        raise ConfigError(f"DIR needs a two-stage detector whose roi_head is one of {', '.join(WITH_DIR)}, not {kind}")
    box_head = roi_head.get("tsd_head") or roi_head.bbox_head
    for head in box_head if isinstance(box_head, list) else [box_head]:
        head.type = BOX_HEADS.get(head.type, head.type)
    last = box_head[-1] if isinstance(box_head, list) else box_head
    # SABL's head has features of one size for both tasks.
    channels = last.get("in_channels", last.get("cls_in_channels", 256))
    side = last.get("roi_feat_size", 7)
    roi_head.type = WITH_DIR[kind]
    roi_head.dir_head = {
        "type": "DIRHead",
        "in_channels": channels,
        "roi_size": side,
        "fc_channels": min(FC_CHANNELS, FC_CHANNELS * USUAL_FEATURES // (channels * side**2)),
        "dropout": RETROFIT_DROPOUT,
    }


def retrofit(
    cfg: Config,
    checkpoint: Path,
    *,
    epochs: int,
    trust_checkpoint: bool,
    averaged: bool = True,
    learns_from: str | None = None,
) -> None:
    """Turns a detector's config into one that trains a DIR head on its frozen checkpoint, in place.

    Args:
        cfg: the trained detector's config.
        checkpoint: its weights.
        epochs: the number of epochs over the training pictures.
        trust_checkpoint: allow pickled objects in the checkpoint.
        averaged: as in `weights_in`; the training that follows loads the weights by itself.
        learns_from: the boxes that train the head, as `LearnsFrom.parse` reads it; by default the config's setting, or
            RETROFIT_LEARNS_FROM if the config has no DIR head.

    Raises:
        ConfigError: the detector has no RoI head to which DIR can be added.
        LearningError: the mixture is unknown.
        CheckpointError: the checkpoint cannot be read, or belongs to another detector.
        DirdetError: the detector cannot be exported afterwards.
    """
    is_plain = "dir_head" not in (cfg.model.get("roi_head") or {})
    add_dir_head(cfg)
    if learns_from is not None or is_plain:
        set_learns_from(cfg, learns_from or RETROFIT_LEARNS_FROM)
    # Without this check, MMEngine would silently leave out weights that do not fit.
    model = build_model(cfg).eval()
    content = read_checkpoint(checkpoint, trust_checkpoint=trust_checkpoint)
    load_weights(model, content, checkpoint, without=JUDGES, averaged=averaged)
    if is_plain:
        # Before the training, not after it.
        for check in entry_points(group=CHECKS):
            check.load()(model, cfg)
    cfg.load_from = str(checkpoint)
    # The checkpoint replaces these weights.
    drop_pretrained(cfg.model)
    # A batch is padded without masks and semantic maps, which a frozen detector does not need.
    preprocessor = cfg.model.get("data_preprocessor") or {}
    for settings in (preprocessor, *(preprocessor.get("batch_augments") or [])):
        settings.update({name: False for name in ("pad_mask", "pad_seg") if name in settings})
    # An average would begin with the head's first, random weights, and the others do not change.
    kept = [hook for hook in cfg.get("custom_hooks", []) if "EMAHook" not in str(hook.get("type"))]
    cfg.custom_hooks = [*kept, {"type": "FreezeDetectorHook"}]
    if not has_dir_head(content):
        cfg.custom_hooks.append({"type": "BeginAsBoxHeadHook"})
    # Frozen weights have no gradient, and DistributedDataParallel needs this setting for them.
    cfg.find_unused_parameters = True
    head_schedule(cfg, epochs=epochs)


def set_learns_from(cfg: Config, text: str) -> None:
    """Sets the boxes that train the DIR head of a config, in place.

    Raises:
        ConfigError: the detector has no DIR head.
        LearningError: the mixture is unknown.
    """
    roi_head = cfg.model.get("roi_head")
    if not roi_head or "dir_head" not in roi_head:
        raise ConfigError("--learn-from needs a DIR head, and the detector of this config has none")
    LearnsFrom.parse(text)
    roi_head.learns_from = text


def head_schedule(cfg: Config, *, epochs: int) -> None:
    """Sets AdamW and a cosine schedule, for a head with new weights on fixed features, in place."""
    cfg.train_cfg = {"type": "EpochBasedTrainLoop", "max_epochs": epochs, "val_interval": epochs + 1}
    cfg.optim_wrapper = {
        "type": "OptimWrapper",
        "optimizer": {"type": "AdamW", "lr": RETROFIT_RATE, "weight_decay": 0.05},
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
    """Trains only the judges, or other named weights; others get no gradient, and BatchNorm statistics stay fixed."""

    def __init__(self, learning: Sequence[str] = JUDGES) -> None:
        """Stores the prefixes.

        Args:
            learning: prefixes of the names of the weights that are trained.
        """
        self.learning = tuple(learning)

    def before_train(self, runner: Runner) -> None:
        """Turns off the gradients of all weights that are not trained."""
        freeze(_detector(runner), self.learning)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:  # noqa: ANN401, ARG002
        """Sets the frozen parts to evaluation mode, because MMEngine repeatedly sets all parts to training mode."""
        model = _detector(runner)
        if model.backbone.training:
            model.eval()
            model.training = True  # pyright: ignore[reportAttributeAccessIssue] - the detector's own flag alone
            for name, part in model.named_modules():
                if f"{name}.".startswith(self.learning):
                    part.train()


def _detector(runner: Runner) -> Any:  # noqa: ANN401
    model: nn.Module = runner.model
    return getattr(model, "module", model)
