"""Converts the output of an engine for one canvas to the picture's candidates and detections."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dirdet.bundle.bundle import Manifest
from dirdet.detection import Candidate, Detection, Found
from dirdet.detection.calibration import Floats, Meaning
from dirdet.detection.masks import paste
from dirdet.detection.ranking import combined_iou, confidence, kept_over_classes
from dirdet.detection.rle import Rle
from dirdet.detection.selection import Selected, Selection, select
from dirdet.detector.options import Settings
from dirdet.engines.tensors import Candidates
from dirdet.pictures.canvas import Fit


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
    meaning = None if manifest.calibration is None else manifest.calibration.detections
    chosen = kept_by(
        candidates,
        index,
        selection=manifest.selection,
        iou_weight=settings.iou_weight,
        nms_iou_threshold=settings.nms_iou_threshold,
        limit=manifest.max_detections,
    )
    kept = chosen.rows
    columns = _columns(
        candidates, index, kept, boxes_xyxy=chosen.boxes_xyxy, fit=fit, manifest=manifest, meaning=meaning
    )
    iou = columns.get("iou")
    rank = chosen.reported

    wanted = np.ones(len(kept), np.bool_)
    if settings.nms == "class-agnostic":
        wanted = kept_over_classes(candidates.boxes_xyxy[index, kept], rank, iou_threshold=settings.nms_iou_threshold)
    if settings.class_ids is not None:
        wanted &= np.isin(columns["class_id"], list(settings.class_ids))
    if settings.min_iou is not None and iou is not None:
        wanted &= iou >= settings.min_iou
    # The engine ranked in float32; the order must also hold for the returned numbers.
    order = np.argsort(-rank, kind="stable")
    order = order[wanted[order]][: settings.max_detections]
    return [
        Detection(
            **fields,
            confidence=float(rank[i]),
            mask=_mask(candidates, index, i, box_xyxy=columns["box_xyxy"][i], fit=fit, manifest=manifest),
        )
        for i, fields in zip(order.tolist(), _fields(columns, order, manifest), strict=True)
    ]


def kept_by(
    candidates: Candidates,
    index: int,
    *,
    selection: Selection | None,
    iou_weight: float,
    nms_iou_threshold: float,
    limit: int,
) -> Selected:
    """The kept candidates of one canvas, in the engine's order or, if there are further steps, in theirs."""
    if selection is None or candidates.purity is None or candidates.integrity is None:
        rows = candidates.kept[index, : candidates.num_detections[index]]  # [K]
    else:
        rows = np.arange(int(candidates.num_candidates[index]), dtype=np.int64)  # [N]
    score = candidates.score[index, rows].astype(np.float64)
    iou = None
    if candidates.purity is not None and candidates.integrity is not None:
        iou = combined_iou(candidates.purity[index, rows], candidates.integrity[index, rows])
    boxes = candidates.boxes_xyxy[index, rows].astype(np.float64)
    if selection is None or iou is None:
        return Selected(rows, confidence(score, iou, iou_weight=iou_weight), boxes)
    return select(
        selection,
        boxes_xyxy=boxes,
        class_id=candidates.class_id[index, rows],
        score=score,
        iou=iou,
        iou_weight=iou_weight,
        nms_iou_threshold=nms_iou_threshold,
        limit=limit,
    )


def candidates_of(candidates: Candidates, index: int, *, fit: Fit, manifest: Manifest) -> list[Candidate]:
    """All candidates of one canvas of a batch, in the engine's order: best scored first."""
    rows = np.arange(int(candidates.num_candidates[index]), dtype=np.int64)  # [N]
    meaning = None if manifest.calibration is None else manifest.calibration.candidates
    boxes = candidates.boxes_xyxy[index, rows].astype(np.float64)
    columns = _columns(candidates, index, rows, boxes_xyxy=boxes, fit=fit, manifest=manifest, meaning=meaning)
    return [Candidate(**fields) for fields in _fields(columns, rows, manifest)]


def _columns(
    candidates: Candidates,
    index: int,
    rows: NDArray[np.int64],
    *,
    boxes_xyxy: Floats,
    fit: Fit,
    manifest: Manifest,
    meaning: Meaning | None,
) -> dict[str, NDArray[Any]]:
    """Values of `Candidate`'s predicted fields for N candidates of one canvas, [N] or [N, 4].

    Args:
        candidates: output of an engine.
        index: of the canvas in the batch.
        rows: [N] positions of the candidates.
        boxes_xyxy: [N, 4] their boxes, canvas pixels, which may be other ones than the network's where boxes vote.
        fit: position of the picture on the canvas.
        manifest: of the detector; it has the calibration's margin.
        meaning: of the figures of such boxes; None if they are not calibrated.
    """
    boxes = fit.to_picture(boxes_xyxy)  # [N, 4]
    class_id = candidates.class_id[index, rows]
    score = candidates.score[index, rows].astype(np.float64)
    columns: dict[str, NDArray[Any]] = {
        "box_xyxy": boxes,
        "class_id": class_id,
        "score": score,
    }
    if candidates.purity is not None and candidates.integrity is not None:
        columns["purity"] = candidates.purity[index, rows].astype(np.float64)
        columns["integrity"] = candidates.integrity[index, rows].astype(np.float64)
        columns["iou"] = combined_iou(columns["purity"], columns["integrity"])
    if meaning is not None:
        columns["score_calibrated"] = meaning.score.apply(score, class_id)
        if meaning.iou is not None and "iou" in columns:
            columns["iou_calibrated"] = meaning.iou.apply(columns["iou"], class_id)
    if manifest.calibration is not None and (margin := manifest.calibration.box_margin) is not None:
        columns["outer_box_xyxy"] = margin.grow(boxes, fit.picture_hw, integrity=columns.get("integrity"))
    return columns


def _fields(columns: dict[str, NDArray[Any]], rows: NDArray[np.int64], manifest: Manifest) -> Iterator[dict[str, Any]]:
    """Values of `Candidate`'s fields for some rows of the columns."""
    lists: dict[str, Iterable[Any]] = {name: column[rows].tolist() for name, column in columns.items()}
    lists |= {name: map(tuple, lists[name]) for name, column in columns.items() if column.ndim == 2}
    categories = [manifest.categories[int(class_id)] for class_id in columns["class_id"][rows]]
    lists |= {"label": [each.name for each in categories], "category_id": [each.category_id for each in categories]}
    return (dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True))


def _mask(
    candidates: Candidates, index: int, position: int, *, box_xyxy: Floats, fit: Fit, manifest: Manifest
) -> Rle | None:
    """The mask of a canvas's kept candidate, by its position among the kept."""
    if candidates.mask is None or manifest.mask_threshold is None:
        return None
    return paste(candidates.mask[index, position], box_xyxy, fit.picture_hw, threshold=manifest.mask_threshold)
