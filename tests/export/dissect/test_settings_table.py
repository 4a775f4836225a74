"""The documented table of test_cfg against what an export does."""

import copy
import os
from pathlib import Path
from typing import Any

import pytest

from dirdet_export.dissect.mmdet_settings import read_limits, read_proposal_limits
from dirdet_export.dissect.settings_table import BEGIN, END, SETTINGS, Setting, render_settings
from dirdet_export.errors import UnsupportedError

PAGE = Path(__file__).resolve().parents[3] / "docs" / "settings.md"


def read(model: Any, setting: Setting | None) -> object:
    """What the export reads with a setting changed."""
    configs = {"rcnn": model.roi_head.test_cfg, "rpn": model.rpn_head.test_cfg}
    kept = copy.deepcopy(configs)
    try:
        if setting is not None:
            *path, last = setting.name.split(".")
            config = configs[setting.part]
            for name in path:
                config = config[name]
            config[last] = setting.value
        return read_limits(model), read_proposal_limits(model.rpn_head.test_cfg)
    finally:
        for part, config in configs.items():
            config.clear()
            config.update(kept[part])


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda each: f"{each.part}.{each.name}={each.value}")
def test_a_setting_is_honoured_or_refused_by_name(
    setting: Setting, plain_specimen: Any, dir_specimen: Any, mask_rcnn_specimen: Any
) -> None:
    model = plain_specimen.model
    if "DIR" in setting.note:
        model = dir_specimen.model
    if setting.name == "mask_thr_binary":
        model = mask_rcnn_specimen.model
    if setting.verdict == "refused":
        with pytest.raises(UnsupportedError, match=setting.name.rpartition(".")[2]):
            read(model, setting)
        return
    changes = read(model, setting) != read(model, None)
    assert changes == (setting.verdict == "honoured" and "nothing" not in setting.note)


def test_the_page_has_this_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    table, after = rest.split(END)
    if os.environ.get("WRITE_SETTINGS"):
        PAGE.write_text(before + BEGIN + render_settings() + END + after, encoding="utf-8")
        table = render_settings()
    assert table == render_settings()
