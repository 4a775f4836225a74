"""Figures 2 and 4 as SVG files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dirdet.quality import pearson
from dirdet.quality.optional_libraries import library
from dirdet.quality.plots import COLOURS
from dirdet_training import geometry
from dirdet_training.study.collected import Collected
from dirdet_training.study.measure import correlated_pairs, predictions
from dirdet_training.study.paper import PEARSON
from dirdet_training.study.row_rankings import WAYS

PANEL_INCHES = 3.2
# A proposal belongs to an object from this IoU on, as in training.
MIN_PROPOSAL_IOU = 0.5
BINS = np.linspace(-0.5, 0.5, 41)


def figure_4(path: Path, collected: Collected) -> bool:
    """Plots score, foresight IoU, hindsight IoU and DIR against the true IoU, each with its Pearson.

    Args:
        path: the SVG file to write.
        collected: the candidates of one checkpoint.

    Returns:
        Whether the figure was drawn; without data it is not.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    there = predictions(collected.candidates[0]) if collected.candidates else {}
    panels = {way: said for way in PEARSON if (said := WAYS[way].said) is not None and said in there}
    if not panels:
        return False
    figure = library("matplotlib.figure").Figure(
        figsize=(PANEL_INCHES * len(panels), PANEL_INCHES), layout="constrained"
    )
    for axes, (way, name) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        said, true = correlated_pairs(collected, name)
        axes.hexbin(said, true, gridsize=32, extent=(0, 1, 0.5, 1), mincnt=1, cmap="Blues", bins="log", linewidths=0)
        axes.set(xlabel=way, ylabel="true IoU", xlim=(0, 1), ylim=(0.5, 1))
        axes.set_title(f"P = {pearson(said, true):.3f} (paper: {PEARSON[way]})", fontsize=10)
    _save(figure, path)
    return True


def delta_ious(collected: Collected) -> np.ndarray:
    """Computes each box's IoU with its object minus its proposal's IoU with it, [P].

    Only candidates whose proposal has an IoU of at least 0.5 with an object count; the object is the proposal's.
    """
    found: list[np.ndarray] = []
    for picture in collected.candidates:
        if picture.proposals_xyxy is None or not len(picture.objects_xyxy) or not len(picture.boxes_xyxy):
            continue
        before, index = geometry.iou(picture.proposals_xyxy[:, None], picture.objects_xyxy[None]).max(dim=1)  # [N]
        after = geometry.iou(picture.boxes_xyxy, picture.objects_xyxy[index])  # [N]
        found.append((after - before)[before >= MIN_PROPOSAL_IOU].double().numpy())
    return np.concatenate(found) if found else np.zeros(0)


def figure_2(path: Path, by_checkpoint: Mapping[str, Collected]) -> dict[str, tuple[float, float]]:
    """Plots the distribution of the IoU gained by regression, at several points of one training.

    Args:
        path: the SVG file to write.
        by_checkpoint: candidates by the checkpoint's name, in order of the training.

    Returns:
        Mean and standard deviation of each distribution that is drawn; no file is written if there is none.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    deltas = {name: found for name, collected in by_checkpoint.items() if len(found := delta_ious(collected))}
    if not deltas:
        return {}
    figure = library("matplotlib.figure").Figure(figsize=(1.6 * PANEL_INCHES, PANEL_INCHES), layout="constrained")
    axes = figure.add_subplot()
    for number, (name, values) in enumerate(deltas.items()):
        shade = COLOURS[number % len(COLOURS)]
        axes.hist(np.clip(values, BINS[0], BINS[-1]), BINS, density=True, histtype="step", label=name, color=shade)
    axes.set(xlabel="IoU of the refined box minus IoU of its proposal", ylabel="density")
    axes.legend()
    _save(figure, path)
    return {name: (float(values.mean()), float(values.std())) for name, values in deltas.items()}


def _save(figure: Any, path: Path) -> None:  # noqa: ANN401
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format=path.suffix.removeprefix("."), metadata={"Date": None})


def strongest_differences(scores: Sequence[float], count: int) -> list[int]:
    """Returns the indices of the largest values, largest first; of equal values the earlier is first."""
    return sorted(range(len(scores)), key=lambda index: -scores[index])[:count]
