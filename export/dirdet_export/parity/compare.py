"""Compares both sides picture by picture, alone and in one batch."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import nn

from dirdet.engines.base import Engine
from dirdet_export.anatomy import Limits
from dirdet_export.parity.found import Found, found_by_engine
from dirdet_export.parity.match import Pairs, pair_up
from dirdet_export.parity.near_ties import Leftovers, excused, spread
from dirdet_export.parity.proposal_ties import Sources, find_sources
from dirdet_export.parity.reference import found_by_mmdet
from dirdet_export.parity.serving import as_canvases

# As many as the gateway puts into one inference.
MAX_BATCH = 8


@dataclass
class Comparison:
    """How far one side is from the other, over some pictures.

    Attributes:
        name: which pictures, and how.
        pictures: how many.
        detections: of the reference.
        matched: of these, found by the other side too.
        largest: the largest difference of matched ones by name; `box` in pixels, `mask` as 1 - IoU.
        near_ties: detections of either side that a near-tie explains.
        missing: detections of the reference that nothing explains.
        surplus: detections of the other side that nothing explains.
        beyond: pairs that differ by more than is allowed.
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
        """Nothing is missing, nothing surplus, nothing beyond the tolerances."""
        return not (self.missing or self.surplus or self.beyond)

    def note(self, pairs: Pairs) -> None:
        """Takes the differences of pairs into account."""
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
    candidates: Found,
    limits: Limits,
    sources: Callable[[], Sources],
) -> None:
    """Adds one picture to a comparison.

    Args:
        into: what is added to.
        expected: the reference's detections.
        served: the bundle's.
        candidates: all of the bundle's candidates.
        limits: thresholds and sizes.
        sources: the picture's anchors; asked for only if something is left unexplained.
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
    verdicts = (
        excused(Leftovers(left[0], served), candidates, limits),
        excused(Leftovers(left[1], expected), candidates, limits),
    )
    verdicts = spread(left, verdicts, limits)
    if not all(verdict.all() for verdict in verdicts):
        origin = sources()
        verdicts = spread(left, (verdicts[0] | origin.explain(left[0]), verdicts[1] | origin.explain(left[1])), limits)
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
    """Detects with the bundle on pictures that make one batch, and adds them to a comparison.

    Args:
        into: what is added to.
        expected: what the reference found in the same batch.
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
                iou_weight=limits.iou_weight,
                kept_only=kept_only,
                picture_hw=(pictures[index].shape[0], pictures[index].shape[1]),
                mask_threshold=limits.mask_threshold,
            )
            for kept_only in (True, False)
        )
        compare_picture(
            into,
            expected=reference,
            served=served,
            candidates=candidates,
            limits=limits,
            sources=lambda index=index: find_sources(model, pictures, index),
        )


def compare_all(
    *, model: nn.Module, engine: Engine, parts: list[Engine], pictures: dict[str, NDArray[np.uint8]], limits: Limits
) -> list[Comparison]:
    """All comparisons of a bundle: each picture alone, all in one batch, and the network cut in two.

    Args:
        model: MMDetection's detector, the reference.
        engine: of the bundle, which serves.
        parts: the same network cut in two, in every way that the bundle offers.
        pictures: RGB [h, w, 3] each, resized, by name.
        limits: thresholds and sizes.
    """
    rows: list[Comparison] = []
    for name, pixels in pictures.items():
        rows.append(Comparison(f"{name}, alone"))
        found = found_by_mmdet(model, [pixels])
        compare_batch(rows[-1], expected=found, model=model, engine=engine, pictures=[pixels], limits=limits)
    together = Comparison("in one batch")
    apart = [Comparison(f"in one batch, by {part.description}") for part in parts]
    everything = list(pictures.values())
    for start in range(0, len(everything), MAX_BATCH):
        members = everything[start : start + MAX_BATCH]
        found = found_by_mmdet(model, members)
        for row, side in ((together, engine), *zip(apart, parts, strict=True)):
            compare_batch(row, expected=found, model=model, engine=side, pictures=members, limits=limits)
    return [*rows, together, *apart]


def compare_rounding(before: list[Found], after: list[Found]) -> Comparison:
    """How far rounding the weights itself moved the detections; nothing is excused, nothing fails."""
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
