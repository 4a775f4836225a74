"""Writes the README's table of what was measured on real pictures: python docs/results/readme_table.py.

A cell is the mean over seeds of what seeds.py reads, on test; a gain compares two rankings of the same boxes.
"""

from pathlib import Path

from seeds import DATA, Figures, runs

README = Path(__file__).resolve().parents[2] / "README.md"
HEADING = "## What was measured\n"


def mean(data: str, kind: str, name: str, minus: str | None = None) -> float:
    """The mean over seeds of one figure, or of its difference to another."""
    seeds = runs(data, "default", kind)
    return sum(_figure(seed, name) - (_figure(seed, minus) if minus else 0.0) for seed in seeds) / len(seeds)


def _figure(seed: Figures, name: str) -> float:
    value = seed[name]
    if value is None:
        raise SystemExit(f"{name}: a seed has no figure")
    return value


def gain(name: str) -> list[str]:
    """Of the default's clusters with voting over ranking by the score, for each data set."""
    values = [mean(data, "test", f"clusters_voting/{name}", f"score/{name}") for data in DATA]
    return [f"{value:+.1f}" for value in values]


def table() -> str:
    """The table's lines."""
    rows = [
        ["on test pictures of", *DATA],
        ["---"] * (len(DATA) + 1),
        ["trainings (figures are means)", *(str(len(runs(data, "default", "test"))) for data in DATA)],
        *(
            [words, *(f"{mean(data, 'test', f'distinct/{name}/pearson'):.2f}" for data in DATA)]
            for words, name in (
                ("correlation (Pearson) of the score with the true IoU, over all boxes before NMS", "score"),
                ("correlation of the predicted IoU with the true IoU", "iou"),
            )
        ),
        [
            "error of the calibrated predicted IoU, boxes on no object included",
            *(f"{mean(data, 'meaning', 'candidates_error/iou_calibrated'):.3f}" for data in DATA),
        ],
        ["AP, ranked by the score", *(f"{mean(data, 'test', 'score/AP'):.1f}" for data in DATA)],
        ["gain by DIR in AP", *gain("AP")],
        [
            "gain by DIR in AP75, AP90",
            *(f"{at75}, {at90}" for at75, at90 in zip(gain("AP75"), gain("AP90"), strict=True)),
        ],
    ]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in rows)


def main() -> None:
    """Puts the table in the place of the one in the README's section."""
    before, section = README.read_text(encoding="utf-8").split(HEADING)
    lines = section.splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if line.startswith("|"))
    past = next(number for number, line in enumerate(lines[first:], first) if not line.startswith("|"))
    README.write_text(before + HEADING + "".join([*lines[:first], table(), *lines[past:]]), encoding="utf-8")


if __name__ == "__main__":
    main()
