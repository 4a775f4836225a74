"""Boxes for NMS: several around each object, as a detector gives them, or independent ones."""

from typing import Literal

import torch

from dirdet_training import geometry
from dirdet_training.nms.ranks import Candidates
from dirdet_training.rivals import COLUMNS

Layout = Literal["clusters", "random"]

# A picture as MMDetection resizes COCO's, and objects from a small to a large one of it.
PICTURE_WH = (1333.0, 800.0)
SIDES = (24.0, 320.0)
BOXES_AN_OBJECT = 8
# Multiples of this stay exact in float32 when torchvision and mmcv offset the boxes of up to a hundred classes: answers
# can then be compared exactly.
PIXEL = 1 / 64


def random_boxes(layout: Layout, count: int, *, classes: int, seed: int, device: torch.device) -> Candidates:
    """Candidates of one picture, with what each rank needs; their scores differ.

    "clusters" draws objects, and around each one boxes that miss it by some 12% of its sides; "random" draws every box
    independently. `classes` is the number of the objects' classes, or of the boxes'.
    """
    draw = torch.Generator().manual_seed(seed)
    objects = max(1, count // BOXES_AN_OBJECT)
    drawn = count if layout == "random" else objects
    sides = SIDES[0] * (SIDES[1] / SIDES[0]) ** torch.rand(drawn, 2, generator=draw)
    centres = torch.rand(drawn, 2, generator=draw) * torch.tensor(PICTURE_WH)
    class_ids = torch.randint(0, classes, (drawn,), generator=draw)
    objects_xyxy = _boxes(centres[:objects], sides[:objects])
    object_class_ids = class_ids[:objects]
    if layout == "clusters":
        owner = torch.randint(0, objects, (count,), generator=draw)
        centres = centres[owner] + 0.12 * sides[owner] * torch.randn(count, 2, generator=draw)
        sides = sides[owner] * (0.12 * torch.randn(count, 2, generator=draw)).exp()
        class_ids = class_ids[owner]
    boxes = _boxes(centres, sides)
    fit = geometry.iou(boxes[:, None], objects_xyxy[None]).max(dim=1).values if count else torch.zeros(0)
    scores, ious = (_figures(fit, noise, draw).to(device) for noise in (0.25, 0.1))
    learnt = {name: _figures(fit, 0.2, draw).to(device) for name in COLUMNS}
    return Candidates(
        boxes_xyxy=boxes.to(device),
        class_ids=class_ids.to(device),
        scores=scores,
        ious=ious,
        objects_xyxy=objects_xyxy.to(device),
        object_class_ids=object_class_ids.to(device),
        learnt=learnt,
    )


def _boxes(centres: torch.Tensor, sides: torch.Tensor) -> torch.Tensor:
    corners = torch.cat([centres - sides / 2, centres + sides / 2], dim=1)
    inside = corners.clamp(min=0).minimum(torch.tensor(PICTURE_WH * 2))
    return (inside / PIXEL).round() * PIXEL


def _figures(fit: torch.Tensor, noise: float, draw: torch.Generator) -> torch.Tensor:
    """[N] different numbers in (0, 1), in the order of the fit and some noise; many are low, as scores are."""
    order = (fit + noise * torch.randn(len(fit), generator=draw)).argsort().argsort()
    return ((order + 1) / (len(fit) + 1)) ** 2
