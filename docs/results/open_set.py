"""How often the shipped detector names what it does not know: python docs/results/open_set.py SCENES VAL [SHARE].

SCENES is the folder of `dirdet scenes`; VAL has the detections on its val split, of `dirdet detect --json`; stamps and
backgrounds are installed in SHARE, by default /usr/share. Composes 200 pictures of cut-outs that are of none of the
classes (clothes, food, space, sports and others of Tux Paint's stamps) on val's backgrounds. Prints, for several parts
of right detections on val, the score threshold with the best F1, the part of val's objects found above it, and the
detections above it on these pictures, all of which are wrong.
"""

# scipy, scikit-learn and JSON are weakly typed.
# pyright: basic

import json
import random
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.quality.arrays import Floats
from dirdet.quality.detections_file import read_results
from dirdet.quality.ground_truth import read_ground_truth
from dirdet.quality.true_iou import judge
from dirdet_training.scenes.taxonomy import CLASSES

PICTURES, SIZE = 200, (320, 256)
# Folders whose stamps are of a class, or may pass for one (tanks, castles, brushes), or are no things.
LEFT_OUT = (
    "symbols",
    "town",
    "military",
    "household/arttools",
    "animals/marsupials",
    *(each.folder for each in CLASSES),
)
PRECISIONS = (0.0, 0.5, 0.6, 2 / 3, 0.75)
OPTIONS = DetectOptions(score_threshold=0.05)


def unknown_things(stamps: Path) -> list[Path]:
    """Cut-outs of no class; mirrored copies and pictures without a transparent border are left out."""
    found: list[Path] = []
    for path in sorted(stamps.rglob("*.png")):
        told = path.relative_to(stamps).as_posix()
        if any(told.startswith(f"{folder}/") for folder in LEFT_OUT) or "_mirror" in told or "_flip" in told:
            continue
        alpha = np.asarray(Image.open(path).convert("RGBA"))[..., 3]
        if min(alpha.shape) >= 40 and (alpha > 128).mean() <= 0.98:
            found.append(path)
    return found


@cache
def _photograph(path: Path) -> Image.Image:
    picture = Image.open(path).convert("RGB")
    picture.thumbnail((1280, 1280))
    return picture


def compose(things: list[Path], backgrounds: list[Path], numbers: random.Random) -> Image.Image:
    """One to four things on a part of a background."""
    photograph = _photograph(numbers.choice(backgrounds))
    width = int(min(photograph.width, photograph.height * 1.25) * numbers.uniform(0.4, 1))
    height = width * SIZE[1] // SIZE[0]
    left, top = numbers.randint(0, photograph.width - width), numbers.randint(0, photograph.height - height)
    picture = photograph.crop((left, top, left + width, top + height)).resize(SIZE, Image.Resampling.LANCZOS)
    for _ in range(numbers.randint(1, 4)):
        thing = Image.open(numbers.choice(things)).convert("RGBA")
        thing = thing.crop(thing.getchannel("A").getbbox())
        side = numbers.uniform(50, 200)
        thing.thumbnail((side, side))
        thing = thing.rotate(numbers.uniform(-15, 15), Image.Resampling.BICUBIC, expand=True)
        room = [max(0, side - own) for side, own in zip(SIZE, thing.size, strict=True)]
        picture.paste(thing, (numbers.randint(0, room[0]), numbers.randint(0, room[1])), thing)
    return picture


def scores_on(pictures: Iterator[Image.Image]) -> Floats:
    """Scores of all detections."""
    detector = Detector.open()
    return np.array([found.score for picture in pictures for found in detector.detect([picture], OPTIONS)[0]])


def main(scenes: Path, candidates: Path, share: Path) -> None:
    """Prints the table."""
    sources = json.loads((scenes / "scenes.json").read_text(encoding="utf-8"))["recipe"]["sources"]["photographs"]
    folders = (share / "wallpapers", share / "backgrounds")
    names = [name for name, told in sources.items() if told["split"] == "val"]
    backgrounds = [folder / name for name in names for folder in folders if (folder / name).is_file()]
    things, numbers = unknown_things(share / "tuxpaint" / "stamps"), random.Random(0)
    unknown = scores_on(compose(things, backgrounds, numbers) for _ in range(PICTURES))
    truth = read_ground_truth(scenes / "annotations" / "val.json")
    results = read_results(candidates, truth)
    judged = judge(results, truth)
    kept = results.kept & ~judged.ignored
    score, right = results.predictions["score"][kept], judged.correct_iou[kept] > 0
    objects = int((~truth.crowd).sum())
    print(f"{len(things)} cut-outs on {len(backgrounds)} backgrounds")
    print(
        "| right at least | threshold | right | found | wrong detections a picture of unknown things |\n"
        + "|---" * 5
        + "|"
    )
    for least in PRECISIONS:
        above = [(score > threshold, threshold) for threshold in np.arange(100) / 100]
        precise = [(rows, at) for rows, at in above if rows.any() and right[rows].mean() >= least]
        rows, at = max(precise, key=lambda each: 2 * right[each[0]].sum() / (each[0].sum() + objects))
        parts = f"{least:.0%} | {at:.2f} | {right[rows].mean():.0%} | {right[rows].sum() / objects:.0%}"
        print(f"| {parts} | {(unknown > at).sum() / PICTURES:.2f} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3] if len(sys.argv) > 3 else "/usr/share"))
