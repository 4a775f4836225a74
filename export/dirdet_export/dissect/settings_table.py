"""The table of docs/settings.md: every setting of `test_cfg`, and whether an export honours or refuses it."""

from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["honoured", "refused", "without effect in MMDetection 3"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        part: of test_cfg.
        name: below it; dots lead further down.
        value: an example.
        verdict: what becomes of it.
        note: for the reader.
    """

    part: Literal["rcnn", "rpn"]
    name: str
    value: Any
    verdict: Verdict = "honoured"
    note: str = ""


SETTINGS = (
    Setting("rcnn", "score_thr", 0.001, note="also the default of requests"),
    Setting("rcnn", "max_per_img", 50),
    Setting("rcnn", "max_per_img", -1, note="every candidate may be a detection; refused with masks"),
    Setting("rcnn", "nms.iou_threshold", 0.6, note="also the default of requests"),
    Setting("rcnn", "nms.class_agnostic", True),
    Setting("rcnn", "nms.max_num", 7),
    Setting("rcnn", "nms.split_thr", 10000, note="changes nothing below that many candidates"),
    Setting("rcnn", "nms.type", "soft_nms", "refused"),
    Setting("rcnn", "nms.min_score", 0.05, "refused", "of Soft-NMS, as sigma and method"),
    Setting("rcnn", "nms.offset", 1, "refused"),
    Setting("rcnn", "nms.score_threshold", 0.1, "refused"),
    Setting("rcnn", "mask_thr_binary", 0.4),
    Setting("rcnn", "subdivision_num_points", 784, "refused", "but of PointRend, as subdivision_steps"),
    Setting("rcnn", "max_candidates", 200, note="of a detector with DIR; a plain one has no such limit"),
    Setting("rcnn", "min_area", 3, "refused", "as every other setting"),
    Setting("rpn", "nms_pre", 50),
    Setting("rpn", "max_per_img", 30),
    Setting("rpn", "max_per_img", -1, "refused"),
    Setting("rpn", "min_bbox_size", 8),
    Setting("rpn", "nms.iou_threshold", 0.5),
    Setting("rpn", "nms.max_num", 20),
    Setting("rpn", "nms.class_agnostic", True, "refused"),
    Setting("rpn", "nms.type", "soft_nms", "refused"),
    Setting("rpn", "nms_across_levels", True, "without effect in MMDetection 3"),
    Setting("rpn", "nms_post", 100, "without effect in MMDetection 3"),
    Setting("rpn", "max_num", 100, "without effect in MMDetection 3"),
)
BEGIN, END = "<!-- settings -->\n", "<!-- end of settings -->\n"


def render_settings() -> str:
    """The table in Markdown."""
    lines = ["| test_cfg | example | export | |", "|---|---|---|---|"]
    lines += [f"| `{each.part}.{each.name}` | `{each.value!r}` | {each.verdict} | {each.note} |" for each in SETTINGS]
    return "\n".join(lines) + "\n"
