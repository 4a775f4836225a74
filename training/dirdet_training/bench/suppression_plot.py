"""How long each NMS takes by the number of boxes, as a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dirdet.quality.extra import library
from dirdet.quality.plots import COLOURS, MARKERS

DRAWN = ("torchvision batched_nms", "ranked by dir", "mmcv soft_nms, Gaussian", "soft_nms_gaussian", "iou_nms")
PANEL_INCHES = (4.2, 3.6)


def plot(content: Mapping[str, Any], path: Path) -> None:
    """Median time against boxes, a panel for each layout, number of classes and device.

    Args:
        content: of a report of `dirdet bench nms`.
        path: an image; its ending decides the format.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    panels: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for row in content["rows"]:
        boxes, _, title = row["group"].partition(" boxes, ")
        if row["name"] in DRAWN:
            lines = panels.setdefault(title, {})
            lines.setdefault(row["name"], []).append((int(boxes.replace(",", "")), 1000 * row["median"]))
    width, height = PANEL_INCHES
    figure = library("matplotlib.figure").Figure(figsize=(width * len(panels), height), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for each, (title, lines) in zip(axes, panels.items(), strict=True):
        for name, points in lines.items():
            number = DRAWN.index(name)
            each.loglog(*zip(*sorted(points), strict=True), label=name, color=COLOURS[number], marker=MARKERS[number])
        each.set(xlabel="boxes", title=title)
        each.grid(visible=True, alpha=0.3)
    axes[0].set_ylabel("ms a call, median")
    axes[0].legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
