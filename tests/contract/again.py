"""The rule by which a client ranks candidates again, as the API's documentation states it."""

import math
from typing import Any

from dirdet.detection.ranking import confidence, ranked_nms

Candidate = dict[str, Any]


def ranked_again(
    candidates: list[Candidate],
    *,
    score_threshold: float,
    nms_iou_threshold: float,
    iou_weight: float,
    limit: int,
    min_iou: float = 0,
    classes: set[str] | None = None,
    max_detections: int | None = None,
    nms: str = "per-class",
    selection: dict[str, Any] | None = None,
) -> list[Candidate]:
    """What of an answer's candidates is kept, most confident first.

    Args:
        limit: max_detections of GET /detector.
        selection: of GET /detector, without a calibration; the other arguments are the request's parameters.
    """
    above = [each for each in candidates if each["score"] > score_threshold]
    plain = any(each["iou"] is None for each in above)
    rank = confidence(
        [each["score"] for each in above], None if plain else [each["iou"] for each in above], iou_weight=iou_weight
    )
    found: list[Candidate]
    if selection is not None:
        found = _selected(above, rank.tolist(), selection, nms_iou_threshold)[:limit]
    else:
        kept = ranked_nms(
            [each["box"] for each in above],
            [each["class_id"] for each in above],
            rank,
            iou_threshold=nms_iou_threshold,
        )[:limit]
        found = [above[row] | {"confidence": float(rank[row]), "own": above[row]["box"]} for row in kept.tolist()]
    if nms == "class-agnostic":
        again = ranked_nms(
            [each["own"] for each in found],
            [0] * len(found),
            [each["confidence"] for each in found],
            iou_threshold=nms_iou_threshold,
        )
        found = [found[row] for row in again.tolist()]
    wanted = [each for each in found if classes is None or each["label"] in classes]
    return [each for each in wanted if plain or each["iou"] >= min_iou][:max_detections]


def _selected(
    above: list[Candidate], rank: list[float], selection: dict[str, Any], nms_iou_threshold: float
) -> list[Candidate]:
    """The steps that GET /detector tells, one box after the other."""
    leads = [each["score"] for each in above] if selection["cluster_by"] == "score" else rank
    clusters: dict[int, list[int]] = {}
    for row in sorted(range(len(above)), key=lambda row: -leads[row]):
        head = next((head for head in clusters if _overlap(above[head], above[row]) > nms_iou_threshold), row)
        clusters.setdefault(head, []).append(row)
    standing = [_standing(above, head, sorted(rows), selection["representative"]) for head, rows in clusters.items()]
    told = [each["score"] for each in above] if selection["report_by"] == "score" else rank
    standing.sort(key=lambda row: -told[row])
    return [
        above[row] | {"confidence": told[row], "own": above[row]["box"], "box": _voted(above, row, selection["voting"])}
        for row in standing
    ]


def _standing(above: list[Candidate], head: int, rows: list[int], rule: dict[str, float] | None) -> int:
    if rule is None:
        return head
    weight = rule["iou_weight"]
    fits = {row: above[row]["score"] ** (1 - weight) * above[row]["iou"] ** weight for row in rows}
    close = [row for row in rows if _overlap(above[head], above[row]) > rule["member_iou"]]
    return max([head, *close], key=lambda row: fits[row])


def _voted(above: list[Candidate], row: int, rule: dict[str, float] | None) -> list[float]:
    if rule is None:
        return above[row]["box"]
    votes: list[tuple[float, list[float]]] = []
    for each in above:
        overlap = _overlap(above[row], each)
        if overlap > rule["iou_threshold"]:
            weight = each["score"] * each["iou"] ** rule["iou_power"] * math.exp(-((1 - overlap) ** 2) / rule["spread"])
            votes.append((weight, each["box"]))
    whole = sum(weight for weight, _ in votes)
    return [sum(weight * box[corner] for weight, box in votes) / whole for corner in range(4)]


def _overlap(one: Candidate, other: Candidate) -> float:
    """IoU; 0 of different classes."""
    if one["class_id"] != other["class_id"]:
        return 0.0
    (a, b, c, d), (e, f, g, h) = one["box"], other["box"]
    shared = max(0.0, min(c, g) - max(a, e)) * max(0.0, min(d, h) - max(b, f))
    return shared / ((c - a) * (d - b) + (g - e) * (h - f) - shared)
