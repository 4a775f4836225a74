"""Fresh weights scaled so that a detector works as a trained one does, where there are no trained ones."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch
from mmdet.structures.bbox import bbox2roi
from torch import Tensor, nn

# Standard deviations of layers' outputs, about those of trained detectors.
HIDDEN, OBJECTNESS, CLASSES, RPN_DELTAS, BOX_DELTAS, JUDGEMENTS = 1.0, 1.5, 2.0, 0.3, 0.5, 1.0
# Halvings of an interval of 60, to below float32's precision.
HALVINGS = 40


def scale_fresh_weights(model: Any, batch: dict[str, Any], *, candidates: int) -> None:  # noqa: ANN401 - MMDetection's detector
    """Sets a fresh Faster R-CNN's statistics and scales, in place, so that about so many candidates pass the threshold.

    Otherwise activations grow from layer to layer, and no score passes.

    Args:
        model: in evaluation mode, its head with shared layers and, maybe, a DIR head.
        batch: of one picture, as MMDetection packs it.
        candidates: pairs of box and class.
    """
    with torch.no_grad():
        data = model.data_preprocessor(batch, False)
        with _statistics_taken(model.backbone):
            model.extract_feat(data["inputs"])
        pyramid = model.extract_feat(data["inputs"])
        rpn, head = model.rpn_head, model.roi_head.bbox_head
        for layer, deviation in ((rpn.rpn_conv, HIDDEN), (rpn.rpn_cls, OBJECTNESS), (rpn.rpn_reg, RPN_DELTAS)):
            _scale(layer, deviation, lambda: rpn(pyramid))
        boxes = rpn.predict(pyramid, data["data_samples"])[0].bboxes
        extractor = model.roi_head.bbox_roi_extractor
        pooled = extractor(pyramid[: extractor.num_inputs], bbox2roi([boxes]))  # [R, C, s, s]
        layers = [*((each, HIDDEN) for each in head.shared_fcs), (head.fc_cls, CLASSES), (head.fc_reg, BOX_DELTAS)]
        for layer, deviation in layers:
            _scale(layer, deviation, lambda: head(pooled))
        for branch in getattr(model.roi_head, "dir_head", nn.Module()).children():
            linear = [part for part in branch.modules() if isinstance(part, nn.Linear)]
            for layer in linear:
                last = layer is linear[-1]
                _scale(layer, JUDGEMENTS if last else HIDDEN, lambda branch=branch: branch(pooled.flatten(1)))
        threshold = model.roi_head.test_cfg.score_thr
        head.fc_cls.bias[-1] += _background(head(pooled)[0], threshold, candidates)


@contextmanager
def _statistics_taken(model: nn.Module) -> Generator[None]:
    """Within the block, BatchNorm layers take the statistics of their inputs."""
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    momentum = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
        norm.momentum = None
    yield
    for norm, before in zip(norms, momentum, strict=True):
        norm.eval()
        norm.momentum = before


def _scale(layer: Any, deviation: float, run: Callable[[], object]) -> None:  # noqa: ANN401
    """Scales a layer's weights so that its outputs in a run have a standard deviation."""
    seen: list[Tensor] = []
    hook = layer.register_forward_hook(lambda _module, _inputs, output: seen.append(output.flatten()))
    run()
    hook.remove()
    layer.weight.mul_(deviation / torch.cat(seen).std())


def _background(logits: Tensor, threshold: float, candidates: int) -> float:
    """The offset of the last of logits [R, classes + 1] with which so many of the other probabilities pass."""
    low, middle, high = -20.0, 0.0, 40.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        shifted = logits.clone()
        shifted[:, -1] += middle
        passing = int((shifted.softmax(1)[:, :-1] > threshold).sum())
        low, high = (middle, high) if passing > candidates else (low, middle)
    return middle
