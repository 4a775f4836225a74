"""Detection by a served bundle in turns with its peers, each of which has to detect the same first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dirdet.bench.turns import in_turns
from dirdet_export.anatomy import Limits
from dirdet_export.bench.peers import ENGINE, WITHOUT_DIR, Peer, Pixels
from dirdet_export.parity.compare import Comparison, compare_picture
from dirdet_export.parity.found import Found
from dirdet_export.parity.proposal_ties import find_sources
from dirdet_export.parity.reference import found_by_mmdet

WARM_UP = 2


@dataclass
class EngineTimes:
    """What a measurement gave.

    Attributes:
        seconds: of a picture, by peer, a round each.
        detections: of all pictures by the reference.
        candidates: of all pictures by the bundle.
        differing: why a peer was not timed, by name.
        near_ties: boxes that rounding alone let fall either way, by peer.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    detections: int = 0
    candidates: int = 0
    differing: dict[str, str] = field(default_factory=dict[str, str])
    near_ties: dict[str, int] = field(default_factory=dict[str, int])


def time_peers(
    peers: Mapping[str, Peer],
    by_score: Peer,
    model: Any,  # noqa: ANN401 - MMDetection's detector
    pictures: list[Pixels],
    limits: Limits,
    rounds: Iterable[int],
) -> EngineTimes:
    """Compares all with MMDetection on every picture, then times those that detect the same, a picture a round.

    Args:
        peers: by name, among them ENGINE.
        by_score: the bundle ranking by score alone: what a detector without DIR is compared with.
        model: MMDetection's detector, the reference.
        pictures: RGB [h, w, 3], resized.
        limits: thresholds and sizes.
        rounds: their numbers, the warm-up's included.
    """
    told = EngineTimes()
    comparisons = {name: Comparison(name) for name in peers}
    for pixels in pictures:
        _compare(told, comparisons, peers, by_score, model, pixels, limits)
    for name, comparison in comparisons.items():
        told.near_ties[name] = comparison.near_ties
        if not comparison.passed:
            told.differing[name] = (
                f"{comparison.missing} detections missing, {comparison.surplus} surplus, {comparison.beyond} apart"
            )
    timed = {name: peer for name, peer in peers.items() if name not in told.differing}
    prepared = [{name: peer.prepare(pixels) for name, peer in timed.items()} for pixels in pictures]
    now: dict[str, Any] = {}

    def with_new_pictures() -> Iterable[int]:
        for number in rounds:
            now.update(prepared[number % len(prepared)])
            yield number

    runs = {name: (lambda name=name, peer=peer: peer.detect(now[name])) for name, peer in timed.items()}
    told.seconds = in_turns(runs, with_new_pictures(), warm_up=WARM_UP)
    return told


def _compare(
    told: EngineTimes,
    comparisons: Mapping[str, Comparison],
    peers: Mapping[str, Peer],
    by_score: Peer,
    model: Any,  # noqa: ANN401
    pixels: Pixels,
    limits: Limits,
) -> None:
    """Adds a picture to every peer's comparison."""

    def ask(peer: Peer) -> tuple[Found, Found]:
        answer = peer.detect(peer.prepare(pixels))
        return peer.found(answer, True), peer.found(answer, False)

    answers = {name: ask(peer) for name, peer in peers.items()}
    [expected] = found_by_mmdet(model, [pixels])
    candidates = answers[ENGINE][1]
    told.detections += len(expected)
    told.candidates += len(candidates)
    for name, (found, _) in answers.items():
        sides, within = (expected, found, candidates), limits
        if name in WITHOUT_DIR:
            sides, within = (found, *ask(by_score)), replace(limits, iou_weight=0.0)
        reference, served, judged = sides
        compare_picture(
            comparisons[name],
            expected=reference,
            served=served,
            candidates=judged,
            limits=within,
            sources=lambda: find_sources(model, [np.ascontiguousarray(pixels)], 0),
        )
