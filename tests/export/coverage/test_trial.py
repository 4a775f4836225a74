"""The trial of a config, on a small detector."""

from pathlib import Path

from specimens import PLAIN_CONFIG

from dirdet_export.coverage.outcome import ACCEPTED, YES
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
