"""The trial of a config, on a small detector."""

from pathlib import Path

import torch
from specimens import PLAIN_CONFIG
from torch import nn

from dirdet_export.coverage.outcome import ACCEPTED, YES
from dirdet_export.coverage.random_weights import enliven
from dirdet_export.coverage.trial import read_config_only, try_config

REFUSED = (
    PLAIN_CONFIG
    + """
model["roi_head"].update(bbox_roi_extractor=dict(out_channels=32, roi_layer=dict(pool_mode="max")))
"""
)


def test_a_detector_with_random_weights_detects_retrofits_and_exports(tmp_path: Path) -> None:
    config, work = tmp_path / "mine.py", tmp_path / "work"
    config.write_text(PLAIN_CONFIG)
    work.mkdir()
    assert read_config_only("mine", config).export == ACCEPTED
    outcome = try_config("mine", config, work)
    assert (outcome.retrofit, outcome.export, outcome.broken) == (YES, YES, False)
    assert outcome.detections >= 50


def test_a_refusal_is_a_line_without_folders_and_comes_before_the_training(tmp_path: Path) -> None:
    config, work = tmp_path / "mine.py", tmp_path / "work"
    config.write_text(REFUSED)
    work.mkdir()
    for outcome in (try_config("mine", config, work), read_config_only("mine", config)):
        assert not outcome.broken
        assert "roi_layer.pool_mode = 'avg' only" in outcome.retrofit
        assert "\n" not in outcome.retrofit
    config.write_text("model =")
    outcome = read_config_only("mine", config)
    assert not outcome.broken
    assert str(tmp_path) not in outcome.reason


def test_a_norm_behind_a_global_pooling_does_not_enlarge_rounding() -> None:
    """Two values of a channel have next to no variance."""
    torch.manual_seed(0)
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(8))
    model = nn.Module()
    model.add_module("part", pooled)
    model.test_step = lambda batch: pooled(batch["inputs"])  # type: ignore[assignment] - MMDetection's method
    batch = {"inputs": torch.randn(2, 8, 32, 32) + torch.arange(8)[:, None, None]}
    enliven(model.eval(), batch)
    one, other = model.test_step(batch), model.test_step({"inputs": batch["inputs"] + 1e-4})
    assert (one - other).abs().max() < 1e-3
