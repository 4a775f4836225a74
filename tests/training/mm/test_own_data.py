import json
import re
import shutil

import pytest
import torch
from click.testing import CliRunner
from mmengine.config import Config
from mmengine.utils import import_modules_from_strings
from PIL import Image

from dirdet_training.annotations.classes import class_names
from dirdet_training.commands.annotations import command as annotations_command
from dirdet_training.commands.evaluate import command as evaluate_command
from dirdet_training.commands.train import command as train_command
from dirdet_training.mm.configs import read_config
from dirdet_training.mm.data import DataError, require_data
from dirdet_training.mm.own_data import point_at_data, set_annotations, set_classes, set_pictures

OWN_CLASSES = ("blue", "green", "red")


def call(command, *arguments):
    """Runs a subcommand as the `dirdet` command does; an error on purpose is raised again."""
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def voc(data_set, tmp_path):
    """The drawn data set as Pascal VOC, in a folder of its own."""
    content = json.loads((data_set / "objects.json").read_text())
    folder = tmp_path / "voc"
    (folder / "JPEGImages").mkdir(parents=True)
    (folder / "Annotations").mkdir()
    names = {category["id"]: category["name"] for category in content["categories"]}
    for image in content["images"]:
        Image.open(data_set / image["file_name"]).save(folder / "JPEGImages" / image["file_name"])
        objects = ""
        for entry in content["annotations"]:
            if entry["image_id"] == image["id"]:
                x, y, width, height = entry["bbox"]
                corners = {"xmin": x + 1, "ymin": y + 1, "xmax": x + width, "ymax": y + height}
                box = "".join(f"<{key}>{value}</{key}>" for key, value in corners.items())
                objects += f"<object><name>{names[entry['category_id']]}</name><bndbox>{box}</bndbox></object>"
        xml = f"<annotation><filename>{image['file_name']}</filename>{objects}</annotation>"
        (folder / "Annotations" / f"{image['id']}.xml").write_text(xml)
    (folder / "classes.txt").write_text("\n".join(OWN_CLASSES))
    return folder


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname"])
def test_annotations_name_no_picture_outside_its_folder(tmp_path, part, name):
    images = [{"id": 1, "file_name": name, "width": 64, "height": 48}]
    content = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
    (tmp_path / "x.json").write_text(json.dumps(content))
    data = {"type": "CocoDataset", "ann_file": str(tmp_path / "x.json"), "metainfo": {"classes": ("cat",)}}
    cfg = Config({f"{part}_dataloader": {"dataset": {**data, "data_prefix": {"img": str(tmp_path / "in")}}}})
    with pytest.raises(DataError, match="outside the pictures' folder"):
        require_data(cfg, part, skip_broken=False)


def test_a_voc_data_set_with_its_own_classes_is_trained_and_measured(voc, tiny_config, data_set, tmp_path):
    ann = voc / "train.json"
    call(annotations_command, "convert", voc, "--format", "voc", "--classes", voc / "classes.txt", "--out", ann)
    drawn = json.loads((data_set / "objects.json").read_text())["annotations"]
    converted = json.loads(ann.read_text())["annotations"]
    assert [entry["bbox"] for entry in converted] == [entry["bbox"] for entry in drawn]

    work = tmp_path / "work"
    own = ("--data", voc, "--ann", "train.json", "--val-ann", "train.json", "--classes-from", ann)
    call(train_command, tiny_config, *own, "--work-dir", work, "--seed", 0)
    checkpoint = torch.load(work / "iter_4.pth", weights_only=False)
    assert checkpoint["meta"]["dataset_meta"]["classes"] == OWN_CLASSES
    assert checkpoint["state_dict"]["roi_head.bbox_head.fc_cls.weight"].shape[0] == len(OWN_CLASSES) + 1

    # The config that training leaves beside its checkpoints knows the data and the classes.
    written = work / tiny_config.name
    result = call(evaluate_command, written, work / "iter_4.pth", "--work-dir", tmp_path / "eval", "--json")
    figures = json.loads(result.stdout)["train.json"]
    assert 0 <= figures["dir/AP"] <= 100


def test_other_classes_are_named_before_anything_starts(data_set, tiny_config, tmp_path):
    content = json.loads((data_set / "objects.json").read_text())
    content["categories"][0]["name"] = "Red"
    (tmp_path / "other.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"'red' \(close: 'Red'\); --classes-from FILE"):
        call(train_command, tiny_config, "--ann", tmp_path / "other.json", "--work-dir", tmp_path / "work")
    assert not (tmp_path / "work").exists()


@pytest.fixture
def broken(data_set, tmp_path):
    """The drawn data set with one annotation without area and one picture that is not there."""
    content = json.loads((data_set / "objects.json").read_text())
    content["annotations"][0]["bbox"][2] = 0
    content["images"][-1]["file_name"] = "nowhere.png"
    (tmp_path / "broken.json").write_text(json.dumps(content))
    return tmp_path / "broken.json"


def test_broken_annotations_are_refused_or_skipped_aloud(broken, tiny_config, tmp_path):
    work = tmp_path / "work"
    arguments = (tiny_config, "--ann", broken, "--val-ann", broken, "--work-dir", work)
    with pytest.raises(DataError, match=r"(?s)picture 8 \(nowhere\.png\).*annotation 1 \(picture 1\): bbox \["):
        call(train_command, *arguments)
    assert not work.exists()

    result = call(train_command, *arguments, "--skip-broken", "-o", "train_cfg.max_iters=2")
    assert "1 annotation with no area" in result.stderr
    assert "1 picture with no picture file" in result.stderr
    assert (work / "iter_2.pth").is_file()
    for part in ("train", "val"):
        lines = (work / "annotations" / f"{part}_broken.skipped.csv").read_text().splitlines()
        assert any(line.startswith("no-area,annotation,0,") for line in lines)
        assert any(line.startswith("missing-picture,picture,7,") for line in lines)
        kept = json.loads((work / "annotations" / f"{part}_broken.json").read_text())
        assert [image["id"] for image in kept["images"]] == [1, 2, 3, 4, 5, 6, 7]

    arguments = (tiny_config, work / "iter_2.pth", "--ann", broken, "--work-dir", tmp_path / "eval", "--rank", "score")
    with pytest.raises(DataError, match="with no area"):
        call(evaluate_command, *arguments)
    result = call(evaluate_command, *arguments, "--skip-broken")
    assert "1 annotation with no area" in result.stderr
    assert re.search(r"\| score +\|", result.stdout)


def test_without_a_file_to_validate_on_there_is_no_validation(tiny):
    set_annotations(tiny, train="own.json", val=None)
    assert tiny.train_dataloader.dataset.ann_file == "own.json"
    assert tiny.val_dataloader is tiny.val_cfg is tiny.val_evaluator is None
    assert "val_interval" not in tiny.train_cfg


def test_files_and_pictures_reach_every_data_set_and_metric(tiny):
    repeated = {"type": "RepeatDataset", "times": 2, "dataset": tiny.train_dataloader.dataset}
    tiny.merge_from_dict({"train_dataloader": {"dataset": {"_delete_": True, **repeated}}})
    set_annotations(tiny, train="own.json", val="sub/val.json")
    set_pictures(tiny, "pictures")
    set_classes(tiny, OWN_CLASSES)
    assert tiny.train_dataloader.dataset.dataset.ann_file == "own.json"
    assert tiny.train_dataloader.dataset.dataset.metainfo.classes == OWN_CLASSES
    for part in ("val", "test"):
        dataset = tiny[f"{part}_dataloader"].dataset
        assert dataset.ann_file == "sub/val.json"
        assert dataset.data_prefix.img == "pictures"
        assert dataset.metainfo.classes == OWN_CLASSES
        assert tiny[f"{part}_evaluator"].ann_file == f"{dataset.data_root}sub/val.json"
    with pytest.raises(DataError, match=re.escape(f"{tiny.data_root}own.json does not exist")):
        require_data(tiny, "train", skip_broken=False)


@pytest.mark.parametrize(
    ("base", "heads"),
    [
        ("mmdet::cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py", 4),
        ("mmdet::htc/htc_r50_fpn_1x_coco.py", 6),
        ("mmdet::double_heads/dh-faster-rcnn_r50_fpn_1x_coco.py", 1),
        ("mmdet::ms_rcnn/ms-rcnn_r50_fpn_1x_coco.py", 3),
    ],
)
def test_every_head_of_every_stage_gets_the_number_of_classes(tmp_path, base, heads):
    (tmp_path / "own.py").write_text(f'_base_ = ["{base}"]')
    cfg = read_config(tmp_path / "own.py")
    semantic = (cfg.model.roi_head.get("semantic_head") or {}).get("num_classes")
    set_classes(cfg, OWN_CLASSES)
    assert len(re.findall(r"num_classes=3\b", cfg.pretty_text)) == heads
    assert "num_classes=80" not in cfg.pretty_text
    assert (cfg.model.roi_head.get("semantic_head") or {}).get("num_classes") == semantic


def test_a_head_that_leaves_its_classes_to_a_default_gets_them_too():
    cfg = Config({"model": {"backbone": {"num_classes": 1000}, "roi_head": {"bbox_head": [{}, {}], "dir_head": {}}}})
    set_classes(cfg, ("a",))
    assert cfg.model.to_dict() == {
        "backbone": {"num_classes": 1000},
        "roi_head": {"bbox_head": [{"num_classes": 1}, {"num_classes": 1}], "dir_head": {}},
    }
    with pytest.raises(DataError, match="no head that learns classes"):
        set_classes(Config({"model": {"backbone": {}}}), ("a",))


def test_classes_are_read_from_a_list_or_a_coco_file(data_set, tmp_path):
    assert class_names(data_set / "objects.json") == ("red", "blue")
    (tmp_path / "classes.txt").write_text("\ufeffone\n two \n")
    assert class_names(tmp_path / "classes.txt") == ("one", "two")


def test_what_mmdetection_leaves_out_is_what_was_said(data_set, tiny, tmp_path, capsys):
    """One of each kind that CocoDataset drops: the notes and the data set agree on the rest."""
    content = json.loads((data_set / "objects.json").read_text())
    entries = content["annotations"]
    first = {**entries[0], "bbox": [2, 2, 20, 20], "area": 400}
    extra = [{"bbox": [2, 2, 0.5, 20]}, {"ignore": 1}, {"category_id": 99}, {"iscrowd": 1}]
    entries += [{**first, "id": 1000 + number, **fields} for number, fields in enumerate(extra)]
    content["categories"].append({"id": 99, "name": "green"})
    content["images"].append({"id": 100, "file_name": "1.png", "width": 96, "height": 64})
    (tmp_path / "odd.json").write_text(json.dumps(content))
    tiny.work_dir = str(tmp_path / "work")
    set_annotations(tiny, train=str(tmp_path / "odd.json"), val=None)
    require_data(tiny, "train", skip_broken=False)
    said = capsys.readouterr().err
    for words in ("a box less than a pixel", "an `ignore` mark", "does not name", "an `iscrowd`", "no annotation of a"):
        assert re.search(rf"  1 (picture|annotation) with .*{words}", said), (words, said)

    import_modules_from_strings("mmdet.datasets")
    from mmdet.registry import DATASETS

    built = DATASETS.build({**tiny.train_dataloader.dataset, "pipeline": []})
    assert len(built) == 8
    assert sum(len(built.get_data_info(row)["instances"]) for row in range(8)) == len(entries) - 3


@pytest.fixture
def roboflow(data_set, tmp_path):
    """The drawn data set as Roboflow exports COCO: a folder for each part, a class that groups the others, other order.

    The files begin with a byte order mark, and the pictures' ids are text. Validation has a class more, with objects.
    """
    content = json.loads((data_set / "objects.json").read_text())
    for image in content["images"]:
        image["id"] = f"{image['id']:04}"
    for entry in content["annotations"]:
        entry["image_id"] = f"{entry['image_id']:04}"
    content["categories"] = [{"id": 0, "name": "shapes"}, *reversed(content["categories"])]
    for part in ("train", "valid"):
        folder = tmp_path / "roboflow" / part
        shutil.copytree(data_set, folder, ignore=shutil.ignore_patterns("*.json"))
        if part == "valid":
            content["categories"].append({"id": 99, "name": "green"})
            content["annotations"].append({**content["annotations"][0], "id": 999, "category_id": 99})
        (folder / "_annotations.coco.json").write_text(json.dumps(content), encoding="utf-8-sig")
    (tmp_path / "roboflow" / "classes.txt").write_text("red\nblue\n")
    return tmp_path / "roboflow"


def test_a_roboflow_export_is_trained_validated_and_measured(roboflow, tiny_config, tmp_path):
    ann, val = "train/_annotations.coco.json", "valid/_annotations.coco.json"
    classes = ("--classes-from", roboflow / "classes.txt")
    arguments = (tiny_config, "--data", roboflow, "--ann", ann, "--val-ann", val, *classes)
    with pytest.raises(DataError, match=f"its pictures are in {roboflow}/train: --pictures train, or"):
        call(train_command, *arguments, "--work-dir", tmp_path / "no")
    pictures = ("--pictures", "train", "--val-pictures", "valid")
    steps = ("-o", "train_cfg.max_iters=2", "-o", "train_cfg.val_interval=2")
    work = tmp_path / "work"
    result = call(train_command, *arguments, *pictures, *steps, "--work-dir", work)
    assert "has the classes in another order than the config" in result.stderr
    assert "1 category with no annotation" not in result.stderr, "the config does not name the class of groups"
    kept = json.loads((work / "annotations" / "train__annotations.coco.json").read_bytes())
    assert [category["name"] for category in kept["categories"]] == ["red", "blue", "shapes"]
    assert "coco/bbox_mAP" in next(work.glob("*/vis_data/scalars.json")).read_text()

    measured = (tiny_config, work / "iter_2.pth", "--data", roboflow, "--ann", val, "--pictures", "valid", *classes)
    result = call(evaluate_command, *measured, "--work-dir", tmp_path / "eval", "--json")
    figures = json.loads(result.stdout)[val]
    assert 0 <= figures["dir/AP"] <= figures["oracle/AP"] <= 100

    result = call(annotations_command, "check", roboflow / ann, "--pictures", roboflow / "train")
    assert "learned from: 8 pictures" in result.stdout
    assert "1 category with no annotation: a class that is never learned\n    'shapes'" in result.stdout


def test_a_file_of_which_nothing_is_left_is_refused(data_set, tiny_config, tmp_path):
    content = json.loads((data_set / "objects.json").read_text())
    (tmp_path / "empty.json").write_text(json.dumps({**content, "annotations": []}))
    arguments = (tiny_config, "--ann", tmp_path / "empty.json", "--work-dir", tmp_path / "work")
    with pytest.raises(DataError, match=r"(?s)no picture of .*empty\.json is left.*8 pictures with no annotation"):
        call(train_command, *arguments)
    result = CliRunner().invoke(
        annotations_command, ["check", str(tmp_path / "empty.json"), "--config", str(tiny_config)]
    )
    assert result.exit_code == 1
    assert "learned from: 0 pictures, 0 objects" in result.stdout


def test_the_check_for_a_config_of_masks_needs_masks(data_set):
    arguments = ["check", str(data_set / "objects.json"), "--pictures", str(data_set)]
    assert CliRunner().invoke(annotations_command, arguments).exit_code == 0
    options = ["--config", "mask_rcnn_dir_lite0_scenes", "--classes", str(data_set / "objects.json")]
    result = CliRunner().invoke(annotations_command, [*arguments, *options])
    assert result.exit_code == 1
    assert "with no segmentation, and the config learns masks" in result.stdout


def test_a_folder_of_data_reaches_configs_that_do_not_use_data_root(tiny, tmp_path):
    tiny.pop("data_root")
    old = tiny.train_dataloader.dataset.data_root
    point_at_data(tiny, tmp_path)
    for part in ("train", "val", "test"):
        assert tiny[f"{part}_dataloader"].dataset.data_root == f"{tmp_path}/"
    assert tiny.val_evaluator.ann_file == f"{tmp_path}/objects.json"
    assert old not in str({key: value for key, value in tiny.items() if key != "model"})

    tiny.train_dataloader.dataset.data_root = "/elsewhere"
    with pytest.raises(DataError, match=r"cannot reach .*/elsewhere/objects\.json: its data_root is '/elsewhere'"):
        point_at_data(tiny, tmp_path / "b")
    tiny.train_dataloader.dataset.data_root = f"{tmp_path}/"
    tiny.train_dataloader.dataset.ann_file = "/elsewhere/a.json"
    with pytest.raises(DataError, match=r"/elsewhere/a\.json: it is absolute"):
        point_at_data(tiny, tmp_path / "b")


def test_a_file_for_several_data_sets_or_for_none_is_refused(tiny):
    dataset = tiny.train_dataloader.dataset
    both = {"type": "ConcatDataset", "datasets": [dataset, dataset]}
    tiny.train_dataloader.dataset = both
    with pytest.raises(DataError, match="expected one annotation file in the config's train_dataloader, found 2"):
        set_annotations(tiny, train="own.json", val=None)
    tiny.train_dataloader.dataset = {**dataset, "type": "VOCDataset"}
    with pytest.raises(DataError, match="has a VOCDataset, which reads no COCO JSON"):
        set_annotations(tiny, train="own.json", val=None)
    tiny.val_dataloader = tiny.test_dataloader = None
    with pytest.raises(DataError, match="no val_dataloader"):
        set_annotations(tiny, train=None, val="own.json")
