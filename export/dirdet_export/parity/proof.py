"""The proof of a bundle: MMDetection from picture files against POST /detect of the same files."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from torch import nn

from dirdet.detector.detector import inferences_of
from dirdet.engines.base import Engine
from dirdet.engines.tensors import MAX_BATCH, Candidates, CanvasBatch
from dirdet_export.dissect.mmdet_settings import Limits
from dirdet_export.errors import ParityError
from dirdet_export.parity.bundle_side import ServedFiles
from dirdet_export.parity.cases import FileCase
from dirdet_export.parity.compare import Comparison, compare_picture
from dirdet_export.parity.found_boxes import Found, found_by_engine
from dirdet_export.parity.match import MAX_BOX_DIFFERENCE_PX, MAX_FIGURE_DIFFERENCE, pair_up
from dirdet_export.parity.proposal_ties import Sources, find_sources

# Fewer boxes prove little: the score threshold is lowered until there are this many.
LIVELY = 50
# Least share of boxes that agree with MMDetection's from the same file.
MIN_SHARE = 0.99
# Levels of 255 by which both sides' pixels may differ after decoding, and after resizing the same pixels.
MAX_LEVELS = 0.0


@dataclass(frozen=True, slots=True)
class Causes:
    """Where the differences of one file come from, each step alone.

    Attributes:
        name: of the file.
        decoder: largest difference of the decoded pixels, levels of 255.
        resize: largest difference of the pixels after resizing the same ones, levels of 255.
        padding_px: how far a box moves when MMDetection's own padding becomes the canvas; infinite if one appears.
        padding_figure: by how much its figures change then.
    """

    name: str
    decoder: float
    resize: float
    padding_px: float
    padding_figure: float

    @property
    def steps(self) -> tuple[float, float, float, float]:
        """The differences, in order."""
        return self.decoder, self.resize, self.padding_px, self.padding_figure

    @property
    def too_large(self) -> list[str]:
        """The steps whose differences are beyond their tolerances."""
        beyond = {
            "decoder": self.decoder > MAX_LEVELS,
            "resize": self.resize > MAX_LEVELS,
            "padding": self.padding_px > MAX_BOX_DIFFERENCE_PX or self.padding_figure > MAX_FIGURE_DIFFERENCE,
        }
        return [name for name, is_beyond in beyond.items() if is_beyond]


@dataclass
class Proof:
    """All comparisons of a bundle.

    Attributes:
        whole: MMDetection from each file against the application's answer.
        arithmetic: both on the server's pixels and canvas, where only rounding differs.
        causes: of each file.
        score_threshold: that both sides detected with.
    """

    whole: list[Comparison]
    arithmetic: list[Comparison]
    causes: list[Causes]
    score_threshold: float = 0.0

    @property
    def boxes(self) -> int:
        """MMDetection's boxes in all files."""
        return self.whole[0].detections

    def share(self) -> float:
        """The share of boxes, of either side, that agree or that a near-tie explains."""
        wrong = max((row.missing + row.surplus + row.beyond) / max(1, row.detections) for row in self.whole)
        return 1 - wrong


def moved(one: Found, other: Found) -> tuple[float, float]:
    """The largest differences of boxes, pixels, and of figures; infinite if boxes have no partner."""
    pairs = pair_up(one, other)
    if len(pairs.one) < max(len(one), len(other)):
        return float("inf"), float("inf")
    return float(pairs.differences["box"].max(initial=0.0)), pairs.largest_figure()


@contextmanager
def threshold_of(model: nn.Module, score_threshold: float) -> Generator[None]:
    """Lets MMDetection detect with another score threshold."""
    part: Any = model
    config: Any = part.roi_head.test_cfg
    before: float = config.score_thr
    config.score_thr = score_threshold
    try:
        yield
    finally:
        config.score_thr = before


def lively_threshold(model: nn.Module, cases: Sequence[FileCase], limits: Limits) -> float:
    """The detector's score threshold, or a lower one at which MMDetection has enough boxes in these files.

    Raises:
        ParityError: there are fewer at any threshold.
    """
    if sum(len(case.detect(model, case.theirs)) for case in cases) >= LIVELY:
        return limits.score_threshold
    with threshold_of(model, 0.0):
        scores = np.concatenate([case.detect(model, case.theirs).score for case in cases])
    if len(scores) < LIVELY:
        raise ParityError(
            f"MMDetection detects {len(scores)} boxes in these {len(cases)} pictures, at any score; a proof needs "
            f"{LIVELY}: expected more pictures, or pictures with objects, --pictures"
        )
    best = np.sort(scores)[::-1][: 2 * LIVELY + 1]
    # Between two scores, so that rounding changes neither side's choice.
    return min(limits.score_threshold, float(best[-2:].mean()) if len(best) > 2 * LIVELY else 0.0)


def measure_padding(model: nn.Module, cases: Sequence[FileCase], limits: Limits) -> tuple[float, float]:
    """By how much MMDetection's boxes, pixels, and figures change if its padding becomes the canvas; as `moved`.

    Raises:
        ParityError: MMDetection detects too few boxes in these files.
    """
    with threshold_of(model, lively_threshold(model, cases, limits)):
        differences = [
            moved(case.detect(model, case.theirs), case.detect(model, case.padded))
            for case in cases
            if case.padded is not case.theirs
        ]
    return max((box for box, _ in differences), default=0.0), max((figure for _, figure in differences), default=0.0)


def prove(
    *, model: nn.Module, served: ServedFiles, parts: Sequence[Engine], cases: Sequence[FileCase], limits: Limits
) -> Proof:
    """Compares each file alone, several in one request, and the network in two parts.

    Args:
        model: MMDetection's detector, the reference.
        served: the application over the bundle.
        parts: engines that run the network in two parts.
        cases: of the files.
        limits: thresholds and sizes.

    Raises:
        ParityError: MMDetection detects too few boxes in these files.
    """
    threshold = lively_threshold(model, cases, limits)
    limits = replace(limits, score_threshold=threshold)
    with threshold_of(model, threshold):
        return _prove(model, served, parts, cases, limits)


def _prove(
    model: nn.Module, served: ServedFiles, parts: Sequence[Engine], cases: Sequence[FileCase], limits: Limits
) -> Proof:
    theirs = [case.detect(model, case.theirs) for case in cases]
    alike = [case.served is case.theirs for case in cases]
    exact = [
        whole if same else case.detect(model, case.served)
        for case, whole, same in zip(cases, theirs, alike, strict=True)
    ]
    alone, together = Comparison("from the files, one by one"), Comparison("from the files, several in a request")
    rounding: list[Comparison] = []
    causes: list[Causes] = []
    for case, whole, same_pixels in zip(cases, theirs, exact, strict=True):
        candidates = _candidates(case, served.engine, limits)
        [answer] = served.detect([case.file], [case.placed.fit], score_threshold=limits.score_threshold)
        compare = _comparer(model, case, candidates, limits)
        compare(alone, whole, answer)
        rounding.append(Comparison(f"{case.name}, rounding alone"))
        compare(rounding[-1], same_pixels, answer)
        padded = case.padded
        shifted = whole if padded is case.theirs else same_pixels if padded is case.served else None
        box, figure = moved(whole, case.detect(model, padded) if shifted is None else shifted)
        causes.append(Causes(case.name, case.decoder, case.resize, box, figure))
    for start in range(0, len(cases), MAX_BATCH):
        members = cases[start : start + MAX_BATCH]
        answers = served.detect(
            [case.file for case in members],
            [case.placed.fit for case in members],
            score_threshold=limits.score_threshold,
        )
        for case, whole, answer in zip(members, theirs[start:], answers, strict=False):
            _comparer(model, case, _candidates(case, served.engine, limits), limits)(together, whole, answer)
    apart = [_by_parts(model, engine, cases, limits) for engine in parts]
    return Proof([alone, together], [*rounding, *apart], causes, limits.score_threshold)


def _batch(cases: Sequence[FileCase], limits: Limits) -> CanvasBatch:
    count = len(cases)
    return CanvasBatch(
        canvas=np.stack([case.placed.canvas for case in cases]),
        picture_hw=np.array([case.placed.fit.resized_hw for case in cases], np.int64),
        score_threshold=np.full(count, limits.score_threshold, np.float32),
        iou_weight=np.full(count, limits.iou_weight, np.float32),
        nms_iou_threshold=limits.nms_iou_threshold,
    )


def _candidates(case: FileCase, engine: Engine, limits: Limits) -> Callable[[], Found]:
    """All candidates of the bundle, computed when a difference needs an explanation."""

    @cache
    def find() -> Found:
        answer = engine.detect(_batch([case], limits))
        return case.clip(_by_engine(answer, 0, case, limits, kept_only=False))

    return find


def _by_engine(answer: Candidates, position: int, case: FileCase, limits: Limits, *, kept_only: bool) -> Found:
    return found_by_engine(answer, position, limits=limits, kept_only=kept_only, picture_hw=case.placed.fit.resized_hw)


def _comparer(
    model: nn.Module, case: FileCase, candidates: Callable[[], Found], limits: Limits
) -> Callable[[Comparison, Found, Found], None]:
    @cache
    def sources(near: float) -> Sources:
        return find_sources(model, case.served, 0, near=near)

    def compare(row: Comparison, expected: Found, answer: Found) -> None:
        compare_picture(row, expected=expected, served=answer, candidates=candidates, limits=limits, sources=sources)

    return compare


def _by_parts(model: nn.Module, engine: Engine, cases: Sequence[FileCase], limits: Limits) -> Comparison:
    """The network in two parts, on batches of canvases of one size; masks too."""
    row = Comparison(f"rounding alone, by {engine.description}")
    for members in inferences_of([case.placed for case in cases]):
        batch = [cases[index] for index in members]
        answer = engine.detect(_batch(batch, limits))
        for position, case in enumerate(batch):
            kept, everything = (
                case.clip(_by_engine(answer, position, case, limits, kept_only=kept_only))
                for kept_only in (True, False)
            )
            _comparer(model, case, lambda found=everything: found, limits)(row, case.detect_with_masks(model), kept)
    return row
