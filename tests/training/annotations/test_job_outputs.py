"""What `dirdet batch --to` writes is what `dirdet annotations convert` reads, so that one trains on it."""

import json

import pytest
from click.testing import CliRunner
from jobs import rectangle_job

from dirdet_training.commands.annotations import command


@pytest.mark.parametrize("kind", ["yolo", "voc", "coco"])
def test_a_job_becomes_training_data(kind, tmp_path, mask_detector, rectangles):
    scenes = tmp_path / "scenes"
    (scenes / "a").mkdir(parents=True)
    rectangles(red=(100, 60, 300, 200), blue=(80, 260, 560, 440)).save(scenes / "p.png")
    rectangles(320, 240, green=(20, 20, 203, 199)).save(scenes / "a" / "p.png")
    done = rectangle_job(scenes, tmp_path / "out", mask_detector)
    done.write(formats=(kind, "coco"), media="copy")
    source = done.out / "coco" / "labels.json" if kind == "coco" else done.out / kind
    arguments = [str(source), "--format", kind, "--out", str(tmp_path / "train.json")]
    result = CliRunner().invoke(
        command, ["convert", *arguments, *(["--pictures", str(done.out / "coco" / "data")] if kind == "coco" else [])]
    )
    assert result.exit_code == 0, result.output
    assert boxes(tmp_path / "train.json") == boxes(done.out / "coco" / "labels.json")


def boxes(path):
    """Class and box, by a picture's size, which tells these two apart."""
    told = json.loads(path.read_text())
    names = {each["id"]: each["name"] for each in told["categories"]}
    sizes = {each["id"]: (each["width"], each["height"]) for each in told["images"]}
    return sorted(
        (sizes[each["image_id"]], names[each["category_id"]], [round(side, 1) for side in each["bbox"]])
        for each in told["annotations"]
    )
