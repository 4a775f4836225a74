"""Writes tests/server/detector/sahi_answers.json: what SAHI 0.12.8 joins; run it in an environment with SAHI.

python tests/support/make_sahi_answers.py
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

TARGET = Path(__file__).parent.parent / "server" / "detector" / "sahi_answers.json"
CASES = 24


def main() -> None:
    from sahi.postprocess.backends import set_postprocess_backend  # pyright: ignore
    from sahi.postprocess.combine import GreedyNMMPostprocess, NMMPostprocess, NMSPostprocess  # pyright: ignore
    from sahi.prediction import ObjectPrediction  # pyright: ignore

    set_postprocess_backend("numpy")
    kinds: dict[str, Any] = {"nms": NMSPostprocess, "nmm": NMMPostprocess, "greedy_nmm": GreedyNMMPostprocess}
    rng = np.random.default_rng(0)
    cases: list[dict[str, Any]] = []
    for number in range(CASES):
        count = 2 * number
        corner, size = rng.integers(0, 120, (count, 2)), rng.integers(5, 50, (count, 2))
        boxes = np.concatenate([corner, corner + size], axis=1).tolist()
        score = np.round(rng.uniform(0.1, 1, count), 1 if number % 4 == 0 else 4).tolist()  # some of them equal
        class_id = rng.integers(0, 2, count).tolist()
        threshold = (0.3, 0.5, 0.7)[number % 3]
        found = [
            ObjectPrediction(bbox=box, score=each, category_id=label, category_name=str(label))
            for box, each, label in zip(boxes, score, class_id, strict=True)
        ]
        answers: dict[str, list[list[float]]] = {}
        for name, kind in kinds.items():
            for metric in ("IOU", "IOS"):
                join = kind(match_threshold=threshold, match_metric=metric, class_agnostic=False)
                joined = join(list(found)) if found else []
                answers[name + ("_ios" if metric == "IOS" else "")] = sorted(
                    [*(int(side) for side in each.bbox.to_xyxy()), round(each.score.value, 4), each.category.id]
                    for each in joined
                )
        told = {"boxes": boxes, "score": score, "class_id": class_id, "threshold": threshold, "answers": answers}
        cases.append(told)
    TARGET.write_text("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
