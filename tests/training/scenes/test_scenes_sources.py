"""Which files are opened, which are not, and how they are divided."""

import builtins
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dirdet_training.scenes.backgrounds import PHOTOGRAPHS, find_photographs, load_backgrounds
from dirdet_training.scenes.errors import ScenesError
from dirdet_training.scenes.fingerprint import generator_hash
from dirdet_training.scenes.identity import same_pictures
from dirdet_training.scenes.library import Library
from dirdet_training.scenes.plan import Plan
from dirdet_training.scenes.reserved import identity_of, is_reserved
from dirdet_training.scenes.split import split_by_hash
from dirdet_training.scenes.stamps import STAMPS_FOLDER, allowed_paths, load_stamps
from dirdet_training.scenes.taxonomy import CLASSES, SPLITS


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every path that Python or Pillow opens from here on."""
    paths: list[str] = []
    for module, name in ((io, "open"), (builtins, "open"), (os, "open"), (Image, "open")):
        original: Callable[..., Any] = getattr(module, name)

        def spy(file: Any, *args: Any, _original: Callable[..., Any] = original, **kwargs: Any) -> Any:
            paths.append(str(file))
            return _original(file, *args, **kwargs)

        monkeypatch.setattr(module, name, spy)
    return paths


def test_reserved_stamps_are_never_opened(sources: Any, tmp_path: Path, opened: list[str]) -> None:
    sources.build(tmp_path / "out", Plan(train=2, val=1, test=1))
    assert any(path.endswith(".png") for path in opened)
    assert sources.reserved
    for relative in sources.reserved:
        assert not any(path.endswith(relative) for path in opened)


@pytest.mark.parametrize("path", ["a/b.png", "town/x_mirror.png", "vehicles/auto/beetle.png", "z.png"])
def test_reserved_rule_is_the_documented_one(path: str, is_reserved_by_the_rule: Callable[[str], bool]) -> None:
    assert is_reserved(path) == is_reserved_by_the_rule(path)
    assert is_reserved(path) == is_reserved(path.replace(".png", "_mirror.png"))


def test_mirror_is_taken_out_of_the_file_name_only() -> None:
    assert identity_of("a_mirror/b_mirror.png") == "a_mirror/b.png"


@pytest.mark.skipif(not STAMPS_FOLDER.is_dir(), reason="tuxpaint-stamps-default is not installed")
def test_installed_catalogue_holds_nothing_reserved(is_reserved_by_the_rule: Callable[[str], bool]) -> None:
    allowed = [path for entry in CLASSES for path in allowed_paths(STAMPS_FOLDER, entry.folder)]
    everything = [file.relative_to(STAMPS_FOLDER).as_posix() for file in STAMPS_FOLDER.rglob("*.png")]
    assert any(map(is_reserved_by_the_rule, everything))
    assert len(allowed) > 200
    assert not any(map(is_reserved_by_the_rule, allowed))


def test_links_are_not_followed(own_sources: Any) -> None:
    link = own_sources.stamps / "vehicles" / "harmless.png"
    assert not is_reserved("vehicles/harmless.png")
    link.symlink_to(own_sources.stamps / own_sources.reserved[0])
    assert "vehicles/harmless.png" not in set(allowed_paths(own_sources.stamps, "vehicles"))


def test_splits_share_no_cutout_and_no_background(library: Library) -> None:
    cutouts = {
        split: {identity_of(one.path) for row in shelf.cutouts for one in row}
        for split, shelf in library.shelves.items()
    }
    backgrounds = {split: {one.path for one in shelf.backgrounds} for split, shelf in library.shelves.items()}
    for members in (cutouts, backgrounds):
        assert sum(map(len, members.values())) == len(set().union(*members.values()))
    for shelf in library.shelves.values():
        assert len(shelf.cutouts) == len(CLASSES)
        assert all(shelf.cutouts)
        assert shelf.backgrounds


def test_split_is_about_60_15_25_and_ignores_order_and_duplicates() -> None:
    names = [f"picture{number}" for number in range(200)]
    split = split_by_hash(names, kind="names")
    assert split == split_by_hash([*reversed(names), names[3]], kind="names")
    assert [list(split.values()).count(name) for name in SPLITS] == [120, 30, 50]


def test_each_split_gets_one_of_three() -> None:
    assert set(split_by_hash(["a", "b", "c"], kind="names").values()) == set(SPLITS)


def test_too_few_to_split_says_of_what() -> None:
    with pytest.raises(ScenesError, match="cut-outs of class fish: 2 usable, at least 3"):
        split_by_hash(["a", "b"], kind="cut-outs of class fish")


def test_equal_and_mirrored_pictures_belong_together() -> None:
    rng = np.random.default_rng(0)
    one, other = (Image.fromarray(rng.integers(0, 256, (32, 48, 4), dtype=np.uint8)) for _ in range(2))
    mirrored = one.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    groups = same_pictures([other, mirrored, one, one.copy()], ["other", "c", "b", "a"])
    assert groups == ["other", "a", "a", "a"]


def test_no_pictures_give_no_groups() -> None:
    assert same_pictures([], []) == []


def test_missing_stamps_name_the_package(tmp_path: Path, sources: Any) -> None:
    with pytest.raises(ScenesError, match=r"no such folder with cut-outs; apt-get install tuxpaint-stamps-default"):
        sources.__class__(tmp_path, sources.backgrounds, []).library()


def test_missing_photographs_name_every_missing_package(tmp_path: Path) -> None:
    with pytest.raises(ScenesError, match=r"apt-get install mate-backgrounds plasma-workspace-wallpapers$"):
        find_photographs([tmp_path])


def test_only_the_missing_package_is_named(tmp_path: Path) -> None:
    photograph = next(one for one in PHOTOGRAPHS if one.package == "mate-backgrounds")
    (tmp_path / photograph.path).parent.mkdir(parents=True)
    (tmp_path / photograph.path).touch()
    with pytest.raises(ScenesError, match=r"apt-get install plasma-workspace-wallpapers$"):
        find_photographs([tmp_path])


def test_broken_png_is_named(own_sources: Any) -> None:
    bad = next((own_sources.stamps / "town/houses").glob("stamp*.png"))
    bad.write_bytes(bad.read_bytes()[:60])
    with pytest.raises(ScenesError, match=rf"{bad}: expected a readable PNG"):
        load_stamps(own_sources.stamps)


def test_broken_photograph_is_named(own_sources: Any) -> None:
    photograph, file = find_photographs([own_sources.backgrounds])[0]
    file.write_text("no picture")
    with pytest.raises(ScenesError, match=rf"{photograph.path}: expected a readable JPEG"):
        load_backgrounds(find_photographs([own_sources.backgrounds]))


def test_stamps_without_alpha_or_pixels_are_left_out_with_the_reason(own_sources: Any) -> None:
    folder = own_sources.stamps / "animals/fish"
    plain, empty = "plain.png", "empty1.png"
    assert not is_reserved(f"animals/fish/{plain}")
    assert not is_reserved(f"animals/fish/{empty}")
    Image.new("RGB", (50, 50)).save(folder / plain)
    Image.new("RGBA", (50, 50)).save(folder / empty)
    left_out = load_stamps(own_sources.stamps).left_out
    assert left_out[f"animals/fish/{plain}"] == "no alpha channel"
    assert left_out[f"animals/fish/{empty}"] == "0 opaque pixels, at least 200 are needed"


def test_generator_hash_is_a_stable_sha256() -> None:
    assert len(generator_hash()) == 64
    assert generator_hash() == generator_hash()
