"""Weights of one detector for another to begin with."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.config import Config
from torch import Tensor

from dirdet_training.mm.checkpoints import read_checkpoint
from dirdet_training.mm.configs import build_model
from dirdet_training.mm.modulation import untrained_modulations

# Parts of other RoI heads and the part of a Faster R-CNN's that has the same work.
_SAME_WORK = (
    (r"^roi_head\.bbox_head\.\d+\.(?=fc_|shared_fcs)", "roi_head.bbox_head."),  # a stage of a cascade
    (r"^roi_head\.tsd_head\.(?=fc_)", "roi_head.bbox_head."),
    (r"^roi_head\.tsd_head\.(cls|reg)_tower\.0\.", "roi_head.bbox_head.shared_fcs.0."),
    (r"^roi_head\.tsd_head\.(cls|reg)_tower\.2\.", "roi_head.bbox_head.shared_fcs.1."),
)


def fitting(wanted: Mapping[str, Tensor], there: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of one detector that another can begin with.

    Args:
        wanted: the other's weights, as it was built.
        there: the trained ones.

    Returns:
        By the other's names: those of one name, and those of a part with the same work in a Faster R-CNN, as far as
        they are of one shape.
    """
    found: dict[str, Tensor] = {}
    for name, weight in wanted.items():
        twin = next((re.sub(was, is_, name) for was, is_ in _SAME_WORK if re.match(was, name)), name)
        for source in (name, twin):
            if source in there and there[source].shape == weight.shape:
                found[name] = there[source]
                break
    return found


def begin_with(cfg: Config, checkpoint: Path, path: Path, *, trust_checkpoint: bool = False) -> None:
    """Writes the weights that a detector can take from another's checkpoint.

    Args:
        cfg: the detector's that is to be trained.
        checkpoint: the trained one's.
        path: where MMEngine's `load_from` shall find them.
        trust_checkpoint: allow pickled objects in the checkpoint.

    Raises:
        CheckpointError: the checkpoint cannot be read.
    """
    content = read_checkpoint(checkpoint, trust_checkpoint=trust_checkpoint)
    there = content.get("state_dict", content)
    model = build_model(cfg)
    weights = fitting(model.state_dict(), there)
    for name in untrained_modulations(model, there):
        weights[name] = 2 * weights[name]
    torch.save({"state_dict": weights, "meta": {}}, path)
