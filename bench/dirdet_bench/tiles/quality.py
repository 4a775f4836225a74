"""AP, duplicates and halves on large pictures: as a whole, in tiles joined by SAHI's rules, and by integrity."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np
from PIL import Image

from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions, JoinRule, Settings
from dirdet.detector.tiled import TiledPicture
from dirdet.pictures.regions import Decoded
from dirdet.quality.ground_truth import GroundTruth, read_ground_truth
from dirdet.quality.optional_libraries import library
from dirdet_bench.harness.measurement import Result, measurement
from dirdet_bench.harness.report import Row
from dirdet_bench.harness.turns import progress
from dirdet_bench.tiles.counting import Boxes, Counts, Judged, judged_boxes
from dirdet_bench.tiles.seams import SeamFigures, cut_fits, seam_figures

SCORE_THRESHOLD = 0.05
# SAHI's overlaps at which boxes match.
THRESHOLDS = (0.3, 0.5, 0.7)
CUTS = np.arange(0.05, 0.95, 0.025)
MOST_BOXES = 5000
WHOLE, OWN, BY_SCORE, BY_CONFIDENCE = "without tiles", "integrity", "SAHI, by score", "SAHI, by confidence"
PATH = click.Path(path_type=Path, exists=True)


@dataclass(frozen=True)
class Figures:
    """AP in percent, and what is wrong a picture among the boxes above the cut that gives the best F1 on val."""

    ap: float
    ap50: float
    ap75: float
    duplicates: float
    halves: float
    f1: float


class Shown:
    """What the tiles of one picture show, to be joined in several ways, by confidence or by score."""

    def __init__(self, detector: Detector, picture: Image.Image, settings: Settings) -> None:
        assert settings.tiling is not None
        regions = Decoded(picture)
        self.by_confidence, self.by_score = (
            TiledPicture(regions, settings.tiling, settings, detector.manifest) for _ in range(2)
        )
        for batch in self.by_confidence.batches():
            placed = [self.by_confidence.place(index) for index in batch]
            answers = detector.detect_placed(placed, self.by_confidence.in_tile)
            for index, tile, found in zip(batch, placed, answers, strict=True):
                self.by_confidence.add(index, tile.fit, found.detections)
                by_score = [replace(each, confidence=each.score) for each in found.detections]
                self.by_score.add(index, tile.fit, by_score)
        self.whole = detector.detect_regions(regions, replace(settings, tiling=None)).detections

    def joined(self, way: str, rule: JoinRule, threshold: float) -> Boxes:
        if way == WHOLE:
            found = self.whole
        else:
            tiled = self.by_score if way == BY_SCORE else self.by_confidence
            found = tiled.joined(replace(tiled.settings, join=rule, nms_iou_threshold=threshold)).detections
        return Boxes(
            np.array([each.box_xyxy for each in found], np.float64).reshape(-1, 4),
            np.array([each.confidence for each in found], np.float64),
            np.array([each.category_id for each in found], np.float64),
        )


class Set:
    """Large pictures of a COCO file, and what their tiles show."""

    def __init__(self, annotations: Path, pictures: Path, detector: Detector, settings: Settings, least: int) -> None:
        self.truth: GroundTruth = read_ground_truth(annotations)
        large = [each for each in self.truth.pictures.values() if each.width * each.height >= least]
        self.ids = [each.id for each in large]
        self.objects = library("faster_coco_eval").COCO(annotations)
        self.shown: list[Shown] = []
        for index in progress(len(large), annotations.stem):
            with Image.open(pictures / large[index].file_name) as picture:
                self.shown.append(Shown(detector, picture.convert("RGB"), settings))

    def found(self, way: str, rule: JoinRule, threshold: float) -> list[Boxes]:
        return [each.joined(way, rule, threshold) for each in self.shown]

    def precision(self, found: Sequence[Boxes]) -> tuple[float, float, float]:
        """AP, AP50 and AP75 in percent."""
        results = [
            {"image_id": picture, "category_id": int(category), "bbox": [x1, y1, x2 - x1, y2 - y1], "score": rank}
            for picture, boxes in zip(self.ids, found, strict=True)
            for (x1, y1, x2, y2), rank, category in zip(
                boxes.boxes_xyxy.tolist(), boxes.rank.tolist(), boxes.category_id, strict=True
            )
        ]
        coco: Any = library("faster_coco_eval")
        evaluation = coco.COCOeval_faster(
            self.objects, self.objects.loadRes(results), "bbox", print_function=lambda *_: None, extra_calc=False
        )
        evaluation.params.imgIds = self.ids
        evaluation.params.maxDets = [1, 100, MOST_BOXES]
        evaluation.evaluate()
        evaluation.accumulate()
        precision = evaluation.eval["precision"][:, :, :, 0, -1]  # [thresholds, recalls, classes]
        ap, ap50, ap75 = (float(100 * part[part > -1].mean()) for part in (precision, precision[0], precision[5]))
        return ap, ap50, ap75

    def judged(self, found: Sequence[Boxes]) -> list[Judged]:
        """What the boxes of each picture show."""
        of_picture = [self.truth.picture_id == picture for picture in self.ids]
        return [
            judged_boxes(boxes, self.truth.boxes_xyxy[rows], self.truth.category_id[rows])
            for rows, boxes in zip(of_picture, found, strict=True)
        ]

    def seams(self) -> SeamFigures:
        """How well integrity tells what seams have cut."""
        of_picture = [self.truth.picture_id == picture for picture in self.ids]
        return seam_figures(
            [
                cut_fits(shown.by_confidence, self.truth.boxes_xyxy[rows], self.truth.category_id[rows])
                for shown, rows in zip(self.shown, of_picture, strict=True)
            ]
        )


def counts_above(cut: float, judged: Sequence[Judged]) -> Counts:
    """Of the boxes above a cut, in all pictures."""
    return sum((each.above(cut) for each in judged), Counts())


@measurement("tiles-quality", packages=("numpy", "onnxruntime", "pillow"), rounds=None)
@click.option("--val", type=(PATH, PATH), required=True, metavar="COCO FOLDER", help="Chooses settings and cuts.")
@click.option("--test", type=(PATH, PATH), required=True, metavar="COCO FOLDER", help="Is measured with them.")
@click.option("--detector", "folder", type=click.Path(path_type=Path), help="Folder of a bundle [the shipped one].")
@click.option("--tiles", default="auto", show_default=True, help="As of `dirdet detect`.")
@click.option("--least-pixels", default=0, help="Leave out smaller pictures of the files.")
def command(
    *, val: tuple[Path, Path], test: tuple[Path, Path], folder: Path | None, tiles: str, least_pixels: int
) -> Result:
    """Measure tiles on large pictures with known boxes, against the whole picture and SAHI's best setting.

    SAHI's rules join the same tiles of the same network, by its scores and by its confidences; rule and threshold are
    those with the highest AP on val.
    """
    detector = Detector.open(folder)
    options = DetectOptions(tiles=tiles, score_threshold=SCORE_THRESHOLD)
    settings = detector.settle(options)
    chosen, measured = (Set(*each, detector, settings, least_pixels) for each in (val, test))
    rows: list[Row] = []
    lines = ["| | setting | AP | AP50 | AP75 | duplicates | halves | F1 |", "|---|---|---|---|---|---|---|---|"]
    sahi: list[JoinRule] = [rule for rule in get_args(JoinRule) if rule != OWN]
    for way in (WHOLE, BY_SCORE, BY_CONFIDENCE, OWN):
        tried: list[tuple[JoinRule, float]] = (
            [("integrity", settings.nms_iou_threshold)]
            if way in (WHOLE, OWN)
            else [(rule, threshold) for rule in sahi for threshold in THRESHOLDS]
        )
        rule, threshold = max(tried, key=lambda each: chosen.precision(chosen.found(way, *each))[0])
        judged = chosen.judged(chosen.found(way, rule, threshold))
        cut = max(CUTS.tolist(), key=lambda cut: counts_above(cut, judged).f1)
        found = measured.found(way, rule, threshold)
        counts, pictures = counts_above(cut, measured.judged(found)), len(measured.ids)
        wrong = counts.duplicates / pictures, counts.halves / pictures
        figures = Figures(*measured.precision(found), *wrong, counts.f1)
        setting = "" if way in (WHOLE, OWN) else f"{rule}, {threshold:g}"
        lines.append(
            f"| {way} | {setting} | {figures.ap:.1f} | {figures.ap50:.1f} | {figures.ap75:.1f} "
            f"| {figures.duplicates:.2f} | {figures.halves:.2f} | {figures.f1:.3f} |"
        )
        click.echo(lines[-1], err=True)
        rows += [Row(name, [value], "", group=way) for name, value in vars(figures).items()]
    seams = measured.seams()
    rows += [Row(name, [value], "", group="boxes that a seam cuts") for name, value in vars(seams).items()]
    lines += [
        "",
        f"Integrity of {seams.boxes} boxes that a seam cuts: mean error {seams.error:.3f}, AUROC of telling parts from "
        f"wholes {seams.auroc:.3f}",
    ]
    return Result(
        f"{len(measured.ids)} large pictures in tiles", rows, {"val pictures": len(chosen.ids)}, "\n".join(lines)
    )
