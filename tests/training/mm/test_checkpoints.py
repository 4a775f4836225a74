import pickle
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader, load_checkpoint

from dirdet_training.mm.checkpoints import CheckpointError, lend_to_mmengine, load_detector, read_checkpoint, weights_in
from dirdet_training.mm.configs import ConfigError, build_model, read_config, shipped_configs
from dirdet_training.mm.download import DownloadError


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


@pytest.fixture
def lent():
    """MMEngine's own loaders come back after the test."""
    own = dict(CheckpointLoader._schemes)
    lend_to_mmengine()
    yield
    for prefix, loader in own.items():
        CheckpointLoader.register_scheme(prefixes=prefix, loader=loader, force=True)


@pytest.mark.usefixtures("lent")
def test_mmengine_reads_as_strictly(tmp_path):
    weights = torch.nn.Linear(2, 2)
    torch.save({"state_dict": weights.state_dict(), "meta": {}}, tmp_path / "c.pth")
    assert load_checkpoint(torch.nn.Linear(2, 2), str(tmp_path / "c.pth"))["meta"] == {}
    trap = tmp_path / "trap"
    torch.save({"state_dict": {}, "extra": Harmful(trap)}, tmp_path / "c.pth")
    with pytest.raises(CheckpointError, match="--trust-checkpoint"):
        load_checkpoint(weights, str(tmp_path / "c.pth"))
    assert not trap.exists()


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder that a web server on this machine serves, and its address; downloads go to a cache of the test's own."""
    folder = tmp_path / "served"
    folder.mkdir()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("lent")
def test_weights_that_a_config_names_by_address_are_read_as_strictly(tmp_path, served):
    folder, address = served
    weights, trap = torch.nn.Linear(2, 2), tmp_path / "trap"
    torch.save({"state_dict": weights.state_dict(), "meta": {}}, folder / "good.pth")
    torch.save({"state_dict": weights.state_dict(), "extra": Harmful(trap)}, folder / "bad.pth")
    loaded = torch.nn.Linear(2, 2)
    load_checkpoint(loaded, f"{address}/good.pth")
    assert torch.equal(loaded.weight, weights.weight)
    # As a backbone's init_cfg loads them.
    init = {"type": "Pretrained", "checkpoint": f"{address}/bad.pth"}
    with pytest.raises(CheckpointError, match="--trust-checkpoint"):
        BaseModule(init_cfg=init).init_weights()
    assert not trap.exists()
    with pytest.raises(DownloadError, match=r"cannot be downloaded: .*404"):
        load_checkpoint(loaded, f"{address}/none.pth")
    assert {path.name for path in (tmp_path / "torch" / "hub" / "checkpoints").iterdir()} == {"good.pth", "bad.pth"}


@pytest.mark.usefixtures("lent")
@pytest.mark.parametrize("name", ["s3://bucket/w.pth", "open-mmlab://x", "pavi://x", "mmcls://x", "petrel://x/w.pth"])
def test_weights_at_other_addresses_are_refused(name):
    with pytest.raises(CheckpointError, match="expected a file"):
        load_checkpoint(torch.nn.Linear(2, 2), name)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_weights_of_data_parallel_training_and_of_mmdetection_2_are_taken(tmp_path, tiny_config, prefix):
    saved = build_model(read_config(tiny_config)).state_dict()
    averaged = {f"ema_{name.replace('.', '_')}": weight + 1 for name, weight in saved.items()}
    torch.save(
        {"state_dict": {prefix + name: weight for name, weight in (saved | averaged).items()}}, tmp_path / "c.pth"
    )
    loaded, _ = load_detector(tiny_config, tmp_path / "c.pth")
    assert all(torch.equal(weight, saved[name]) for name, weight in loaded.state_dict().items())


def test_the_weights_of_the_last_step_are_taken_on_request():
    now, mean = torch.zeros(2), torch.ones(2)
    by_mmengine = {"state_dict": {"a.b": mean}, "ema_state_dict": {"module.a.b": now, "steps": torch.tensor(3)}}
    by_mmdetection_2 = {"state_dict": {"a.b": mean, "ema_a_b": now}}
    for content in (by_mmengine, by_mmdetection_2):
        assert weights_in(content) == {"a.b": mean}
        assert weights_in(content, averaged=False) == {"a.b": now}
    with pytest.raises(CheckpointError, match="--no-ema: the checkpoint has no averaged weights"):
        weights_in({"state_dict": {"a.b": mean}}, averaged=False)


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
