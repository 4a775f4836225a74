"""SAHI's rules give SAHI's answers, which `tests/support/make_sahi_answers.py` wrote."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dirdet.detector.tile_joining import Seen
from dirdet.detector.tile_joining_sahi import SAHI_RULES, join_as_sahi

CASES = json.loads((Path(__file__).parent / "sahi_answers.json").read_text())


def seen_in(case: dict[str, Any]) -> Seen:
    count = len(case["boxes"])
    return Seen(
        boxes_xyxy=np.array(case["boxes"], np.float64).reshape(-1, 4),
        class_id=np.array(case["class_id"], np.int64),
        rank=np.array(case["score"], np.float64),
        integrity=np.ones(count),
        tile=np.zeros(count, np.int64),
        tiles_xyxy=np.array([(0, 0, 200, 200)], np.float64),
        margin=np.array([2.0]),
        picture_wh=(200, 200),
    )


@pytest.mark.parametrize("rule", SAHI_RULES)
def test_the_boxes_are_those_of_sahi(rule: str) -> None:
    for case in CASES:
        seen = seen_in(case)
        found = join_as_sahi(seen, rule, threshold=case["threshold"])
        joined = [
            [*box, rank, class_id]
            for box, rank, class_id in zip(
                found.boxes_xyxy.tolist(), seen.rank[found.leader].tolist(), seen.class_id[found.leader], strict=True
            )
        ]
        assert sorted(joined) == case["answers"][rule]
        assert (np.diff(seen.rank[found.leader]) <= 0).all()
        assert [parts[0] for parts in found.parts] == found.leader.tolist()


def test_a_half_and_its_whole_become_one_only_by_the_smaller_area() -> None:
    seen = seen_in({"boxes": [(0, 0, 40, 100), (0, 0, 100, 100)], "score": [0.9, 0.8], "class_id": [0, 0]})
    assert len(join_as_sahi(seen, "greedy_nmm", threshold=0.5).leader) == 2
    [union] = join_as_sahi(seen, "greedy_nmm_ios", threshold=0.5).boxes_xyxy
    assert union.tolist() == [0, 0, 100, 100]
    [half] = join_as_sahi(seen, "nms_ios", threshold=0.5).boxes_xyxy
    assert half.tolist() == [0, 0, 40, 100]
