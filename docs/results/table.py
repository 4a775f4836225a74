"""Prints the tables of scenes.md from what `dirdet evaluate --json` wrote: python docs/results/table.py STEPS."""

# scipy, scikit-learn and JSON are weakly typed.
# pyright: basic

import json
import sys
from pathlib import Path
from statistics import mean, stdev

from scipy.stats import t as student

HERE = Path(__file__).parent
DETECTORS = {"with DIR": "faster_rcnn_dir_lite0_scenes", "without DIR": "faster_rcnn_lite0_scenes"}
COLUMNS = ("AP", "AP50", "AP75", "AP90", "AP_agnostic")

Figures = dict[str, float | None]


def runs(detector: str, steps: str) -> list[dict[str, Figures]]:
    """One dict a seed: figures by annotation file."""
    paths = sorted(HERE.glob(f"{DETECTORS[detector]}_{steps}_seed*_test.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def interval(values: list[float], digits: int = 1) -> str:
    """Mean and, of several seeds, the half width of its 95% interval (Student's t)."""
    text = f"{mean(values):.{digits}f}"
    if len(values) > 1:
        half = student.ppf(0.975, len(values) - 1) * stdev(values) / len(values) ** 0.5
        text += f" ± {half:.{digits}f}"
    return text


def column(seeds: list[dict[str, Figures]], pictures: str, name: str) -> list[float]:
    """One figure of every seed that has it."""
    found = [seed[pictures].get(name) for seed in seeds]
    return [value for value in found if value is not None]


def main(steps: str) -> None:
    """Prints a row for each difficulty, detector and rank, and the paired gains below."""
    with_dir, without = runs("with DIR", steps), runs("without DIR", steps)
    print(f"{len(with_dir)} seeds with DIR, {len(without)} without; mean ± 95% interval\n")
    print("| pictures | detector | ranked by | " + " | ".join(COLUMNS) + " | Pearson of score | Pearson of iou |")
    print("|---" * (len(COLUMNS) + 5) + "|")
    for pictures in with_dir[0]:
        for detector, seeds in (("with DIR", with_dir), ("without DIR", without)):
            for rank in ("score", "dir", "oracle"):
                if not column(seeds, pictures, f"{rank}/AP"):
                    continue
                cells = [interval(column(seeds, pictures, f"{rank}/{name}")) for name in COLUMNS]
                pearsons = [column(seeds, pictures, f"pearson/{name}") for name in ("score", "iou")]
                cells += [interval(values, 3) if values else "" for values in pearsons]
                print(f"| {Path(pictures).stem} | {detector} | {rank} | " + " | ".join(cells) + " |")
    print("\n| pictures | gain of DIR over | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    for pictures in with_dir[0]:
        for against, seeds in (("score, same checkpoint", with_dir), ("score, trained without DIR", without)):
            cells: list[str] = []
            for name in COLUMNS:
                ours = column(with_dir, pictures, f"dir/{name}")
                theirs = column(seeds, pictures, f"score/{name}")
                cells.append(interval([a - b for a, b in zip(ours, theirs, strict=False)]))
            print(f"| {Path(pictures).stem} | {against} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(sys.argv[1])
