"""Prints the tables of real_pictures.md over seeds: python docs/results/seeds.py test (or val).

Reads DATA_BOXES_seedN_SPLIT.json, as `dirdet evaluate --json` wrote them, and DATA_BOXES_seedN_meaning.json, as
meaning.py wrote them (fitted on val, shown on test); BOXES is what the head learnt from: positives, or default.
A cell is the mean over seeds and, in brackets, the lowest and the highest; a gain has its 95% interval by Student's t.
"""

import json
import sys
from collections.abc import Collection, Iterable, Sequence
from itertools import product
from pathlib import Path

from dirdet_training.study.intervals import paired

HERE = Path(__file__).parent
DATA = ("cells", "nuclei", "cards")
LEARNT = ("positives", "default")
RANKS = (
    ("score", "default", "score"),
    ("DIR (the paper: from positives)", "positives", "dir"),
    ("DIR", "default", "dir"),
    ("clusters, representative, voting", "default", "clusters_voting"),
    ("oracle", "default", "oracle"),
)
APS = ("AP", "AP50", "AP75", "AP90", "AP_agnostic", "AP75_agnostic", "AP90_agnostic")
GAINS = ("AP", "AP75", "AP90", "AP_agnostic", "AP75_agnostic", "AP90_agnostic")
GAINING = (("DIR", "dir"), ("clusters with voting", "clusters_voting"))
FITS = {
    "mean": "mean",
    "lowest": "lowest 1%",
    "pearson": "Pearson, all",
    "pearson_fitting": "IoU >= 0.5",
    "kendall": "Kendall, all",
    "kendall_fitting": "IoU >= 0.5",
    "regret": "regret, all",
    "regret_fitting": "IoU >= 0.5",
}
MEANINGS = {
    "candidates_error/score": "error of score",
    "candidates_error/score_calibrated": "calibrated",
    "candidates_error/iou": "error of iou",
    "candidates_error/iou_calibrated": "calibrated",
    "min_iou": "min_iou",
    "below_min_iou/wrong": "removes of the wrong",
    "below_min_iou/wrong_on_no_object": "of those on no object",
    "below_min_iou/right": "of the right",
    "risk/iou/1.0": "risk of all",
    "risk/score/0.5": "of the best half by score",
    "risk/confidence/0.5": "by confidence",
    "risk/iou/0.5": "by iou",
}
Figures = dict[str, float | None]


def runs(data: str, learnt: str, kind: str) -> list[Figures]:
    """The figures of every seed that was measured."""
    found: list[Figures] = []
    for path in sorted(HERE.glob(f"{data}_{learnt}_seed?_{kind}.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        # `dirdet evaluate` has a level of annotation files.
        found.append(next(iter(content.values())) if kind != "meaning" else content)
    return found


def known(values: Sequence[float | None]) -> list[float]:
    """Those that were measured."""
    return [value for value in values if value is not None]


def cell(values: Sequence[float | None], digits: int) -> str:
    """Mean (lowest to highest) of what was measured."""
    found = known(values)
    if not found:
        return ""
    mean = f"{sum(found) / len(found):.{digits}f}"
    return mean if len(found) == 1 else f"{mean} ({min(found):.{digits}f} to {max(found):.{digits}f})"


def row(words: Sequence[str], measured: Sequence[Figures], names: Iterable[str], digits: int) -> None:
    """Prints a line of a table."""
    cells = (cell([figures.get(name) for figures in measured], digits) for name in names)
    print("| " + " | ".join([*words, *cells]) + " |")


def head(words: Sequence[str], names: Collection[str]) -> None:
    """Prints the two first lines of a table."""
    print("\n| " + " | ".join([*words, *names]) + " |\n" + "|---" * (len(words) + len(names)) + "|")


def print_aps(split: str) -> None:
    """AP of each way to rank."""
    head(("pictures", "seeds", "ranked by"), APS)
    for data, (words, learnt, rank) in product(DATA, RANKS):
        if measured := runs(data, learnt, split):
            row((data, str(len(measured)), words), measured, [f"{rank}/{name}" for name in APS], 1)


def print_gains(split: str) -> None:
    """Gains over ranking the same boxes by score, paired by seed: the mean, its interval, and each seed's."""
    head(("pictures", "ranked by"), GAINS)
    for data, (words, rank) in product(DATA, GAINING):
        measured = runs(data, "default", split)
        cells: list[str] = []
        for name in GAINS:
            ours, theirs = (known([figures[f"{way}/{name}"] for figures in measured]) for way in (rank, "score"))
            gain = paired(ours, theirs)
            cells.append(f"{gain.shown(sign=True)} ({', '.join(f'{value:+.1f}' for value in gain.values)})")
        print("| " + " | ".join([data, words, *cells]) + " |")


def print_fits(split: str) -> None:
    """How well score and iou predict the fit, each box once."""
    head(("pictures", "predicted"), FITS.values())
    for data, (said, learnt) in product(DATA, (("score", "default"), *(("iou", one) for one in LEARNT))):
        if measured := runs(data, learnt, split):
            words = (data, f"iou, {learnt}" if said == "iou" else said)
            row(words, measured, [f"distinct/{said}/{name}" for name in FITS], 3)
    for data in DATA:
        row((data, "(true mean)"), runs(data, "default", split), ["distinct/true/mean"], 3)


def print_meanings() -> None:
    """What calibrated numbers mean, what min_iou removes, and the risk of what is kept."""
    head(("pictures", "the head learnt from"), MEANINGS.values())
    for data, learnt in product(DATA, LEARNT):
        if measured := runs(data, learnt, "meaning"):
            row((data, learnt), measured, MEANINGS, 3)


if __name__ == "__main__":
    print_aps(sys.argv[1])
    print_gains(sys.argv[1])
    print_fits(sys.argv[1])
    print_meanings()
