import pickle

import pytest
import torch

from dirdet_training.mm.checkpoints import CheckpointError, load_detector, read_checkpoint
from dirdet_training.mm.configs import ConfigError, build_model, read_config, shipped_configs


class Harmful:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_weights_come_back(tmp_path, tiny_config):
    saved = build_model(read_config(tiny_config))
    torch.save({"state_dict": saved.state_dict(), "meta": {"epoch": 3}}, tmp_path / "c.pth")
    loaded, cfg = load_detector(tiny_config, tmp_path / "c.pth")
    assert not loaded.training
    assert cfg.model.roi_head.bbox_head.num_classes == 2
    for name, weight in loaded.state_dict().items():
        assert torch.equal(weight, saved.state_dict()[name]), name


@pytest.mark.parametrize("protocol", ["zip", "pickle"])
def test_a_checkpoint_that_would_run_code_is_refused_before_it_does(tmp_path, protocol):
    trap, path = tmp_path / "trap", tmp_path / "c.pth"
    if protocol == "zip":
        torch.save({"state_dict": {}, "extra": Harmful(trap)}, path)
    else:
        path.write_bytes(pickle.dumps({"state_dict": {}, "extra": Harmful(trap)}))
    with pytest.raises(CheckpointError, match="--trust-checkpoint"):
        read_checkpoint(path)
    assert not trap.exists()


def test_a_trusted_checkpoint_is_read_whole(tmp_path):
    torch.save({"state_dict": {}, "extra": tmp_path}, tmp_path / "c.pth")
    assert read_checkpoint(tmp_path / "c.pth", trust_checkpoint=True)["extra"] == tmp_path


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"])
def test_a_broken_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "c.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"c\.pth"):
        read_checkpoint(path)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        read_checkpoint(tmp_path / "none.pth")


def test_weights_of_another_detector_are_refused_with_the_first_that_differs(tmp_path, tiny_config, write_config):
    plain = build_model(read_config(write_config(dir_head=False)))
    torch.save(plain.state_dict(), tmp_path / "c.pth")
    with pytest.raises(CheckpointError, match=r"roi_head\.dir_head\.purity"):
        load_detector(tiny_config, tmp_path / "c.pth")


def test_configs_are_found_by_name_or_path_and_otherwise_listed(tmp_path, tiny_config):
    assert read_config("faster_rcnn_dir_lite0_scenes").model.roi_head.type == "DIRStandardRoIHead"
    assert read_config(tiny_config).model.roi_head.bbox_head.num_classes == 2
    with pytest.raises(ConfigError, match="faster_rcnn_dir_lite0_scenes"):
        read_config(tmp_path / "none.py")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model = dict(", "SyntaxError"),
        ("custom_imports = dict(imports=['no_such_plugin'], allow_failed_imports=False)\nmodel = {}", "no_such_plugin"),
        ("data = 1", "no 'model'"),
        ("_base_ = ['./none.py']\nmodel = {}", "none.py"),
    ],
)
def test_a_broken_config_is_named_with_what_is_wrong(tmp_path, text, message):
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_config(path)


@pytest.mark.parametrize("name", list(shipped_configs()))
def test_every_shipped_config_builds(name):
    assert sum(weight.numel() for weight in build_model(read_config(name)).parameters()) > 1_000_000
