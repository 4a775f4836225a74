"""Selects weights of one detector as initial weights of another."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.config import Config
from torch import Tensor

from dirdet_training.mm.checkpoints import read_checkpoint, weights_in
from dirdet_training.mm.configs import build_model
from dirdet_training.mm.modulation import untrained_modulations

# Parts of other RoI heads, each with the part of Faster R-CNN's head that has the same function.
_SAME_WORK = (
    (r"^roi_head\.bbox_head\.\d+\.(?=fc_|shared_fcs)", "roi_head.bbox_head."),  # a stage of a cascade
    (r"^roi_head\.bbox_head\.fc_branch\.", "roi_head.bbox_head.shared_fcs."),  # Double-Head's classifier
    (r"^roi_head\.tsd_head\.(?=fc_)", "roi_head.bbox_head."),
    (r"^roi_head\.tsd_head\.(cls|reg)_tower\.0\.", "roi_head.bbox_head.shared_fcs.0."),
    (r"^roi_head\.tsd_head\.(cls|reg)_tower\.2\.", "roi_head.bbox_head.shared_fcs.1."),
)


def fitting(wanted: Mapping[str, Tensor], there: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Selects the weights of one detector that can be initial weights of another.

    Args:
        wanted: the weights of the other detector, as built.
        there: the trained weights.

    Returns:
        By the other's names, the weights of the same name, and those of the part of a Faster R-CNN with the same
        function, if the shapes are equal.
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
    """Writes the weights that a detector can take from another detector's checkpoint.

    Args:
        cfg: config of the detector to be trained.
        checkpoint: checkpoint of the trained detector.
        path: the file to write, for MMEngine's `load_from`.
        trust_checkpoint: allow pickled objects in the checkpoint.

    Raises:
        CheckpointError: the checkpoint cannot be read.
    """
    content = read_checkpoint(checkpoint, trust_checkpoint=trust_checkpoint)
    there = weights_in(content)
    model = build_model(cfg)
    weights = fitting(model.state_dict(), there)
    for name in untrained_modulations(model, there):
        weights[name] = 2 * weights[name]
    torch.save({"state_dict": weights, "meta": {}}, path)
