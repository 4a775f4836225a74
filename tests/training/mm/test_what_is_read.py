"""What the check reports of a COCO file is what MMDetection makes of it."""

import copy
import json
import random
from typing import Any

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from mmengine.utils import import_modules_from_strings

from dirdet_training.annotations.check import check_file
from dirdet_training.annotations.segmentations import Segmentation, segmentation_states
from dirdet_training.annotations.without_broken import without_broken
from dirdet_training.mm.data import use_of

CONTENT: dict[str, Any] = {
    "images": [
        {"id": number, "file_name": f"{number}.png", "width": 60, "height": 40 if number else 20} for number in range(4)
    ],
    "annotations": [
        {
            "id": number,
            "image_id": number % 3,
            "category_id": 1 + number % 2,
            "bbox": [5, 5, 20, 10],
            "area": 200,
            "iscrowd": 0,
            "segmentation": [[5, 5, 25, 5, 25, 15, 5, 15]],
        }
        for number in range(1, 9)
    ],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}, {"id": 3, "name": "animals"}],
}
SIZE = {"size": [40, 60]}
# With what the check says of each in a picture of 60x40.
SEGMENTATIONS = [
    ([[5, 5, 25, 5, 25, 15]], Segmentation.READ),
    ([[1, 1], [5, 5, 25, 5, 25, 15]], Segmentation.READ),
    ({**SIZE, "counts": [400, 200, 1800]}, Segmentation.READ),
    ({**SIZE, "counts": "`<X6Xh1"}, Segmentation.READ),
    (None, Segmentation.ABSENT),
    ([], Segmentation.ABSENT),
    ({}, Segmentation.ABSENT),
    ([[5, 5, 25, 15]], Segmentation.IGNORED),
    ([[5, 5, 25, 5, 25]], Segmentation.IGNORED),
    ([[]], Segmentation.IGNORED),
    ({"counts": [1, 2]}, Segmentation.IGNORED),
    ({**SIZE, "counts": None}, Segmentation.IGNORED),
    ([5, 5, 25, 5, 25, 15], Segmentation.UNREADABLE),
    ([[5, 5, 25, 5, 25, float("nan")]], Segmentation.UNREADABLE),
    ([[5, 5, 25, 5, 25, "15"]], Segmentation.UNREADABLE),
    ({"size": [60, 40], "counts": [400, 200, 1800]}, Segmentation.UNREADABLE),
    ({**SIZE, "counts": [400, 200]}, Segmentation.UNREADABLE),
    ({**SIZE, "counts": [-1, 2401]}, Segmentation.UNREADABLE),
    ({**SIZE, "counts": "0"}, Segmentation.UNREADABLE),
    ({**SIZE, "counts": "\u00e4"}, Segmentation.UNREADABLE),
    ({**SIZE, "counts": ""}, Segmentation.UNREADABLE),
    ("text", Segmentation.UNREADABLE),
]
ODD: list[dict[str, Any]] = [
    *({"segmentation": value} for value, _ in SEGMENTATIONS),
    {"bbox": [5, 5, 0.5, 10]},
    {"bbox": [5, 5, 0, 10]},
    {"bbox": [50, 35, 20, 10]},
    {"bbox": [70, 5, 10, 10]},
    {"area": 0},
    {"area": -1},
    {"ignore": 1},
    {"iscrowd": 1},
    {"image_id": 17},
    {"category_id": 17},
    {"category_id": 3},
    {"keypoints": [5, 5, 2] * 17, "num_keypoints": 17},
    {"bbox": None},
]


def built(folder, content, use_masks, **options):
    """The instances that MMDetection's own data set and loader take from a file, by picture."""
    import_modules_from_strings("mmdet.datasets")
    from mmdet.registry import DATASETS

    init_default_scope("mmdet")
    (folder / "ready.json").write_text(json.dumps(content))
    steps = [{"type": "LoadAnnotations", "with_bbox": True, "with_mask": use_masks}]
    dataset = {**CONFIG, "ann_file": str(folder / "ready.json"), "pipeline": steps, **options}
    found = DATASETS.build(dataset)
    instances = {}
    for row in range(len(found)):
        info = found.get_data_info(row)
        loaded = found.pipeline({**info, "ori_shape": (info["height"], info["width"])})
        instances[info["img_id"]] = [not flag for flag in loaded["gt_ignore_flags"].tolist()]
    return dataset, instances


CONFIG: dict[str, Any] = {
    "type": "CocoDataset",
    "data_prefix": {"img": ""},
    "metainfo": {"classes": ("cat", "dog")},
    "filter_cfg": {"filter_empty_gt": True},
}


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("min_size", [0, 32])
def test_what_mmdetection_reads_is_what_the_check_counts(tmp_path, masks, min_size):
    """Pictures with several oddities each: after the broken entries are gone, both count the same."""
    chance = random.Random(f"{masks} {min_size}")
    content = copy.deepcopy(CONTENT)
    content["images"] = [{**chance.choice(CONTENT["images"]), "id": number} for number in range(120)]
    for number in range(400):
        entry = {**chance.choice(CONTENT["annotations"]), "id": number, "image_id": chance.randrange(110)}
        content["annotations"].append({**entry, **chance.choice([{}, *ODD])})
    (tmp_path / "odd.json").write_text(json.dumps(content))
    filters = {"filter_empty_gt": masks, "min_size": min_size}
    options = {**CONFIG, "filter_cfg": filters, "pipeline": [{"type": "LoadAnnotations", "with_mask": masks}]}
    report = check_file(tmp_path / "odd.json", None, use_of(options))
    _, instances = built(tmp_path, without_broken(content, report), masks, filter_cfg=filters)
    assert report.used == (len(instances), sum(map(sum, instances.values())))
    assert report.used[0] > 50
    assert report.used[1] > 50
    assert len(report.broken) > 4


def test_each_segmentation_is_what_it_is_taken_for(tmp_path):
    entry = CONTENT["annotations"][0]
    content = {**CONTENT, "annotations": [{**entry, "segmentation": value} for value, _ in SEGMENTATIONS]}
    expected = [state for _, state in SEGMENTATIONS]
    sizes = np.array([(60.0, 40.0)] * len(expected))
    (tmp_path / "nan.json").write_text(json.dumps(content))
    assert segmentation_states(tmp_path / "nan.json", sizes).tolist() == expected
    # A file without NaN is read faster, by another parser.
    rows = [row for row, (value, _) in enumerate(SEGMENTATIONS) if "nan" not in str(value)]
    content["annotations"] = [content["annotations"][row] for row in rows]
    (tmp_path / "plain.json").write_text(json.dumps(content))
    states = segmentation_states(tmp_path / "plain.json", sizes[rows]).tolist()
    assert states == [expected[row] for row in rows]
    alone = segmentation_states(tmp_path / "plain.json", sizes[rows], polygons_alone=True).tolist()
    assert alone[2] == Segmentation.IGNORED


@pytest.mark.parametrize(("value", "state"), [each for each in SEGMENTATIONS if each[1] == Segmentation.ABSENT])
def test_mmdetection_fails_without_a_segmentation(tmp_path, value, state):  # noqa: ARG001
    content = copy.deepcopy(CONTENT)
    content["annotations"][0]["segmentation"] = value
    with pytest.raises(KeyError, match="mask"):
        built(tmp_path, content, True)
    report = check_file(tmp_path / "ready.json", None, use_of({**CONFIG, "pipeline": [{"with_mask": True}]}))
    assert [finding.kind.label for finding in report.broken] == ["no-segmentation"]
    assert not check_file(tmp_path / "ready.json", None).broken, "boxes need none"
