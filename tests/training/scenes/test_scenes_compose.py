"""What a scene looks like: its objects are seen where it says."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from dirdet_training.scenes.canvas import Canvas, Layer
from dirdet_training.scenes.coco import annotation_records, run_lengths
from dirdet_training.scenes.compose import compose
from dirdet_training.scenes.difficulty import DIFFICULTIES, Difficulty
from dirdet_training.scenes.layers import object_layer
from dirdet_training.scenes.library import Library
from dirdet_training.scenes.masks import LEAST_VISIBLE, box_xywh, shows_enough


def _layer(height: int, width: int, alpha: float = 1.0) -> Layer:
    return Layer(
        np.full((height, width, 3), 255 * alpha, dtype=np.float32),
        np.full((height, width), alpha, dtype=np.float32),
    )


def _lay(canvas: Canvas, layer: Layer, top: int, left: int) -> None:
    placement = canvas.place(layer, top, left)
    assert placement is not None
    canvas.lay(layer, placement, is_object=True)


def test_canvas_without_objects_has_no_masks() -> None:
    assert Canvas(np.zeros((10, 20, 3), dtype=np.float32)).masks() == []


def test_box_is_of_the_part_that_is_seen() -> None:
    canvas = Canvas(np.zeros((100, 100, 3), dtype=np.float32))
    _lay(canvas, _layer(40, 60), -10, 50)  # cut off at the top and the right
    _lay(canvas, _layer(20, 100), 20, 0)  # hides its lower part
    assert [box_xywh(mask) for mask in canvas.masks()] == [(50, 0, 50, 20), (0, 20, 100, 20)]


def test_what_shines_through_more_than_half_is_still_seen() -> None:
    canvas = Canvas(np.zeros((30, 30, 3), dtype=np.float32))
    _lay(canvas, _layer(30, 30), 0, 0)
    _lay(canvas, _layer(30, 30, alpha=0.4), 0, 0)
    assert [int(mask.sum()) for mask in canvas.masks()] == [900, 0]


def test_layer_outside_the_picture_has_no_place() -> None:
    canvas = Canvas(np.zeros((30, 30, 3), dtype=np.float32))
    assert canvas.place(_layer(5, 5), 30, 0) is None
    assert canvas.place(_layer(5, 5), 0, -5) is None


def test_layer_that_would_hide_too_much_is_noticed() -> None:
    canvas = Canvas(np.zeros((50, 50, 3), dtype=np.float32))
    _lay(canvas, _layer(40, 40), 0, 0)
    cover, corner = canvas.place(_layer(40, 36), 0, 4), canvas.place(_layer(10, 10), 0, 0)
    assert cover is not None
    assert corner is not None
    assert not canvas.leaves_enough(cover)
    assert canvas.leaves_enough(corner)


def test_nothing_and_slivers_do_not_show_enough() -> None:
    mask = np.zeros((50, 50), dtype=np.bool_)
    assert not shows_enough(mask, 0)
    mask[:, :3] = True
    assert not shows_enough(mask, 150)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[0, 0], [0, 0]], [4]),
        ([[1, 1], [1, 1]], [0, 4]),
        ([[0, 1], [1, 1]], [1, 3]),
        ([[1, 0], [0, 1]], [0, 1, 2, 1]),
    ],
)
def test_run_lengths_go_down_the_columns(rows: list[list[int]], expected: list[int]) -> None:
    assert run_lengths(np.array(rows, dtype=np.bool_)) == {"size": [2, 2], "counts": expected}


@pytest.mark.parametrize("difficulty", DIFFICULTIES, ids=lambda difficulty: difficulty.name)
def test_scenes_keep_their_promises(library: Library, difficulty: Difficulty) -> None:
    for index in range(25):
        scene = compose(library.shelves["train"], seed=1, split="train", difficulty=difficulty, index=index)
        with Image.open(io.BytesIO(scene.jpeg)) as picture:
            assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", scene.size_wh)
        assert max(scene.size_wh) == 320
        assert 224 <= min(scene.size_wh) <= 256
        assert len(scene.objects) <= difficulty.objects[1]
        for entry, record in zip(scene.objects, annotation_records(scene, image_id=1), strict=True):
            assert entry.mask.shape == scene.size_wh[::-1]
            assert shows_enough(entry.mask, entry.whole_px)
            assert LEAST_VISIBLE <= record["visible_fraction"] <= 1
        stacked = np.sum([entry.mask for entry in scene.objects], axis=0)
        assert np.max(stacked, initial=0) <= 1, "a pixel shows one object at most"


def test_scene_of_no_objects_is_a_picture(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = dataclasses.replace(DIFFICULTIES[0], objects=(0, 0))
    monkeypatch.setattr("dirdet_training.scenes.compose.DIFFICULTIES", (nothing,))
    scene = compose(library.shelves["val"], seed=0, split="val", difficulty=nothing, index=0)
    assert scene.objects == ()
    assert annotation_records(scene, image_id=1) == []
    with Image.open(io.BytesIO(scene.jpeg)) as picture:
        assert picture.size == scene.size_wh


def test_another_seed_split_difficulty_or_index_gives_another_scene(library: Library) -> None:
    shelf, (easy, hard) = library.shelves["train"], DIFFICULTIES
    scenes = [
        compose(shelf, seed=0, split="train", difficulty=easy, index=0),
        compose(shelf, seed=1, split="train", difficulty=easy, index=0),
        compose(shelf, seed=0, split="val", difficulty=easy, index=0),
        compose(shelf, seed=0, split="train", difficulty=hard, index=0),
        compose(shelf, seed=0, split="train", difficulty=easy, index=1),
    ]
    assert len({scene.jpeg for scene in scenes}) == len(scenes)


def test_cutouts_have_no_halo() -> None:
    """Transparent pixels are magenta, the object is green: nothing of the magenta may be seen at the edge."""
    cutout = Image.new("RGBA", (60, 60), (255, 0, 255, 0))
    cutout.paste((0, 160, 0, 255), (15, 15, 45, 45))
    still = dataclasses.replace(DIFFICULTIES[0], object_tone=0.0)
    for seed in range(5):
        layer = object_layer(np.random.default_rng(seed), cutout, still)
        assert layer.opaque_px > 50
        assert float(layer.colour[..., (0, 2)].max()) <= 2
