"""Prints the tables of docs/results/learning.md on real pictures: python docs/results/real_pictures.py DATA [--all].

Of heads that were retrofitted to one frozen detector and learnt from different boxes, as `dirdet evaluate --json` wrote
them: DATA_retrofit_MIXTURE_seed0_val.json.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
MIXTURES = (
    "positives",
    "candidates",
    "jittered",
    "jittered+candidates",
    "jittered+positives",
    "jittered+candidates+positives",
)
RANKS = {
    "score": "score",
    "dir": "DIR (paper)",
    "dir_by_score": "DIR's NMS, reported by score",
    "dir_voting": "DIR, voting",
    "clusters": "clusters by score, representative",
    "clusters_by_score": "the same, reported by score",
    "clusters_voting": "clusters, representative, voting",
    "clusters_voting_by_score": "the same, reported by score",
    "oracle": "oracle",
}
# Without --all.
SHOWN = ("score", "dir", "dir_by_score", "clusters_voting", "oracle")
COLUMNS = ("AP", "AP50", "AP75", "AP90")
Figures = dict[str, float | None]


def shown(value: float | None, digits: int) -> str:
    """A figure, or nothing where there is none."""
    return "" if value is None else f"{value:.{digits}f}"


def both(figures: Figures, name: str) -> str:
    """A figure with classes and, in brackets, without."""
    return f"{shown(figures.get(name), 1)} ({shown(figures.get(f'{name}_agnostic'), 1)})"


def runs(data: str) -> dict[str, Figures]:
    """Figures by mixture."""
    found: dict[str, Figures] = {}
    for mixture in MIXTURES:
        path = HERE / f"{data}_retrofit_{mixture}_seed0_val.json"
        if path.is_file():
            [found[mixture]] = json.loads(path.read_text(encoding="utf-8")).values()
    return found


def main(data: str, ranks: tuple[str, ...]) -> None:
    """Prints AP by mixture and rank, and below how well each head's iou predicts the fit."""
    measured = runs(data)
    print("| the head learnt from | ranked by | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    # The detector is one: ranked by score, and by the truth, it is the same with every head.
    rows = [("(any)", next(iter(measured.values())), rank) for rank in ("score", "oracle")]
    own = [rank for rank in ranks if rank not in {"score", "oracle"}]
    rows += [(mixture, figures, rank) for mixture, figures in measured.items() for rank in own]
    for learnt, figures, rank in rows:
        cells = (both(figures, f"{rank}/{name}") for name in COLUMNS)
        print(f"| {learnt} | {RANKS[rank]} | " + " | ".join(cells) + " |")
    fields = ("mean", "lowest", "pearson", "pearson_fitting", "auroc_fitting")
    print(
        "\n| predicted | mean (true: " + shown(next(iter(measured.values()))["distinct/true/mean"], 3) + ") |", end=""
    )
    print(" lowest 1% | Pearson, all | Pearson, IoU >= 0.5 | AUROC of IoU >= 0.5 |\n" + "|---" * 6 + "|")
    for number, (mixture, figures) in enumerate(measured.items()):
        for said in ("score", "iou"):
            if said == "iou" or not number:
                cells = (shown(figures[f"distinct/{said}/{field}"], 3) for field in fields)
                print(f"| {'score' if said == 'score' else 'iou, ' + mixture} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(sys.argv[1], tuple(RANKS) if "--all" in sys.argv else SHOWN)
