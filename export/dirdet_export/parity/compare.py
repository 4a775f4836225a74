"""Compares both sides picture by picture."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import nn

from dirdet.engines.base import Engine
from dirdet_export.dissect.mmdet_settings import Limits
from dirdet_export.parity.found_boxes import Found, found_by_engine
from dirdet_export.parity.match import Pairs, pair_up
from dirdet_export.parity.near_ties import Leftovers, excused, nearness, spread
from dirdet_export.parity.proposal_ties import Sources, find_sources
from dirdet_export.parity.reference import as_mmdet_batch, prepare
from dirdet_export.parity.serving import as_canvases


@dataclass
class Comparison:
    """Differences between the two sides over several pictures.

    Attributes:
        name: of the pictures and the kind of comparison.
        pictures: number of pictures.
        detections: number of the reference's detections.
        matched: number of these that the other side has too.
        largest: the largest difference of matched detections by name; `box` in pixels, `mask` as 1 - IoU.
        near_ties: number of unmatched detections of either side that a near-tie explains.
        missing: number of unmatched, unexplained detections of the reference.
        surplus: number of unmatched, unexplained detections of the other side.
        beyond: number of pairs that differ by more than the tolerances.
    """

    name: str
    pictures: int = 0
    detections: int = 0
    matched: int = 0
    largest: dict[str, float] = field(default_factory=dict[str, float])
    near_ties: int = 0
    missing: int = 0
    surplus: int = 0
    beyond: int = 0

    @property
    def passed(self) -> bool:
        """Whether nothing is missing, surplus or beyond the tolerances."""
        return not (self.missing or self.surplus or self.beyond)

    def note(self, pairs: Pairs) -> None:
        """Adds the differences of pairs."""
        for name, values in pairs.differences.items():
            self.largest[name] = max(self.largest.get(name, 0.0), float(values.max(initial=0.0)))


def choose(found: Found, rows: NDArray[np.bool_]) -> Found:
    """Some of the boxes."""
    values = {name: figures[rows] for name, figures in found.figures().items()}
    return Found(
        boxes_xyxy=found.boxes_xyxy[rows],
        class_id=found.class_id[rows],
        score=values["score"],
        purity=values.get("purity"),
        integrity=values.get("integrity"),
        iou=values.get("iou"),
        confidence=values["confidence"],
        masks=None if found.masks is None else [found.masks[row] for row in np.flatnonzero(rows)],
    )


def _outside(count: int, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    mask = np.ones(count, np.bool_)
    mask[rows] = False
    return mask


def compare_picture(
    into: Comparison,
    *,
    expected: Found,
    served: Found,
    candidates: Callable[[], Found],
    limits: Limits,
    sources: Callable[[float], Sources],
) -> None:
    """Adds one picture to a comparison.

    Args:
        into: the comparison.
        expected: the reference's detections.
        served: the bundle's.
        candidates: all of the bundle's candidates; called only if a box has no partner, as `sources` is.
        limits: thresholds and sizes.
        sources: the picture's anchors, given what counts as near; called only if unmatched detections are unexplained.
    """
    pairs = pair_up(expected, served)
    close = pairs.choose(pairs.close())
    into.pictures += 1
    into.detections += len(expected)
    into.matched += len(close.one)
    into.note(close)
    left = (
        choose(expected, _outside(len(expected), close.one)),
        choose(served, _outside(len(served), close.other)),
    )
    if not len(left[0]) and not len(left[1]):
        return
    everything, near = candidates(), nearness(close)
    verdicts = (
        excused(Leftovers(left[0], served), everything, limits, near),
        excused(Leftovers(left[1], expected), everything, limits, near),
    )
    verdicts = spread(left, verdicts, limits, near)
    if not all(verdict.all() for verdict in verdicts):
        origin = sources(near)
        explained = verdicts[0] | origin.explain(left[0]), verdicts[1] | origin.explain(left[1])
        verdicts = spread(left, explained, limits, near)
    into.near_ties += int(verdicts[0].sum() + verdicts[1].sum())
    unexplained = (choose(left[0], ~verdicts[0]), choose(left[1], ~verdicts[1]))
    wrong = pair_up(*unexplained)
    into.note(wrong)
    into.beyond += len(wrong.one)
    into.missing += len(unexplained[0]) - len(wrong.one)
    into.surplus += len(unexplained[1]) - len(wrong.one)


def compare_batch(
    into: Comparison,
    *,
    expected: list[Found],
    model: nn.Module,
    engine: Engine,
    pictures: list[NDArray[np.uint8]],
    limits: Limits,
) -> None:
    """Detects with the bundle on pictures in one batch, and adds the results to a comparison.

    Args:
        into: the comparison.
        expected: the reference's detections in the same batch.
        model: MMDetection's detector, the reference.
        engine: of the bundle.
        pictures: RGB [h, w, 3] each, resized.
        limits: thresholds and sizes.
    """
    answer = engine.detect(as_canvases(pictures, limits))
    for index, reference in enumerate(expected):
        served, candidates = (
            found_by_engine(
                answer,
                index,
                limits=limits,
                kept_only=kept_only,
                picture_hw=(pictures[index].shape[0], pictures[index].shape[1]),
            )
            for kept_only in (True, False)
        )
        compare_picture(
            into,
            expected=reference,
            served=served,
            candidates=lambda found=candidates: found,
            limits=limits,
            sources=lambda near, index=index: find_sources(
                model, prepare(model, as_mmdet_batch(pictures)), index, near=near
            ),
        )


def compare_rounding(before: list[Found], after: list[Found]) -> Comparison:
    """Differences that come from rounding the weights alone; for information, so that it never fails."""
    row = Comparison("float16 weights against float32")
    for one, other in zip(before, after, strict=True):
        pairs = pair_up(one, other)
        row.pictures += 1
        row.detections += len(one)
        row.matched += len(pairs.one)
        row.missing += len(one) - len(pairs.one)
        row.surplus += len(other) - len(pairs.one)
        row.note(pairs)
    return row
