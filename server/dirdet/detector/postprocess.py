"""Converts the output of an engine for one canvas to the picture's candidates and detections."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dirdet.bundle.bundle import Manifest
from dirdet.detection import Candidate, Detection, Found
from dirdet.detection.calibration import Floats, Meaning
from dirdet.detection.masks import paste
from dirdet.detection.ranking import combined_iou, confidence, kept_over_classes
from dirdet.detection.selection import Selection, select
from dirdet.detector.options import Settings
from dirdet.engines.tensors import Candidates
from dirdet.pictures.canvas import Fit

# Fields by name.
Columns: TypeAlias = dict[str, NDArray[Any]]


def found_in(candidates: Candidates, index: int, *, fit: Fit, manifest: Manifest, settings: Settings) -> Found:
    """Detections, and candidates if requested, of one canvas of a batch; arguments as in `detections_of`."""
    return Found(
        detections_of(candidates, index, fit=fit, manifest=manifest, settings=settings),
        candidates_of(candidates, index, fit=fit, manifest=manifest) if settings.candidates else None,
    )


def detections_of(
    candidates: Candidates, index: int, *, fit: Fit, manifest: Manifest, settings: Settings
) -> list[Detection]:
    """The detections of one canvas of a batch, most confident first.

    Args:
        candidates: output of an engine.
        index: of the canvas in the batch.
        fit: position of the picture on the canvas.
        manifest: of the detector; it has the categories.
        settings: select the detections.

    Raises:
        EngineError: the output is not that of this detector.
    """
    candidates.check(index, classes=len(manifest.categories))
    kept, columns, boxes, rank = kept_by(
        candidates,
        index,
        selection=manifest.selection,
        iou_weight=settings.iou_weight,
        nms_iou_threshold=settings.nms_iou_threshold,
        limit=manifest.max_detections,
    )
    wanted = np.ones(len(kept), np.bool_)
    if settings.nms == "class-agnostic":
        wanted = kept_over_classes(candidates.boxes_xyxy[index, kept], rank, iou_threshold=settings.nms_iou_threshold)
    if settings.class_ids is not None:
        wanted &= np.isin(columns["class_id"], list(settings.class_ids))
    if settings.min_iou is not None and "iou" in columns:
        wanted &= columns["iou"] >= settings.min_iou
    # The engine ranked in float32; the order must also hold for the returned numbers.
    order = np.argsort(-rank, kind="stable")
    order = order[wanted[order]][: settings.max_detections]

    meaning = None if manifest.calibration is None else manifest.calibration.detections
    lists = _lists({name: column[order] for name, column in columns.items()}, boxes[order], fit, manifest, meaning)
    lists["confidence"] = rank[order].tolist()
    if candidates.mask is not None and manifest.mask_threshold is not None:
        masks = zip(candidates.mask[index, order], lists["box_xyxy"], strict=True)
        lists["mask"] = [paste(mask, box, fit.picture_hw, threshold=manifest.mask_threshold) for mask, box in masks]
    return [Detection(**dict(zip(lists, values, strict=True))) for values in zip(*lists.values(), strict=True)]


def candidates_of(candidates: Candidates, index: int, *, fit: Fit, manifest: Manifest) -> list[Candidate]:
    """All candidates of one canvas of a batch, in the engine's order: best scored first."""
    rows = np.arange(int(candidates.num_candidates[index]), dtype=np.int64)  # [N]
    meaning = None if manifest.calibration is None else manifest.calibration.candidates
    columns, boxes = _predicted(candidates, index, rows)
    lists = _lists(columns, boxes, fit, manifest, meaning)
    return [Candidate(**dict(zip(lists, values, strict=True))) for values in zip(*lists.values(), strict=True)]


class Kept(NamedTuple):
    """The kept candidates of one canvas, in the engine's order or, if there are further steps, in theirs.

    Attributes:
        rows: [K] of the candidates.
        columns: their predicted fields by name, [K] each.
        boxes_xyxy: [K, 4], canvas pixels, which are other ones than the network's where boxes vote.
        reported: [K] a detection's confidence.
    """

    rows: NDArray[np.int64]
    columns: Columns
    boxes_xyxy: Floats
    reported: Floats


def kept_by(
    candidates: Candidates,
    index: int,
    *,
    selection: Selection | None,
    iou_weight: float,
    nms_iou_threshold: float,
    limit: int,
) -> Kept:
    """The kept candidates of one canvas; the export's proof compares them too."""
    if selection is None or candidates.purity is None or candidates.integrity is None:
        rows = candidates.kept[index, : candidates.num_detections[index]]  # [K]
        columns, boxes = _predicted(candidates, index, rows)
        rank = confidence(columns["score"], columns.get("iou"), iou_weight=iou_weight)
        return Kept(rows, columns, boxes, rank)
    columns, boxes = _predicted(candidates, index, np.arange(int(candidates.num_candidates[index]), dtype=np.int64))
    chosen = select(
        selection,
        boxes_xyxy=boxes,
        class_id=columns["class_id"],
        score=columns["score"],
        iou=columns["iou"],
        iou_weight=iou_weight,
        nms_iou_threshold=nms_iou_threshold,
        limit=limit,
    )
    columns = {name: column[chosen.rows] for name, column in columns.items()}
    return Kept(chosen.rows, columns, chosen.boxes_xyxy, chosen.reported)


def _predicted(candidates: Candidates, index: int, rows: NDArray[np.int64]) -> tuple[Columns, Floats]:
    """The predicted fields of N candidates of one canvas by name, [N] each, and their boxes [N, 4] in canvas pixels."""
    columns: Columns = {
        "class_id": candidates.class_id[index, rows],
        "score": candidates.score[index, rows].astype(np.float64),
    }
    if candidates.purity is not None and candidates.integrity is not None:
        columns["purity"] = candidates.purity[index, rows].astype(np.float64)
        columns["integrity"] = candidates.integrity[index, rows].astype(np.float64)
        columns["iou"] = combined_iou(columns["purity"], columns["integrity"])
    return columns, candidates.boxes_xyxy[index, rows].astype(np.float64)


def _lists(
    columns: Columns, boxes_xyxy: Floats, fit: Fit, manifest: Manifest, meaning: Meaning | None
) -> dict[str, list[Any]]:
    """Values of `Candidate`'s fields by name, for N candidates.

    Args:
        columns: [N] each, as `_predicted`.
        boxes_xyxy: [N, 4] canvas pixels.
        fit: position of the picture on the canvas.
        manifest: of the detector; it has the calibration's margin.
        meaning: of the figures of such boxes; None if they are not calibrated.
    """
    boxes, class_id = fit.to_picture(boxes_xyxy), np.asarray(columns["class_id"], np.int64)
    lists: dict[str, list[Any]] = {name: column.tolist() for name, column in columns.items()}
    lists["box_xyxy"] = list(map(tuple, boxes.tolist()))
    if meaning is not None:
        lists["score_calibrated"] = meaning.score.apply(columns["score"], class_id).tolist()
        if meaning.iou is not None and "iou" in columns:
            lists["iou_calibrated"] = meaning.iou.apply(columns["iou"], class_id).tolist()
    if manifest.calibration is not None and (margin := manifest.calibration.box_margin) is not None:
        grown = margin.grow(boxes, fit.picture_hw, integrity=columns.get("integrity"))
        lists["outer_box_xyxy"] = list(map(tuple, grown.tolist()))
    categories = [manifest.categories[int(each)] for each in class_id.tolist()]
    lists["label"] = [each.name for each in categories]
    lists["category_id"] = [each.category_id for each in categories]
    return lists
