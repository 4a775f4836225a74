"""The embedded engine's measurement beside its peers, on a small canvas."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from dirdet.bundle.bundle import Bundle
from dirdet.cli import cli
from dirdet_bench.export.engine import time_peers
from dirdet_bench.export.engine_peers import (
    ENGINE,
    MMDET,
    MMDET_PLAIN,
    PLAIN,
    STOCK,
    TORCH,
    Peers,
    by_engine,
    by_mmdet,
)
from dirdet_export.parity.pictures import draw_pictures, resized_pixels


def test_only_who_detects_the_same_is_timed_and_the_report_says_so(tmp_path: Path):
    picture = tmp_path / "a.png"
    draw_pictures()[0][1].save(picture)
    against = [word for name in (PLAIN, MMDET, MMDET_PLAIN, STOCK, TORCH) for word in ("--against", name)]
    told, drawn = tmp_path / "told.json", tmp_path / "drawn.svg"
    arguments = ["faster_rcnn_dir_lite0_scenes", *against, "--pictures", picture, "--canvas", "128x160", "--rounds", 2]
    done = CliRunner().invoke(
        cli, ["bench", "engine", *map(str, arguments), "--candidates", "60", "--json", str(told), "--plot", str(drawn)]
    )
    assert done.exit_code == 0, done.output
    content = json.loads(told.read_text())
    rows = {row["name"]: row for row in content["rows"]}
    assert list(rows) == [ENGINE, PLAIN, MMDET, MMDET_PLAIN, STOCK, TORCH]
    assert {len(row["values"]) for row in rows.values()} == {2}
    assert rows[STOCK]["goal"] == {"at_least": 1}
    assert rows[MMDET]["against"] == ENGINE
    assert (rows[ENGINE]["against"], rows[ENGINE]["goal"]) == (PLAIN, {"at_most": 1.03})
    assert content["facts"]["detections a picture"] > 5
    assert 30 < content["facts"]["candidates a picture"] < 90
    assert b"<svg" in drawn.read_bytes()


def test_who_detects_something_else_has_no_time(dir_specimen, bundle_of):
    limits = dir_specimen.limits
    bundle = Bundle.open(bundle_of(dir_specimen))
    ours = by_engine(bundle, limits)
    wrong = replace(ours, detect=lambda batch: replace(found := ours.detect(batch), boxes_xyxy=found.boxes_xyxy + 2))
    peers = {ENGINE: ours, MMDET: by_mmdet(dir_specimen.model), "moved": wrong}
    manifest = bundle.manifest
    pixels = resized_pixels(draw_pictures()[0][1], manifest.resize, manifest.canvases)
    found = time_peers(Peers(peers, ours, dir_specimen.model, limits), [np.asarray(pixels)], 1)
    assert found.differing.keys() == {"moved"}
    assert found.seconds.keys() == {ENGINE, MMDET}


@pytest.mark.parametrize("canvas", ["100x100", "wide"])
def test_a_canvas_that_no_network_takes_is_refused(canvas: str):
    done = CliRunner().invoke(cli, ["bench", "engine", "faster_rcnn_dir_lite0_scenes", "--canvas", canvas])
    assert done.exit_code == 2
    assert "--canvas" in done.output
