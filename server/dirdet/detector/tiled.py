"""A large picture, tile by tile: its tiles on canvases, and the joined detections."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from dirdet.bundle.bundle import Manifest
from dirdet.detection import Box, Detection, Found
from dirdet.detection.ranking import Floats, combined_iou, kept_over_classes
from dirdet.detection.rle import Rle, encode
from dirdet.detection.selection import reported
from dirdet.detector.options import Settings
from dirdet.detector.tile_joining import Joined, Seen, join
from dirdet.detector.tile_joining_sahi import SAHI_RULES, join_as_sahi
from dirdet.detector.tiles import Tiling
from dirdet.engines.tensors import MAX_BATCH
from dirdet.pictures.canvas import Fit, PlacedPicture, fit_picture, paint
from dirdet.pictures.regions import Regions

# Of the canvas: how far from a seam a box may end that the seam has cut.
SEAM_PIXELS = 2.0


class TiledPicture:
    """The tiles of one picture, and what was found in them so far.

    Attributes:
        tiles: rectangles in pixels of the picture; one if the picture is detected as a whole.
        in_tile: the settings of each tile's detections.
        settings: of the joined detections.
    """

    def __init__(self, regions: Regions, tiling: Tiling, settings: Settings, manifest: Manifest) -> None:
        """Cuts nothing yet.

        Args:
            regions: the picture.
            tiling: how it is cut.
            settings: of the joined detections; `max_detections` is for the whole picture if it is below the detector's
                own limit, which is for a tile.
            manifest: of the detector.

        Raises:
            PictureTooLargeError: the picture makes too many tiles.
        """
        self.tiles = tiling.cut(regions.size, manifest)
        self.settings = settings
        self._regions, self._manifest = regions, manifest
        # A part's iou is not the object's, and each tile has its most confident ones.
        several = replace(
            settings, nms="per-class", min_iou=None, max_detections=manifest.max_detections, candidates=False
        )
        self.in_tile = settings if len(self.tiles) == 1 else several
        self._found: list[list[Detection]] = [[] for _ in self.tiles]
        self._margin = np.full(len(self.tiles), SEAM_PIXELS)  # [T]

    @property
    def picture_hw(self) -> tuple[int, int]:
        width, height = self._regions.size
        return height, width

    def batches(self) -> Iterator[range]:
        """Indices of the tiles, as many on canvases of one size as an inference takes."""
        first = 0
        for _, alike in groupby(range(len(self.tiles)), key=lambda index: self._fit(index).canvas_hw):
            end = first + len(list(alike))
            yield from (range(begin, min(begin + MAX_BATCH, end)) for begin in range(first, end, MAX_BATCH))
            first = end

    def place(self, index: int) -> PlacedPicture:
        """A tile on the smallest canvas that fits it.

        Raises:
            PictureError: it cannot be read.
        """
        fit = self._fit(index)
        part = self._regions.part(self.tiles[index], least_hw=fit.resized_hw)
        return PlacedPicture(paint(part, fit, rule=self._manifest.resize), fit)

    def _fit(self, index: int) -> Fit:
        left, top, right, bottom = self.tiles[index]
        return fit_picture((bottom - top, right - left), rule=self._manifest.resize, canvases=self._manifest.canvases)

    def add(self, index: int, fit: Fit, detections: list[Detection]) -> None:
        """Takes the detections of a tile, in pixels of the tile."""
        self._found[index] = detections
        self._margin[index] = SEAM_PIXELS / fit.scale_xyxy.min()

    def joined(self, settings: Settings | None = None) -> Found:
        """The detections of the picture, without candidates, from those of all tiles.

        Args:
            settings: of the joining, where the same tiles are joined in several ways; None takes the picture's.
        """
        settings, manifest = settings or self.settings, self._manifest
        if len(self.tiles) == 1:
            return Found(self._found[0])
        found, seen = self.seen()
        if settings.join in SAHI_RULES:
            joined = join_as_sahi(seen, settings.join, threshold=settings.nms_iou_threshold)
        else:
            joined = join(seen, iou_threshold=settings.nms_iou_threshold)
        objects = list(_objects(found, seen, joined, manifest, settings))
        if settings.nms == "class-agnostic":
            boxes, rank = [each.box_xyxy for each in objects], [each.confidence for each in objects]
            kept = kept_over_classes(boxes, rank, iou_threshold=settings.nms_iou_threshold)
            objects = [each for each, stays in zip(objects, kept, strict=True) if stays]
        # A tile that holds an object and shows none of it lowers its score.
        wanted = [each for each in objects if each.score > settings.score_threshold]
        if settings.min_iou is not None:
            wanted = [each for each in wanted if (each.iou or 0.0) >= settings.min_iou]
        wanted.sort(key=lambda each: -each.confidence)
        limited = settings.max_detections < manifest.max_detections
        return Found(wanted[: settings.max_detections] if limited else wanted)

    def seen(self) -> tuple[list[Detection], Seen]:
        """What the tiles show: their N detections, in pixels of their tiles, and the same for the joining."""
        found = [each for detections in self._found for each in detections]
        tile = np.repeat(np.arange(len(self.tiles)), [len(each) for each in self._found])  # [N]
        corners = np.array(self.tiles, np.float64)  # [T, 4]
        boxes = np.array([each.box_xyxy for each in found], np.float64).reshape(-1, 4)
        seen = Seen(
            boxes_xyxy=boxes + np.tile(corners[tile, :2], 2),
            class_id=np.array([each.class_id for each in found], np.int64),
            rank=np.array([each.confidence for each in found], np.float64),
            integrity=np.array([1.0 if each.integrity is None else each.integrity for each in found], np.float64),
            tile=tile,
            tiles_xyxy=corners,
            margin=self._margin,
            picture_wh=self._regions.size,
        )
        return found, seen


def _objects(
    found: Sequence[Detection], seen: Seen, joined: Joined, manifest: Manifest, settings: Settings
) -> Iterator[Detection]:
    """The joined boxes as detections of the picture."""
    width, height = seen.picture_wh
    calibration = manifest.calibration
    margin = None if calibration is None else calibration.box_margin
    for position, parts in enumerate(joined.parts):
        detection, box = found[parts[0]], joined.boxes_xyxy[position]
        witnesses, tiles = joined.witnesses[position], int(joined.tiles[position])
        if tiles > 1:
            weights = seen.rank[witnesses]
            box = np.average(seen.boxes_xyxy[witnesses], axis=0, weights=weights)
            score = sum(found[each].score for each in witnesses) / tiles
            detection = _refigured(detection, score, _figures(found, witnesses, weights), manifest, settings)
        elif len(parts) > 1 and settings.join not in SAHI_RULES:  # there the leader's figures are the union's
            areas: Floats = (seen.boxes_xyxy[parts, 2:] - seen.boxes_xyxy[parts, :2]).prod(axis=1)
            detection = _refigured(detection, detection.score, _figures(found, parts, areas), manifest, settings)
        outer = None
        if margin is not None:
            integrity = None if detection.integrity is None else np.array([detection.integrity])
            outer = _corners(margin.grow(box[None], (height, width), integrity=integrity)[0])
        mask = _mask(found, seen, parts, box)
        yield replace(detection, box_xyxy=_corners(box), outer_box_xyxy=outer, mask=mask)


def _refigured(
    detection: Detection, score: float, figures: tuple[float, float] | None, manifest: Manifest, settings: Settings
) -> Detection:
    """A detection with another score, other purity and integrity, and all that follows from them."""
    meaning = None if manifest.calibration is None else manifest.calibration.detections
    class_id, scores = [detection.class_id], np.array([score])
    told = detection.score_calibrated if meaning is None else float(meaning.score.apply(scores, class_id)[0])
    if figures is None:
        return replace(detection, score=score, score_calibrated=told, confidence=score)
    purity, integrity = figures
    iou = combined_iou([purity], [integrity])
    rank = reported(manifest.selection, scores, iou, iou_weight=settings.iou_weight)
    fits = None if meaning is None or meaning.iou is None else float(meaning.iou.apply(iou, class_id)[0])
    return replace(
        detection, score=score, purity=purity, integrity=integrity, iou=float(iou[0]), score_calibrated=told,
        iou_calibrated=fits, confidence=float(rank[0]),
    )  # fmt: skip


def _figures(found: Sequence[Detection], rows: Sequence[int], weights: Floats) -> tuple[float, float] | None:
    """Weighted means of purity and integrity; None from a detector that predicts none."""
    predicted = [(each.purity, each.integrity) for each in (found[row] for row in rows)]
    figures = [pair for pair in predicted if pair[0] is not None and pair[1] is not None]
    if len(figures) < len(rows) or weights.sum() <= 0:
        return None
    purity, integrity = np.average(np.array(figures, np.float64), axis=0, weights=weights).tolist()
    return purity, integrity


def _mask(found: Sequence[Detection], seen: Seen, parts: Sequence[int], box: Floats) -> Rle | None:
    """The parts' masks together, in the picture; None from a detector without masks."""
    width, height = seen.picture_wh
    left, top = (int(side) for side in np.floor(box[:2]))
    right, bottom = (int(side) for side in np.ceil(box[2:]))
    inside = np.zeros((bottom - top, right - left), np.bool_)
    for part in parts:
        mask = found[part].mask
        if mask is None:
            return None
        x, y, tile_right, tile_bottom = (int(side) for side in seen.tiles_xyxy[seen.tile[part]])
        # The part of the box that the tile sees.
        x1, y1, x2, y2 = max(left, x), max(top, y), min(right, tile_right), min(bottom, tile_bottom)
        inside[y1 - top : y2 - top, x1 - left : x2 - left] |= mask.decode()[y1 - y : y2 - y, x1 - x : x2 - x]
    return encode(inside, left=left, top=top, picture_hw=(height, width))


def _corners(box_xyxy: Floats) -> Box:
    x1, y1, x2, y2 = (float(side) for side in box_xyxy)
    return x1, y1, x2, y2
