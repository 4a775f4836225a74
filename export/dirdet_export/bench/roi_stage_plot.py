"""The RoI stage's steps as stacked bars, one for each number of proposals and candidates, as a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dirdet.quality.extra import library
from dirdet_export.bench.roi_stage import RUNTIMES
from dirdet_export.bench.roi_steps import STEPS

PANEL_INCHES = (5.0, 3.4)


def plot(content: Mapping[str, Any], path: Path) -> None:
    """Median milliseconds, a panel for each runtime; torchvision's RoI heads as a mark.

    Args:
        content: of a report of `dirdet bench roi-stage`.
        path: an image; its ending decides the format.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    medians = {(row["group"], row["name"]): 1000 * row["median"] for row in content["rows"]}
    groups = list(dict.fromkeys(row["group"] for row in content["rows"]))
    colours = library("matplotlib").colormaps["tab10"].colors
    width, height = PANEL_INCHES
    figure = library("matplotlib.figure").Figure(figsize=(width * len(RUNTIMES), height), layout="constrained")
    axes = figure.subplots(1, len(RUNTIMES), sharey=True)
    for each, file in zip(axes, RUNTIMES.values(), strict=True):
        bottom = [0.0] * len(groups)
        labels = ["\n".join(part.split()[0] for part in group.split(", ")) for group in groups]
        for number, step in enumerate(STEPS):
            values = [medians[group, f"{file}: {step}"] for group in groups]
            each.bar(labels, values, bottom=bottom, color=colours[number], label=step)
            bottom = [one + other for one, other in zip(bottom, values, strict=True)]
        others = [medians.get((group, "torchvision roi_heads"), float("nan")) for group in groups]
        each.plot(labels, others, "k_", markersize=24, label="torchvision roi_heads, without proposals and DIR")
        each.set(title=file, xlabel="proposals, candidates")
    axes[0].set_ylabel("ms, median")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=7, loc="outside right upper")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
