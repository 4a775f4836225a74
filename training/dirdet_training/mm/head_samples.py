"""Selects the boxes that train the head: positives as in the paper, or a mixture that also has boxes that fit badly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor

from dirdet.errors import DirdetError
from dirdet_training import geometry
from dirdet_training.mm.examples import Examples, Refined
from dirdet_training.rivals.jitter import jittered_boxes

SOURCES = ("positives", "candidates", "jittered")
# The number of bins of IoU over which candidates are balanced.
BINS = 10
# A candidate is not used if it fits no object and more than this share of its area lies on an ignored object.
IGNORED_SHARE = 0.5


class LearningError(DirdetError):
    """The mixture of boxes to train on is unknown."""


@dataclass(frozen=True)
class Seen:
    """The boxes of a training step that judges may be trained on, one entry for each picture; pixels of the canvas.

    Attributes:
        positives: positive proposals with the objects they were assigned to.
        candidates: the boxes that would reach the head in inference; empty unless the mixture uses them.
        objects_xyxy: [G_b, 4], of an object that a tile's edge cuts the part inside.
        whole_xyxy: [G_b, 4], the whole objects, which purity and integrity are of.
        class_ids: [G_b].
        ignored_xyxy: [I_b, 4], crowds and other ignored regions.
        picture_hws: (height, width) of each picture on its canvas.
    """

    positives: Examples
    candidates: list[Refined]
    objects_xyxy: list[Tensor]
    whole_xyxy: list[Tensor]
    class_ids: list[Tensor]
    ignored_xyxy: list[Tensor]
    picture_hws: list[tuple[int, int]]

    @classmethod
    def of(cls, samples: Sequence[Any], positives: Examples, candidates: list[Refined]) -> "Seen":
        """Makes it of MMDetection's samples; their objects have `whole_boxes` where tiles were cut (mm/tiles.py)."""
        objects = [get_box_tensor(sample.gt_instances.bboxes) for sample in samples]
        cut = all("whole_boxes" in sample.gt_instances for sample in samples)
        whole = [sample.gt_instances.whole_boxes for sample in samples] if cut else objects
        return cls(
            positives=positives.of_objects(whole) if cut else positives,
            candidates=candidates,
            objects_xyxy=objects,
            whole_xyxy=whole,
            class_ids=[sample.gt_instances.labels for sample in samples],
            ignored_xyxy=[
                get_box_tensor(sample.ignored_instances.bboxes) if "ignored_instances" in sample else boxes[:0]
                for sample, boxes in zip(samples, objects, strict=True)
            ],
            picture_hws=[sample.img_shape for sample in samples],
        )


@dataclass(frozen=True)
class LearnsFrom:
    """The mixture of boxes that the judges are trained on; the shares need not add up to 1.

    Attributes:
        positives: the refined boxes of positive proposals, with the objects they were assigned to. If it is the only
            source, as in the paper (section 3.4), all positives are used.
        candidates: the sampled proposals' boxes that would reach the head in inference, drawn evenly over the IoU with
            the best object. A cascade's scores are those of the last stage.
        jittered: boxes drawn around objects, evenly over the IoU with them from `lowest_iou` to 1.
        boxes_per_picture: the number of boxes drawn in total; a source that has fewer boxes than its share gives them
            all.
        lowest_iou: the lowest IoU of jittered boxes.
    """

    positives: float = 0.0
    candidates: float = 0.0
    jittered: float = 0.0
    boxes_per_picture: int = 64
    lowest_iou: float = 0.1

    def __post_init__(self) -> None:
        """Raises LearningError if the settings are invalid."""
        shares = self.shares
        if min(shares.values()) < 0 or not 0 < sum(shares.values()) < float("inf"):
            raise LearningError(f"shares of boxes to learn from must not be negative, nor all 0: {shares}")
        if self.boxes_per_picture < 1 or not 0 < self.lowest_iou < 1:
            raise LearningError(
                f"expected boxes_per_picture of 1 at least and lowest_iou between 0 and 1, not "
                f"{self.boxes_per_picture} and {self.lowest_iou}"
            )

    @property
    def shares(self) -> dict[str, float]:
        """Returns the share of each source."""
        return {name: getattr(self, name) for name in SOURCES}

    @property
    def is_paper(self) -> bool:
        """Whether positives are the only source."""
        return self.candidates == self.jittered == 0

    @classmethod
    def of(cls, setting: "str | Mapping[str, Any] | None") -> "LearnsFrom":
        """Makes the mixture of a setting: text that `parse` reads, or this class's fields; positives by default.

        Raises:
            LearningError: the mixture is unknown.
        """
        if setting is None:
            return cls(positives=1.0)
        if isinstance(setting, str):
            return cls.parse(setting)
        known = [field.name for field in fields(cls)]
        if unknown := sorted(set(setting) - set(known)):
            raise LearningError(f"learns_from has no {unknown[0]!r}; it has {', '.join(known)}")
        return cls(**setting)

    @classmethod
    def parse(cls, text: str) -> "LearnsFrom":
        """Reads a mixture such as `positives`, `jittered+candidates` (equal shares), `jittered=2+positives=1`.

        Raises:
            LearningError: the mixture is unknown.
        """
        shares: dict[str, Any] = {}
        for word in text.split("+"):
            name, equals, share = word.strip().partition("=")
            if name not in SOURCES or name in shares:
                raise LearningError(f"expected sources among {', '.join(SOURCES)}, joined by +, not {text!r}")
            try:
                shares[name] = float(share) if equals else 1.0
            except ValueError as exc:
                raise LearningError(f"the share of {name} must be a number, not {share!r}") from exc
        return cls(**shares)

    def draw(self, seen: Seen, count: int | None = None) -> Examples:
        """Draws the boxes that one step trains on, by torch's generator.

        Args:
            seen: the step's boxes.
            count: boxes for each picture instead of `boxes_per_picture`; an upper bound if positives are the only
                source.
        """
        if self.is_paper:
            return seen.positives if count is None else _some_positives(seen.positives, count)
        quotas = _quotas(self.shares, self.boxes_per_picture if count is None else count)
        drawn = Examples([], [], [], [], [])
        first_id = 0
        for number, objects in enumerate(seen.objects_xyxy):
            parts = [_positives_of(seen.positives, number, quotas["positives"])]
            if quotas["candidates"]:
                parts.append(_draw_candidates(seen, number, quotas["candidates"], first_id))
            if quotas["jittered"]:
                parts.append(self._draw_jittered(seen, number, quotas["jittered"], first_id))
            for name, rows in zip(_TABLES, zip(*parts, strict=True), strict=True):
                getattr(drawn, name).append(torch.cat(rows))
            first_id += len(objects)
        return drawn

    def _draw_jittered(self, seen: Seen, number: int, count: int, first_id: int) -> "Rows":
        """Draws `count` boxes around a picture's objects, about equally many for each; none if there is no object."""
        objects = seen.objects_xyxy[number]
        objects = objects[geometry.areas(objects) > 0]
        if not len(objects):
            count = 0
        order = torch.randperm(max(len(objects), 1), device=objects.device).repeat(-(-count // max(len(objects), 1)))
        around = objects[order[:count]]  # [count, 4]
        boxes = jittered_boxes(around, 1, min_iou=self.lowest_iou).squeeze(1).to(objects.dtype)
        height, width = seen.picture_hws[number]
        boxes = torch.stack([boxes[:, side].clamp(0, (width, height)[side % 2]) for side in range(4)], dim=1)
        return _on_objects(boxes, boxes, seen, number, first_id)


Rows = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
# The order of the fields of Examples and of Rows.
_TABLES = ("proposals_xyxy", "refined_xyxy", "objects_xyxy", "class_ids", "object_ids")


def _quotas(shares: Mapping[str, float], count: int) -> dict[str, int]:
    """Returns how many of `count` boxes each source gives; the numbers add up to `count`."""
    whole = sum(shares.values())
    reached, given = 0.0, 0
    quotas: dict[str, int] = {}
    for name, share in shares.items():
        reached += share / whole * count
        quotas[name] = round(reached) - given
        given += quotas[name]
    return quotas


def _some_positives(positives: Examples, count: int) -> Examples:
    """Draws at most `count` positives of each picture."""
    rows = [_positives_of(positives, number, count) for number in range(len(positives.refined_xyxy))]
    return Examples(*(list(column) for column in zip(*rows, strict=True)))


def _positives_of(positives: Examples, number: int, count: int) -> Rows:
    """Draws at most `count` positives of one picture, without replacement."""
    size = len(positives.refined_xyxy[number])
    device = positives.refined_xyxy[number].device
    index = torch.randperm(size, device=device)[:count].sort().values
    return tuple(getattr(positives, name)[number][index] for name in _TABLES)  # pyright: ignore[reportReturnType]


def _draw_candidates(seen: Seen, number: int, count: int, first_id: int) -> Rows:
    """Draws at most `count` of a picture's candidates, evenly over the IoU with the best object."""
    found = seen.candidates[number]
    proposals, boxes, objects, class_ids, object_ids = _on_objects(
        found.proposals_xyxy, found.boxes_xyxy, seen, number, first_id
    )
    ious = geometry.iou(boxes, objects)  # [C]
    ignored = seen.ignored_xyxy[number]
    if len(ignored):
        on_ignored = geometry.purity(boxes[:, None], ignored[None]).amax(dim=1) > IGNORED_SHARE
        learnt = (~on_ignored | (ious >= 0.5)).nonzero().squeeze(1)
    else:
        learnt = torch.arange(len(boxes), device=boxes.device)
    index = learnt[balanced(ious[learnt], count)]
    return proposals[index], boxes[index], objects[index], class_ids[index], object_ids[index]


def balanced(ious: Tensor, count: int) -> Tensor:
    """Draws indices of at most `count` of N boxes, without replacement and evenly over bins of their IoU.

    All bins give equally many boxes while they have boxes left; the fuller bins then give the rest.

    Args:
        ious: [N] in [0, 1].
        count: the number of boxes.

    Returns:
        [min(N, count)].
    """
    order = torch.randperm(len(ious), device=ious.device)
    bins = (ious[order] * BINS).long().clamp(max=BINS - 1)  # [N]
    members = torch.nn.functional.one_hot(bins, BINS)  # [N, BINS]
    turn = (members.cumsum(dim=0) * members).sum(dim=1)  # [N], 1 for the first of its bin
    return order[turn.argsort(stable=True)[:count]]


def _on_objects(proposals: Tensor, boxes: Tensor, seen: Seen, number: int, first_id: int) -> Rows:
    """Pairs each box of a picture with the whole object of any class whose part inside it overlaps best, or none."""
    objects, whole, classes = seen.objects_xyxy[number], seen.whole_xyxy[number], seen.class_ids[number]
    if not len(objects):
        none = torch.full((len(boxes),), -1, device=boxes.device, dtype=torch.long)
        return proposals, boxes, torch.zeros_like(boxes), none, none
    best = geometry.iou(boxes[:, None], objects[None]).max(dim=1)  # [N]
    on_one = best.values > 0
    return (
        proposals,
        boxes,
        torch.where(on_one[:, None], whole[best.indices], 0),
        torch.where(on_one, classes[best.indices], -1),
        torch.where(on_one, best.indices + first_id, -1),
    )
