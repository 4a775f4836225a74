"""The shipped detector with another number of proposals."""

import json
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner

from dirdet.bundle.bundle import DETECTOR, Bundle
from dirdet.bundle.shipped import open_bundle
from dirdet.engines.factory import make_engine
from dirdet.pictures.reading import read_picture
from dirdet_bench.export.fewer_proposals import command
from dirdet_bench.export.proposals import own_proposals, proposal_curve, with_proposals
from dirdet_bench.harness.canvases import canvas_batch
from dirdet_export.errors import UnsupportedError

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "example.jpg"


def candidates(folder: Path, count: int) -> int:
    bundle = open_bundle()
    model = onnx.load(str(bundle.file(DETECTOR)))
    with_proposals(model, count)
    assert own_proposals(model) == count
    onnx.save(model, str(folder / DETECTOR))
    with EXAMPLE.open("rb") as file:
        batch = canvas_batch(read_picture(file), bundle.manifest)
    return int(make_engine(Bundle(folder, bundle.manifest)).detect(batch).num_candidates[0])


def test_fewer_proposals_give_fewer_candidates_and_its_own_number_the_same(tmp_path: Path) -> None:
    bundle = open_bundle()
    with EXAMPLE.open("rb") as file:
        batch = canvas_batch(read_picture(file), bundle.manifest)
    own = int(make_engine(bundle).detect(batch).num_candidates[0])
    assert candidates(tmp_path, own_proposals(onnx.load(str(bundle.file(DETECTOR))))) == own
    assert candidates(tmp_path, 10) < candidates(tmp_path, 60) < own


def test_the_curve_ends_where_proposals_begin_to_cost() -> None:
    with EXAMPLE.open("rb") as file:
        picture = read_picture(file)
    curve = proposal_curve(open_bundle(), picture, 1, pictures=1, shares=(0.1, 1.0))
    assert list(curve.rates) == [20, 200]
    assert curve.default == 200
    assert len(curve.rows()) == 2


def test_ap_and_time_are_told_for_each_number(tmp_path: Path) -> None:
    truth = {
        "images": [{"id": 1, "file_name": EXAMPLE.name, "width": 640, "height": 427}],
        "categories": [{"id": each.category_id, "name": each.name} for each in open_bundle().manifest.categories],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 200, 200], "area": 40000, "iscrowd": 0}
        ],
    }
    (tmp_path / "val.json").write_text(json.dumps(truth))
    arguments = [str(tmp_path / "val.json"), str(EXAMPLE.parent), "--proposals", "20", "--rounds", "1"]
    result = CliRunner().invoke(command, [*arguments, "--json", str(tmp_path / "out.json")])
    assert result.exit_code == 0, result.output
    rows = {row["name"]: row for row in json.loads((tmp_path / "out.json").read_text())["rows"]}
    assert {"AP, 200 proposals", "AP, 20 proposals"} <= set(rows)
    assert rows["AP, 20 proposals minus 200"]["goal"] == {"at_least": -0.1}
    assert rows["20 proposals"]["against"] == "200 proposals"


def test_more_proposals_than_a_graph_has_room_for_are_refused() -> None:
    model = onnx.load(str(open_bundle().file(DETECTOR)))
    with pytest.raises(UnsupportedError, match="at most its own 200 proposals, found 201"):
        with_proposals(model, 201)


def test_another_graph_is_refused() -> None:
    empty = onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], []))
    with pytest.raises(UnsupportedError, match="expected a NonMaxSuppression"):
        with_proposals(empty, 10)
