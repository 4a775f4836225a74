"""Small detectors of kinds that are no Faster R-CNN: retrofitted and exported with parity."""

from pathlib import Path

import pytest
from kinds import KINDS

from dirdet_export.coverage.outcome import YES
from dirdet_export.coverage.trial import try_config


@pytest.mark.parametrize("text", KINDS.values(), ids=KINDS)
def test_a_kind_retrofits_and_exports_with_parity(text: str, tmp_path: Path) -> None:
    config, work = tmp_path / "mine.py", tmp_path / "work"
    config.write_text(text)
    work.mkdir()
    outcome = try_config("mine", config, work)
    assert (outcome.retrofit, outcome.export) == (YES, YES)
    assert outcome.detections >= 50
