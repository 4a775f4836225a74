"""dirdet tells the user which part of a config does not take a setting."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from mmengine.registry import Registry

from dirdet_training.commands.evaluate import command as evaluate_command
from dirdet_training.commands.train import command as train_command
from dirdet_training.mm.configs import build_model, read_config
from dirdet_training.mm.refused_settings import RefusedSettingError, naming_refused_settings

NAME = "faster_rcnn_dir_lite0_scenes"
THINGS = Registry("things", locations=["dirdet_training.mm"])


class Shelf:
    def __init__(self, below: object = None, places: int = 1) -> None:
        self.below = THINGS.build(below) if isinstance(below, dict) else below
        if places < 1:
            raise ValueError(f"places: expected at least 1, found {places}")


THINGS.register_module(module=Shelf)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"type": "Shelf", "colour": 1}, r"Shelf cannot be built: .*'colour'"),
        ({"type": "Shelf", "places": 0}, "Shelf cannot be built: places: expected at least 1, found 0"),
        ({"type": "Cupboard"}, "Cupboard cannot be built: Cupboard is not in the .*things registry"),
        ({"type": "Shelf", "below": {"type": "Shelf", "places": 0}}, "Shelf cannot be built: places"),
        ({"type": "Shelf", "below": {"type": "Cupboard"}}, "Cupboard cannot be built"),
        ({"places": 1}, "part .*places.* cannot be built"),
        ("Shelf", "part .*Shelf.* cannot be built"),
    ],
)
def test_the_part_that_refused_its_settings_is_named(settings: object, said: str) -> None:
    with pytest.raises(RefusedSettingError, match=said), naming_refused_settings():
        THINGS.build(settings)


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError, match="elsewhere"), naming_refused_settings():
        raise KeyError("elsewhere")


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("model.roi_head.dir_head.typo", 1, "DIRHead"),
        ("model.roi_head.dir_head", "DIRHead", "part 'DIRHead'"),
        ("model.neck.type", "FNP", "FNP"),
    ],
)
def test_a_detector_that_cannot_be_built(name: str, value: object, part: str) -> None:
    cfg = read_config(NAME)
    cfg.merge_from_dict({name: value})
    with pytest.raises(RefusedSettingError, match=f"the config's {part} cannot be built"):
        build_model(cfg)


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ("optim_wrapper.optimizer.momentun=0.9", "momentun"),
        ("train_dataloader.dataset.pipeline.0.type=LoadPicture", "LoadPicture"),
        ("default_hooks.timer.every=5", "IterTimerHook"),
        ("model.roi_head.dir_head.layers=5", "DIRHead"),
    ],
)
def test_training_says_which_part_was_refused(tiny_config: Path, tmp_path: Path, setting: str, part: str) -> None:
    found = CliRunner().invoke(train_command, [str(tiny_config), "--work-dir", str(tmp_path / "work"), "-o", setting])
    assert isinstance(found.exception, RefusedSettingError), found.exception
    assert part in str(found.exception)


def test_measuring_says_it_too(tiny_config: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "weights.pth")
    arguments = [str(tiny_config), str(tmp_path / "weights.pth"), "-o", "model.neck.colour=red"]
    found = CliRunner().invoke(evaluate_command, arguments)
    assert isinstance(found.exception, RefusedSettingError), found.exception
    assert "colour" in str(found.exception)
