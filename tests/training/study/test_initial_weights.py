# pyright: reportCallIssue=false
import pytest
import torch

from dirdet_training.mm.checkpoints import CheckpointError
from dirdet_training.mm.configs import build_model, read_config
from dirdet_training.study.initial_weights import begin_with, fitting

FASTER = "faster_rcnn_dir_lite0_scenes"


@pytest.fixture(scope="module")
def trained():
    return build_model(read_config(FASTER)).state_dict()


@pytest.mark.parametrize(
    ("config", "own"),
    [
        ("faster_rcnn_lite0_scenes", ()),
        ("mask_rcnn_dir_lite0_scenes", ("roi_head.mask_head.",)),
        ("cascade_rcnn_dir_lite0_scenes", ()),
        (
            "tsd_dir_lite0_scenes",
            ("roi_head.tsd_head.offset_shared.", "roi_head.tsd_head.shift", "roi_head.tsd_head.def"),
        ),
        ("htc_without_semantic_dir_lite0_scenes", ("roi_head.mask_head.",)),
        (
            "double_head_dir_lite0_scenes",
            ("roi_head.bbox_head.res_block.", "roi_head.bbox_head.conv_branch.", "roi_head.bbox_head.fc_reg."),
        ),
        ("faster_rcnn_dir_lite0_dcnv1_scenes", ("neck.",)),
        ("faster_rcnn_dir_lite0_dcnv2_scenes", ("neck.",)),
    ],
)
def test_all_but_a_detectors_own_parts_begin_trained(trained, config, own):
    wanted = build_model(read_config(config)).state_dict()
    found = fitting(wanted, trained)
    fresh = [name for name in wanted if name not in found]
    assert all(name.startswith(own) if own else False for name in fresh), fresh
    assert bool(fresh) == bool(own)


def test_every_stage_begins_with_the_one_head(trained):
    found = fitting(build_model(read_config("cascade_rcnn_dir_lite0_scenes")).state_dict(), trained)
    for stage in range(3):
        name = f"roi_head.bbox_head.{stage}.shared_fcs.1.weight"
        assert torch.equal(found[name], trained["roi_head.bbox_head.shared_fcs.1.weight"])


def test_double_heads_classifier_begins_trained(trained):
    found = fitting(build_model(read_config("double_head_dir_lite0_scenes")).state_dict(), trained)
    for layer in ("0.weight", "0.bias", "1.weight", "1.bias"):
        expected = trained[f"roi_head.bbox_head.shared_fcs.{layer}"]
        assert torch.equal(found[f"roi_head.bbox_head.fc_branch.{layer}"], expected)


def test_what_has_another_shape_stays_fresh(trained):
    name = "roi_head.bbox_head.fc_reg.weight"
    assert name not in fitting({name: torch.zeros(4, 128)}, trained)


@pytest.mark.parametrize("version", ["dcnv1", "dcnv2"])
def test_deformable_convolutions_begin_as_the_plain_ones(trained, tmp_path, version):
    torch.save({"state_dict": trained}, tmp_path / "faster.pth")
    cfg = read_config(f"faster_rcnn_dir_lite0_{version}_scenes")
    begin_with(cfg, tmp_path / "faster.pth", tmp_path / "begin.pth")
    plain, deformable = build_model(read_config(FASTER)).eval(), build_model(cfg).eval()
    plain.load_state_dict(trained)
    deformable.init_weights()  # as MMEngine does before it loads what a training begins with
    deformable.load_state_dict(torch.load(tmp_path / "begin.pth", weights_only=True)["state_dict"], strict=False)
    picture = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        levels = zip(deformable.extract_feat(picture), plain.extract_feat(picture), strict=True)
        for found, expected in levels:
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_the_written_file_loads_and_a_missing_one_is_named(trained, tmp_path):
    torch.save({"state_dict": trained}, tmp_path / "faster.pth")
    begin_with(read_config(FASTER), tmp_path / "faster.pth", tmp_path / "begin.pth")
    written = torch.load(tmp_path / "begin.pth", weights_only=True)["state_dict"]
    assert written.keys() == trained.keys()
    with pytest.raises(CheckpointError, match=r"none\.pth: no such file"):
        begin_with(read_config(FASTER), tmp_path / "none.pth", tmp_path / "begin.pth")
