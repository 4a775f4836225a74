"""The paper's tables as data: rows with their figures, in percent."""

from collections.abc import Mapping
from dataclasses import dataclass

from dirdet_training.rivals import RIVALS

Figures = Mapping[str, float]
SIZED = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")

# Figure 4: Pearson of a confidence and the true IoU. The text also gives 0.743 for the single-branch hindsight IoU.
PEARSON = {"score": 0.209, "foresight_iou": 0.633, "iou": 0.745, "dir": 0.755}


@dataclass(frozen=True)
class Row:
    """A row of one of the paper's tables, with the detector and the way that reproduce it.

    Attributes:
        label: this project's name of the row.
        role: the role of its detector (`dirdet_training.study.presets`).
        way: the way that ranks its candidates (`dirdet_training.study.row_rankings`).
        paper: the paper's figures; empty if the row is not in the paper.
        fps: the paper's frames per second, on 8 V100; None if the paper gives none.
        note: a remark for the reader.
        over: role of the detector, ranked by score, that is the baseline of its gains; None for its own checkpoints.
    """

    label: str
    role: str
    way: str
    paper: Figures
    fps: float | None = None
    note: str = ""
    over: str | None = None


@dataclass(frozen=True)
class Table:
    """A table of the paper.

    Attributes:
        number: its number in the paper.
        title: this project's title.
        rows: the rows from top to bottom.
        ordered: whether the order of its rows is a statement of the paper.
        comparable: whether the paper's figures are all of one detector.
    """

    number: int
    title: str
    rows: tuple[Row, ...]
    ordered: bool = False
    comparable: bool = True


def _sized(*values: float) -> Figures:
    """Names the figures AP, AP50, AP75, small, medium, large; the last ones may be missing."""
    return dict(zip(SIZED, values, strict=False))


BASELINE = _sized(36.4, 58.0, 39.3, 21.4, 40.3, 46.7)
OURS = _sized(38.9, 58.2, 42.5, 22.6, 42.9, 51.0)
FORESIGHT = _sized(37.9, 58.1, 41.2, 22.0, 41.6, 49.2)
SAME = "score"  # the baseline's way: the same checkpoint, ranked by its score


def _against_nms(name: str, role: str, score: Figures, soft: Figures, iou: Figures, ours: Figures) -> tuple[Row, ...]:
    return (
        Row(name, role, SAME, score),
        Row(f"{name}, Soft-NMS (linear)", role, "soft_nms_linear", soft, note="the paper does not say which decay"),
        Row(f"{name}, Soft-NMS (Gaussian)", role, "soft_nms_gaussian", soft),
        Row(
            f"{name}, IoU-NMS",
            role,
            "iou_nms",
            iou,
            note="led by the IoU-Net head where there is one, else by DIR's iou",
        ),
        Row(f"{name}, DIR", role, "dir", ours),
        Row(f"{name}, oracle", role, "oracle", {}, note="ours alone: the ceiling"),
    )


TABLE_1 = Table(
    1,
    "DIR and other ways of NMS",
    (
        Row("Faster R-CNN trained without DIR", "plain", SAME, BASELINE),
        *_against_nms(
            "Faster R-CNN",
            "faster",
            BASELINE,
            _sized(36.9, 58.4, 40.1, 21.9, 40.7, 47.1),
            _sized(37.3, 56.0),
            OURS,
        ),
        *_against_nms(
            "Mask R-CNN",
            "mask",
            _sized(37.3, 59.1, 40.3, 22.0, 40.9, 48.2),
            _sized(37.8, 59.1, 41.3, 22.2, 41.6, 48.7),
            _sized(38.1, 56.4),
            _sized(39.5, 58.5, 43.0, 23.2, 43.1, 51.9),
        ),
        *_against_nms(
            "Cascade R-CNN",
            "cascade",
            _sized(40.3, 58.6, 43.9, 22.9, 43.8, 53.2),
            _sized(41.0, 58.8, 45.2, 23.2, 44.6, 54.0),
            _sized(40.9, 58.2),
            _sized(41.1, 58.8, 45.5, 23.3, 44.4, 54.8),
        ),
    ),
)

TABLE_2 = Table(
    2,
    "DIR on strong baselines",
    (
        Row("DCN", "dcn", SAME, _sized(40.0, 62.0, 43.3, 24.0, 43.8, 52.2)),
        Row("Double-Head", "double_head", SAME, _sized(39.8, 59.6, 43.6, 22.7, 42.9, 53.1)),
        Row("TSD", "tsd", SAME, _sized(40.9, 61.9, 44.4, 24.2, 44.4, 54.0)),
        Row("DCN + DIR", "dcn", "dir", _sized(41.8, 61.8, 45.6, 25.0, 45.8, 55.6)),
        Row(
            "Double-Head + DIR",
            "double_head",
            "dir",
            _sized(41.3, 60.6, 54.9, 22.6, 43.0, 55.1),
            note="the paper's AP75 of 54.9 is a misprint (nothing else of this row could go with it); 44.9 is likely",
        ),
        Row("TSD + DIR", "tsd", "dir", _sized(42.6, 61.9, 45.6, 25.3, 46.4, 55.8)),
    ),
)

TABLE_3 = Table(
    3,
    "Foresight, hindsight, one branch or two",
    (
        Row("Faster R-CNN", "faster", SAME, BASELINE, 13.6),
        Row("foresight IoU", "faster", "foresight_iou", _sized(37.2, 57.8, 40.3, 21.5, 41.1, 48.4), 12.1),
        Row("foresight IoU + P&I", "faster", "foresight", FORESIGHT, 12.1),
        Row("hindsight IoU", "faster", "iou", _sized(38.3, 57.9, 41.7, 21.9, 42.1, 50.8), 11.7),
        Row("hindsight IoU + 3x lr", "faster", "iou_3x", _sized(38.4, 57.8, 42.0, 22.1, 41.9, 49.9)),
        Row("hindsight IoU + P&I (DIR)", "faster", "dir", OURS, 11.7),
    ),
    ordered=True,
)

TABLE_4 = Table(
    4,
    "Features seen in training / in inference",
    (
        Row("Faster R-CNN", "faster", SAME, _sized(36.4, 58.0, 39.3)),
        Row("proposal / proposal", "faster", "foresight", _sized(37.9, 58.1, 41.2)),
        Row(
            "proposal / box",
            "faster",
            "foresight_on_boxes",
            _sized(38.3, 58.0, 41.7),
            note="the paper's text says +0.9 over the baseline, its table +1.9",
        ),
        Row("box / proposal", "faster", "dir_on_proposals", _sized(37.5, 57.8, 40.9)),
        Row("box / box (DIR)", "faster", "dir", _sized(38.9, 58.2, 42.5)),
    ),
    ordered=True,
)

TABLE_5 = Table(
    5,
    "What is made of purity and integrity",
    (
        Row("Faster R-CNN", "faster", SAME, _sized(36.4, 58.0, 39.3)),
        Row("integrity", "faster", "integrity", _sized(37.7, 59.3, 41.6)),
        Row("purity", "faster", "purity", _sized(37.9, 58.3, 41.8)),
        Row("geometric mean", "faster", "geometric", _sized(38.7, 58.4, 42.2)),
        Row("arithmetic mean", "faster", "arithmetic", _sized(38.7, 58.4, 42.2)),
        Row("combined IoU, Eq. 5 (DIR)", "faster", "dir", _sized(38.9, 58.2, 42.5)),
    ),
    ordered=True,
)

# The paper takes the rivals' figures from their papers, on other backbones; the study's are all of one detector.
TABLE_6 = Table(
    6,
    "Learnt ranks, on one detector each",
    (
        *(Row(each.title, "faster", each.name, each.paper, note=each.note) for each in RIVALS if each.title),
        Row("HTC", "htc", SAME, _sized(50.7, 70.5, 55.2, 32.0, 53.8, 64.0)),
        Row("Faster R-CNN + DIR", "faster", "dir", _sized(41.1, 60.5, 44.6, 23.4, 44.4, 52.0)),
        Row("Mask R-CNN + DIR", "mask", "dir", _sized(41.6, 60.9, 45.4, 23.7, 45.0, 52.8)),
        Row("HTC + DIR", "htc", "dir", _sized(51.3, 70.5, 55.5, 32.5, 54.7, 65.2)),
    ),
    comparable=False,
)

# Not in the paper, which uses TSD as published: TSD without each of its parts, at an equal schedule.
TABLE_7 = Table(
    7,
    "TSD and its parts, all ranked by score; gains over the Faster R-CNN above them (not in the paper)",
    (
        Row("Faster R-CNN trained without DIR", "plain", SAME, {}),
        Row("TSD, trained as long", "tsd_whole", SAME, {}, note="gains over the row above", over="plain"),
        Row("Faster R-CNN, tuned as briefly as the rows below", "tsd_base", SAME, {}),
        Row("TSD", "tsd_alone", SAME, {}, over="tsd_base"),
        Row("TSD, bins not moved", "tsd_no_deformation", SAME, {}, over="tsd_base"),
        Row("TSD, boxes not shifted", "tsd_no_shift", SAME, {}, over="tsd_base"),
        Row("TSD, neither", "tsd_no_moves", SAME, {}, note="two heads on the same features", over="tsd_base"),
        Row("TSD without the progressive constraint", "tsd_no_constraint", SAME, {}, over="tsd_base"),
    ),
)

# Tables 3 and 4 as the paper trains them.
TABLE_8 = Table(
    8,
    "Tables 3 and 4 with a detector for each row, trained end to end; gains over the detector without DIR",
    (
        Row("Faster R-CNN trained without DIR", "plain", SAME, BASELINE),
        *(
            Row(row.label, f"alone_{row.way}", "dir", row.paper, over="plain")
            for row in (*TABLE_3.rows[1:], *TABLE_4.rows[2:4])
        ),
    ),
    ordered=True,
)

TABLES = (TABLE_1, TABLE_2, TABLE_3, TABLE_4, TABLE_5, TABLE_6, TABLE_7, TABLE_8)
