"""The names and numbers of a detector's classes."""

import json
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from dirdet_export.dissect.categories import Categories, read_categories
from dirdet_export.errors import UnsupportedError

NUTS = {"classes": ("nut", "bolt")}


def config(**dataset: Any) -> Config:
    return Config({"test_dataloader": {"dataset": dataset}})


def pairs(categories: Categories) -> list[tuple[str, int]]:
    return [(category.name, category.category_id) for category in categories.listed]


def test_numbers_do_not_depend_on_whether_the_annotation_file_is_there(tmp_path: Path) -> None:
    (tmp_path / "val.json").write_text(
        json.dumps({"categories": [{"id": 7, "name": "nut"}, {"id": 9, "name": "bolt"}]})
    )
    for ann_file in ("val.json", "none.json"):
        found = read_categories(config(data_root=str(tmp_path), ann_file=ann_file, metainfo=NUTS), classes=2)
        assert pairs(found) == [("nut", 1), ("bolt", 2)]
        assert "numbered from 1" in found.source
        assert "--categories" in found.source


def test_numbers_of_coco_have_gaps() -> None:
    found = read_categories(config(type="CocoDataset"), classes=80)
    assert pairs(found)[:1] + pairs(found)[11:12] + pairs(found)[79:] == [
        ("person", 1),
        ("stop sign", 13),
        ("toothbrush", 90),
    ]
    assert "COCO's numbers" in found.source


@pytest.mark.parametrize("meta", [{"classes": ["left", "right"]}, {"CLASSES": ("left", "right")}])
def test_the_checkpoint_knows_best_what_it_learnt(meta: dict[str, Any]) -> None:
    found = read_categories(config(metainfo=NUTS), classes=2, dataset_meta=meta)
    assert [name for name, _ in pairs(found)] == ["left", "right"]
    assert "checkpoint" in found.source


@pytest.mark.parametrize("meta", [None, 3, {}, {"classes": 3}, {"classes": [1, 2]}, {"classes": ["one"]}])
def test_a_checkpoint_without_these_names_leaves_the_configs(meta: object) -> None:
    assert pairs(read_categories(config(metainfo=NUTS), classes=2, dataset_meta=meta)) == [("nut", 1), ("bolt", 2)]


def test_numbers_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "val.json"
    file.write_text(json.dumps({"categories": [{"id": 90, "name": "bolt"}, {"id": 0, "name": "nut"}]}))
    assert pairs(read_categories(config(metainfo=NUTS), classes=2, file=file)) == [("nut", 0), ("bolt", 90)]
    # Without names elsewhere, the file's order is the detector's.
    assert pairs(read_categories(config(), classes=2, file=file)) == [("bolt", 90), ("nut", 0)]
    text = tmp_path / "names.txt"
    text.write_text("left\n\nright\n")
    assert pairs(read_categories(config(), classes=2, file=text)) == [("left", 1), ("right", 2)]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('{"categories": [{"id": 1, "name": "nut"}]}', "the file has no 'bolt'"),
        ('{"categories": 3}', "expected COCO JSON"),
        ("[]", "expected COCO JSON"),
        ("{", "expected COCO JSON"),
    ],
)
def test_a_file_without_the_classes_is_refused(tmp_path: Path, content: str, named: str) -> None:
    file = tmp_path / "val.json"
    file.write_text(content)
    with pytest.raises(UnsupportedError, match=named):
        read_categories(config(metainfo=NUTS), classes=2, file=file)
    with pytest.raises(UnsupportedError, match="expected COCO JSON"):
        read_categories(config(metainfo=NUTS), classes=2, file=tmp_path / "none.json")


def test_another_number_of_names_than_classes() -> None:
    with pytest.raises(UnsupportedError, match=r"names of 3 classes.*found 2.*--categories"):
        read_categories(config(metainfo=NUTS), classes=3)
