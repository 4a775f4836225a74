"""Which of MMDetection's configs were tried, and what came of it."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from dirdet.errors import DirdetError
from dirdet_export.commands.supported import command
from dirdet_export.coverage import campaign, groups, listing
from dirdet_export.coverage.campaign import Limits, read_outcomes, try_configs, write_outcomes
from dirdet_export.coverage.groups import Structure, group, read_structures, untried
from dirdet_export.coverage.listing import Listed, config_folder, weights_by_config
from dirdet_export.coverage.outcome import ACCEPTED, YES, Outcome
from dirdet_export.coverage.packages import imported_by
from dirdet_export.coverage.page import counts, render_page, rows

GOOD = Outcome("a/good", YES, YES, 150, broken=False, seconds=60.0)
ALIKE = Outcome("a/alike", ACCEPTED, ACCEPTED, 0, broken=False, seconds=1.0)
REFUSED = Outcome("a/refused", YES, "export supports others", 0, broken=False, seconds=9.0)
LIKE_REFUSED = Outcome("a/like-refused", ACCEPTED, ACCEPTED, 0, broken=False, seconds=1.0)
BROKEN = Outcome("b/broken", "KeyError: 'x'", "not tried", 0, broken=True, seconds=1.0)
LACKING = Outcome(
    "c/lacking", "config imports 'm'", "not tried", 0, broken=False, seconds=1.0, imports="m not installed"
)
READ = Outcome("b/accepted", ACCEPTED, ACCEPTED, 0, broken=False, seconds=1.0)
OUTCOMES = {outcome.config: outcome for outcome in (GOOD, ALIKE, REFUSED, LIKE_REFUSED, READ, BROKEN, LACKING)}
GROUPS = [
    ["a/good", "a/alike"], ["a/refused", "a/like-refused"], ["b/accepted"], ["b/broken"], ["b/left"], ["c/lacking"]
]  # fmt: skip
STRUCTURES = {name: Structure(members[0], members[0]) for members in GROUPS for name in members}
LISTED = [Listed(name, "https://x/y.pth" if name == "b/left" else None) for members in GROUPS for name in members]


def test_outcomes_are_kept_and_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.json"
    assert read_outcomes(path) == {}
    write_outcomes(path, [GOOD, REFUSED])
    assert read_outcomes(path) == {GOOD.config: GOOD, REFUSED.config: REFUSED}
    path.write_text('[{"config": "a"}]')
    with pytest.raises(DirdetError, match=r"outcomes\.json holds no outcomes"):
        read_outcomes(path)


def test_the_page_tells_what_is_proven_from_what_its_group_proves() -> None:
    found = rows(GROUPS, OUTCOMES, STRUCTURES)
    assert counts(found) == (
        "8 two-stage configs: 2 (25%) retrofit and export with parity, 1 of them proven, 1 by their group and 0 by "
        "their parts; 1 accepted, 2 refused, 1 need a package that was not installed, 1 fail, 1 not tried"
    )
    page = render_page(found)
    for line in (
        "| a/good | proven | 150 boxes |",
        "| a/alike | by group | a/good |",
        "| b/accepted | accepted | - |",
        "| b/left | not tried | - |",
        "| c/lacking | needs a package | m not installed |",
        "- 2: `export supports others` (a/like-refused, a/refused)",
    ):
        assert line in page.splitlines()


def test_the_page_says_what_was_installed() -> None:
    with_package = replace(GOOD, imports="m 1.2")
    page = render_page(rows([[GOOD.config]], {GOOD.config: with_package}, STRUCTURES))
    assert "| a/good | proven | 150 boxes, with m 1.2 |" in page.splitlines()
    assert f"torch {version('torch')}" in page


def test_the_packages_of_a_config_are_those_that_it_imports(tmp_path: Path) -> None:
    config = tmp_path / "config.py"
    config.write_text("custom_imports = dict(imports=['click.core', 'no_such_package.models', 'mmdet'])\n")
    assert imported_by(config) == f"click {version('click')}, no_such_package not installed"
    config.write_text("a = 1\n")
    assert imported_by(config) == ""


def test_one_config_of_each_group_is_tried() -> None:
    assert untried(GROUPS, OUTCOMES, STRUCTURES) == ["b/accepted", "b/left", "c/lacking"]
    assert untried(GROUPS, {}, STRUCTURES) == [members[0] for members in GROUPS]


def test_a_config_of_a_proven_trunk_and_proven_heads_is_told_apart_and_tried_last() -> None:
    names = ["deep", "wide", "both", "other"]
    structures = {
        name: Structure(trunk, heads)
        for name, trunk, heads in zip(
            names, ("deep", "wide", "wide", "third"), ("one", "two", "one", "two"), strict=True
        )
    }
    groups = [[name] for name in names]
    works = {name: Outcome(name, YES, YES, 150, broken=False, seconds=9.0) for name in ("deep", "wide")}
    read = {name: Outcome(name, ACCEPTED, ACCEPTED, 0, broken=False, seconds=1.0) for name in ("both", "other")}
    found = {row.config: (row.verdict, row.detail) for row in rows(groups, works | read, structures)}
    assert found["both"] == ("by parts", "wide, deep")
    assert found["other"] == ("accepted", "")
    assert untried(groups, works | read, structures) == ["other", "both"]
    # The proof of "wide" would also tell about "other", were its trunk proven; that of "both" about nothing else.
    assert untried(groups, {"deep": works["deep"]}, structures)[0] == "wide"


def test_configs_with_the_same_parts_form_a_group_and_others_do_not() -> None:
    names = [
        "faster_rcnn/faster-rcnn_r101_fpn_2x_coco",
        "faster_rcnn/faster-rcnn_r50_fpn_1x_coco",
        "faster_rcnn/faster-rcnn_r50_fpn_soft-nms_1x_coco",
        "mask_rcnn/mask-rcnn_r50_fpn_1x_coco",
        "pafpn/faster-rcnn_r50_pafpn_1x_coco",
        "no/such",
    ]
    found = group(read_structures(names, config_folder()))
    assert found[0] == ["faster_rcnn/faster-rcnn_r50_fpn_1x_coco", "faster_rcnn/faster-rcnn_r101_fpn_2x_coco"]
    assert sorted(found[1:]) == [[name] for name in sorted(names[2:])]


def test_a_trial_that_takes_too_long_or_ends_early_has_an_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tmp_path / "outcomes.json"
    try_configs(["a/slow"], results, limits=Limits(0.01, 8), say=lambda _: None)
    monkeypatch.setattr(campaign.sys, "executable", "/bin/false")
    try_configs(["a/ended"], results, limits=Limits(60, 8), say=lambda _: None)
    found = read_outcomes(results)
    assert "took longer than 0.01 s" in found["a/slow"].reason
    assert "ended with 1" in found["a/ended"].reason
    assert found["a/slow"].broken


def test_the_command_lists_and_tries_only_what_was_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results, page = tmp_path / "outcomes.json", tmp_path / "supported.md"
    write_outcomes(results, OUTCOMES.values())
    monkeypatch.setattr(listing, "two_stage_configs", lambda: LISTED)
    monkeypatch.setattr(groups, "read_structures", lambda *_: STRUCTURES)
    monkeypatch.setattr(campaign.sys, "executable", "/bin/false")
    result = CliRunner().invoke(command, ["--results", str(results), "--check", "--page", str(page)])
    assert result.exit_code == 0, result.output
    tried = read_outcomes(results)
    assert (tried[GOOD.config], tried[ALIKE.config]) == (GOOD, ALIKE)
    assert "ended with 1" in tried[READ.config].reason, "no config of its group was exported"
    assert "b/left  fails: the trial's process ended with 1" in result.output
    assert "https://x/y.pth" in result.output
    assert "0 not tried" in page.read_text()


def test_weights_come_from_the_metafiles() -> None:
    weights = weights_by_config()
    address = weights["faster_rcnn/faster-rcnn_r50_fpn_1x_coco"]
    assert address.startswith("https://")
    assert address.endswith("faster_rcnn_r50_fpn_1x_coco_20200130-047c8118.pth")
