"""Tries heads on a frozen detector and prints their table on val: python docs/results/trials.py DATA [TRIAL ...].

Run it where `data/` is. DATA is cells, nuclei or cards; without TRIAL all are made. Each trial is one retrofit from
`training/weights/`, seed 0, and one `dirdet evaluate`; a trial that is finished is not made again. `default` is what
`dirdet train --retrofit` does by default.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
WEIGHTS = HERE.parents[1] / "training" / "weights"
PASSES = {"cells": 6, "nuclei": 1, "cards": 6}
RANKS = ("score", "dir", "clusters_voting")
APS = ("AP", "AP75", "AP90", "AP_agnostic")
FITS = ("mean", "lowest", "pearson", "pearson_fitting", "kendall_fitting")


class Trial(NamedTuple):
    """One head: the boxes it learns from, the rate and the dropout; None for the default."""

    learns_from: str | None = None
    rate: float | None = None
    dropout: float | None = None

    def options(self) -> list[str]:
        """Options of `dirdet train`."""
        told: list[str] = [] if self.learns_from is None else ["--learn-from", self.learns_from]
        if self.rate is not None:
            told += ["-o", f"optim_wrapper.optimizer.lr={self.rate}"]
        if self.dropout is not None:
            told += ["-o", f"model.roi_head.dir_head.dropout={self.dropout}"]
        return told


TRIALS = {
    "positives, as the paper": Trial("positives", rate=1e-3, dropout=0.0),
    "candidates, fast": Trial("candidates", rate=1e-3, dropout=0.0),
    "positives": Trial("positives"),
    "candidates": Trial("candidates"),
    "jittered and candidates": Trial("jittered+candidates"),
    "all three": Trial("jittered+candidates+positives"),
    "default": Trial(),
    "default, no dropout": Trial(dropout=0.0),
    "default, more dropout": Trial(dropout=0.5),
    "default, fast": Trial(rate=1e-3),
}


def measured(data: str, name: str) -> dict[str, float | None]:
    """Figures of one trial on val, made if they are missing."""
    folder = Path("work_dirs/trials", data, name.replace(", ", "_").replace(" ", "_"))
    figures, config = folder / "val.json", f"faster_rcnn_lite0_{data}"
    if not figures.is_file():
        head, checkpoint = folder / "retrofitted.pth", WEIGHTS / f"{data}_float16.pth"
        if not head.is_file():
            fixed = f"--cache-features --passes {PASSES[data]} --boxes-per-picture 64 --epochs 3 --seed 0".split()
            width = ["-o", "model.roi_head.dir_head.fc_channels=256"]
            where = ["--retrofit", str(checkpoint), "--work-dir", str(folder)]
            _dirdet(["train", config, *where, *fixed, *width, *TRIALS[name].options()])
        ranks = [word for rank in RANKS for word in ("--rank", rank)]
        told = ["evaluate", str(folder / f"{config}.py"), str(head), "--ann", "annotations/val.json", *ranks, "--json"]
        figures.write_text(_dirdet(told), encoding="utf-8")
    content: dict[str, Any] = json.loads(figures.read_text(encoding="utf-8"))
    return next(iter(content.values()))


def _dirdet(words: list[str]) -> str:
    return subprocess.run(
        [sys.executable, "-m", "dirdet", *words], stdout=subprocess.PIPE, check=True, text=True
    ).stdout


def main(data: str, names: list[str]) -> None:
    """Prints a row as soon as it is measured."""
    titles = [f"{rank}: {name}" for rank in RANKS for name in APS] + [f"iou: {name}" for name in FITS]
    print("| trial | " + " | ".join(titles) + " |\n" + "|---" * (len(titles) + 1) + "|")
    for name in names or TRIALS:
        figures = measured(data, name)
        cells = [f"{figures[f'{rank}/{each}']:.1f}" for rank in RANKS for each in APS]
        cells += [f"{figures[f'distinct/iou/{each}']:.3f}" for each in FITS]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
