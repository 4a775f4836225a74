"""Figure 5: the boxes that ranking by score, by foresight IoU and by DIR keeps in the same pictures, side by side."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from dirdet.files import open_regular
from dirdet.pictures.reading import read_picture
from dirdet_training import geometry
from dirdet_training.nms.ranks import Candidates
from dirdet_training.nms.suppression import HardNMS
from dirdet_training.rivals.tuning import Trial
from dirdet_training.study.collected import Collected
from dirdet_training.study.measure import kept_by
from dirdet_training.study.plots import strongest_differences
from dirdet_training.study.row_rankings import WAYS

# The figure's rows: the others are compared with the first.
SHOWN = ("score", "foresight_iou", "dir")
# Detections with a higher score than the first are drawn; boxes with an IoU below the second count as different.
MIN_SCORE = 0.3
SAME_IOU = 0.95
SAME, DIFFERENT, OBJECT = (90, 160, 255), (230, 40, 40), (60, 190, 90)
GAP = 6


def figure_5(
    folder: Path,
    collected: Collected,
    files: dict[int, Path],
    *,
    count: int,
    iou_threshold: float,
    outlines: bool = False,
) -> list[Path]:
    """Draws the pictures in which the rankings disagree most; boxes that ranking by score does not keep are red.

    Third parties may own the pictures: then use a work directory, and publish only `outlines`.

    Args:
        folder: the folder for the PNG files.
        collected: the candidates of one checkpoint.
        files: the file of each picture by its id.
        count: the most pictures to draw.
        iou_threshold: the threshold of each NMS.
        outlines: draw on white instead of on the pictures.

    Returns:
        The written files.
    """
    ways = [name for name in SHOWN if _told(collected, name)]
    if len(ways) < 2:
        return []
    moved: list[float] = []
    for candidates in collected.candidates:
        first, *others = (_boxes(candidates, name, iou_threshold) for name in ways)
        moved.append(max(float(_differs(boxes, first).sum()) for boxes in others))
    written: list[Path] = []
    folder.mkdir(parents=True, exist_ok=True)
    for index in strongest_differences(moved, count):
        picture_id = collected.picture_ids[index]
        if moved[index] == 0 or picture_id not in files:
            continue
        boxes = [_boxes(collected.candidates[index], name, iou_threshold) for name in ways]
        path = folder / f"figure_5_{picture_id}.png"
        side_by_side(
            _panel(files[picture_id], outlines=outlines), boxes, collected.candidates[index].objects_xyxy
        ).save(path)
        written.append(path)
    return written


def _panel(file: Path, *, outlines: bool) -> Image.Image:
    with open_regular(file) as opened:
        picture = read_picture(opened)
    return Image.new("RGB", picture.size, "white") if outlines else picture


def side_by_side(picture: Image.Image, boxes_xyxy: Sequence[torch.Tensor], objects_xyxy: torch.Tensor) -> Image.Image:
    """Draws one picture for each set of boxes [K, 4], from left to right, with the objects [G, 4] in thin lines."""
    sheet = Image.new("RGB", (len(boxes_xyxy) * (picture.width + GAP) - GAP, picture.height), "gray")
    for number, boxes in enumerate(boxes_xyxy):
        panel = picture.copy()
        brush = ImageDraw.Draw(panel)
        for box in objects_xyxy.tolist():
            brush.rectangle(box, outline=OBJECT)
        for box, differs in zip(boxes.tolist(), _differs(boxes, boxes_xyxy[0]).tolist(), strict=True):
            brush.rectangle(box, outline=DIFFERENT if differs else SAME, width=2)
        sheet.paste(panel, (number * (picture.width + GAP), 0))
    return sheet


def _told(collected: Collected, name: str) -> bool:
    said = WAYS[name].said
    first = collected.candidates[0] if collected.candidates else None
    return first is not None and (
        said == "score" or said in first.judgements or (said == "ious" and first.ious is not None)
    )


def _boxes(candidates: Candidates, name: str, iou_threshold: float) -> torch.Tensor:
    """Returns the boxes [K, 4] that a way keeps of the candidates with a high score."""
    suppression = WAYS[name].suppression
    if not isinstance(suppression, HardNMS):
        raise TypeError(f"{name} decays instead of suppressing")
    kept = kept_by(candidates, Trial(suppression, iou_threshold), len(candidates.scores)).indices
    return candidates.boxes_xyxy[kept[candidates.scores[kept] > MIN_SCORE]]


def _differs(boxes_xyxy: torch.Tensor, others_xyxy: torch.Tensor) -> torch.Tensor:
    """Marks the boxes [K, 4] that differ from all of the others [L, 4], [K]."""
    if len(boxes_xyxy) == 0 or len(others_xyxy) == 0:
        return torch.ones(len(boxes_xyxy), dtype=torch.bool)
    return geometry.iou(boxes_xyxy[:, None], others_xyxy[None]).max(dim=1).values < SAME_IOU
