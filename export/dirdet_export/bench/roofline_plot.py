"""The rate of each part of a detector beside the machine's, and where its time goes, as a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dirdet.quality.extra import library
from dirdet.quality.plots import COLOURS

SIZE_INCHES = (9.6, 3.4)
# Kinds of operators that take less of a network's time are drawn together.
LEAST_SHARE = 0.03


def plot(content: Mapping[str, Any], path: Path) -> None:
    """Left the rates, with the machine's as lines; right the shares of time by operator.

    Args:
        content: of a report of `dirdet bench roofline`.
        path: an image; its ending decides the format.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    rates = {row["name"]: row["median"] for row in content["rows"] if row["unit"] == "GFLOP/s"}
    networks = [name for name in rates if not name.startswith("matrices")]
    figure = library("matplotlib.figure").Figure(figsize=SIZE_INCHES, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.bar(networks, [rates[name] for name in networks], color=COLOURS[0], width=0.5)
    for number, name in enumerate(name for name in rates if name not in networks):
        left.axhline(rates[name], color=COLOURS[1 + number], label=name.removeprefix("matrices, "))
    left.set(ylabel="GFLOP/s, median", title="rate, and matrices' in each precision")
    left.set_ylim(top=1.35 * max(rates.values()))
    left.legend(fontsize=8, loc="upper center", ncols=len(rates) - len(networks))
    where: Mapping[str, Any] = content["facts"]["where"]
    for row, name in enumerate(networks):
        start = 0.0
        for share in where[name]:
            if share["share"] < LEAST_SHARE:
                continue
            label = share["kind"].replace(", depthwise", " dw")
            right.barh(row, share["share"], left=start, color=COLOURS[row], edgecolor="white", alpha=0.8)
            right.text(start + share["share"] / 2, row, label, ha="center", va="center", fontsize=6, rotation=90)
            start += share["share"]
    right.set_yticks(range(len(networks)), networks)
    right.set(xlim=(0, 1), xlabel="share of the time", title="where the time goes")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
