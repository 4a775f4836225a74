"""Candidates: which detections of two detectors are one, what share is taken, and what is refused at the start."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from dirdet.bundle import MANIFEST, Manifest
from dirdet.commands.serve import command
from dirdet.detection import Detection
from dirdet.detector import Detector
from dirdet.detector_source import DetectorSource, open_all
from dirdet.engines.background import BackgroundEngine
from dirdet.engines.triton_target import TritonTarget
from dirdet.errors import BundleError, DirdetError, ParameterError
from dirdet.options import DetectOptions
from dirdet.shadow.comparison import compare
from dirdet.shadow.loading import open_candidates
from dirdet.shadow.pair import Pair
from dirdet.shadow.pairing import pairs
from dirdet.shadow.shadow import Shadow
from dirdet.shipped import default_bundle, open_bundle


def found(*box_xyxy: float, label: str = "bird", score: float = 0.5, iou: float | None = 0.5) -> Detection:
    x1, y1, x2, y2 = box_xyxy
    return Detection((x1, y1, x2, y2), label, 0, 1, score, None, None, iou, score)


@st.composite
def _detections(draw: st.DrawFn) -> list[Detection]:
    """Boxes on a grid, so that many overlap, some of them without area."""
    corner = st.integers(0, 12).map(float)
    made: list[Detection] = []
    for _ in range(draw(st.integers(0, 6))):
        x, y, width, height = (draw(corner) for _ in range(4))
        label, score = draw(st.sampled_from(["bird", "fish"])), draw(st.floats(0, 1))
        made.append(found(x, y, x + width, y + height, label=label, score=score))
    return made


@given(_detections(), _detections())
def test_pairs_are_of_one_class_overlap_and_are_the_same_from_both_sides(
    first: list[Detection], second: list[Detection]
) -> None:
    there, back = pairs(first, second), pairs(second, first)
    assert len(there) == len(back)
    for side in (0, 1):
        assert len({id(pair[side]) for pair in there}) == len(there)
    for a, b in there:
        assert a.label == b.label
    both = compare(first, second)
    assert sum(both.both.values()) == len(there)
    assert sum(both.both.values()) + sum(both.only_served.values()) == len(first)
    assert sum(both.both.values()) + sum(both.only_candidate.values()) == len(second)
    assert len(both.score_differences) == len(both.displacements_px) == len(there)


def test_nothing_beside_nothing_and_something() -> None:
    one = [found(0, 0, 10, 10)]
    assert compare([], []).both == {}
    assert (compare(one, []).only_served, compare([], one).only_candidate) == ({"bird": 1}, {"bird": 1})


def test_what_overlaps_most_is_one_whatever_its_rank() -> None:
    """COCO's assignment would let the first take the box that the second fits better."""
    served = [found(0, 0, 10, 10, score=0.9), found(2, 0, 12, 10, score=0.8)]
    candidate = [found(2, 0, 12, 11, score=0.7, iou=None)]
    difference = compare(served, candidate)
    assert pairs(served, candidate) == [(served[1], candidate[0])]
    assert difference.only_served == {"bird": 1}
    assert difference.score_differences == (pytest.approx(0.1),)
    assert difference.displacements_px == (1,)
    assert difference.iou_differences == ()


def test_less_than_half_is_not_one_and_neither_is_another_class() -> None:
    assert pairs([found(0, 0, 10, 10)], [found(0, 0, 10, 4.9)]) == []
    assert len(pairs([found(0, 0, 10, 10)], [found(0, 0, 10, 5)])) == 1
    assert pairs([found(0, 0, 10, 10)], [found(0, 0, 10, 10, label="fish")]) == []


@pytest.mark.parametrize(("share", "least", "most"), [(0, 0, 0), (0.25, 400, 600), (1, 2000, 2000)])
def test_of_the_requests_it_takes_its_share(
    share: float, least: int, most: int, detector: Detector, manifest: Manifest
) -> None:
    shadow = Shadow(Pair("a", "b"), detector, share=share, may_begin=lambda: True)
    settings = detector.settle(DetectOptions())
    taken = sum(shadow.of_request(manifest, DetectOptions(), settings) is not None for _ in range(2000))
    shadow.close()
    assert least <= taken <= most


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[..., Path]:
    """The shipped bundle in a folder of a name, with another manifest: `bundle("next", name="...")`."""

    def make(folder: str, **changes: object) -> Path:
        copied = Path(shutil.copytree(default_bundle(), tmp_path / folder))
        told = json.loads((copied / MANIFEST).read_text()) | changes
        (copied / MANIFEST).write_text(json.dumps(told))
        return copied

    return make


def test_a_candidate_must_know_every_class(bundle: Callable[..., Path]) -> None:
    known = json.loads((default_bundle() / MANIFEST).read_text())["categories"]
    served = open_all([DetectorSource("scenes")])
    without = bundle(
        "less", categories=[{**each, "name": f"x{each['name']}"} if each["name"] == "bird" else each for each in known]
    )
    with pytest.raises(
        BundleError, match=r"--shadow .*less: does not know 'bird'; expected every class of the detector"
    ):
        open_candidates([DetectorSource(None, without)], served)
    turned = bundle("turned", categories=known[::-1])
    [told] = open_candidates([DetectorSource(None, turned)], served)
    assert told.pair == Pair("scenes", "turned")


def test_what_candidates_may_not_be(bundle: Callable[..., Path]) -> None:
    served, same = open_all([DetectorSource("a"), DetectorSource("b")]), bundle("next")
    with pytest.raises(ParameterError, match="--shadow: no detector 'c' is served; there is 'a', 'b'"):
        open_candidates([DetectorSource("c", same)], served)
    with pytest.raises(ParameterError, match="two candidates beside 'a'"):
        open_candidates([DetectorSource("a", same), DetectorSource(None, same)], served)
    each = open_candidates([DetectorSource("b", same), DetectorSource("a", same)], served)
    assert [told.pair.detector for told in each] == ["b", "a"]


def test_before_triton_two_networks_cannot_have_one_name(bundle: Callable[..., Path]) -> None:
    served, target = open_all([DetectorSource("a")]), TritonTarget("127.0.0.1:8001")
    same = bundle("same")
    files = json.loads((same / MANIFEST).read_text())["files"]
    open_candidates([DetectorSource(None, same)], served, triton=target)  # one network, other thresholds: one model
    weights = same / "detector.onnx"
    weights.write_bytes(weights.read_bytes() + b"\0")
    files["detector.onnx"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    told = json.loads((same / MANIFEST).read_text())
    (same / MANIFEST).write_text(json.dumps(told | {"files": files}))
    with pytest.raises(BundleError, match=r"Triton has one model 'scenes_detector'.*expected a bundle of another name"):
        open_candidates([DetectorSource(None, same)], served, triton=target)
    (same / MANIFEST).write_text(json.dumps(told | {"files": files, "name": "scenes-2"}))
    open_candidates([DetectorSource(None, same)], served, triton=target)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--shadow-share", "0.5"], "--shadow-share: is a candidate's; --shadow says which"),
        (["--shadow", "x", "--shadow-share", "nan"], "nan is not in the range"),
        (["--shadow", "x", "--shadow-share", "1.5"], "1.5 is not in the range"),
        (["--shadow", "a="], "--shadow: expected [NAME=]PATH, got 'a='"),
        (["--port", "0", "--shadow", "/nowhere"], "/nowhere is not a bundle"),
    ],
)
def test_options_that_make_no_sense(options: list[str], words: str) -> None:
    ran = CliRunner().invoke(command, options)
    assert ran.exit_code != 0
    told = str(ran.exception) if isinstance(ran.exception, DirdetError) else ran.output
    assert words in told


def test_a_network_that_is_none_is_refused_in_words(bundle: Callable[..., Path]) -> None:
    pytest.importorskip("onnxruntime", reason="loading a detector needs ONNX Runtime")
    folder = bundle("broken")
    (folder / "detector.onnx").write_bytes(b"no network")
    told = json.loads((folder / MANIFEST).read_text())
    told["files"]["detector.onnx"] = hashlib.sha256(b"no network").hexdigest()
    (folder / MANIFEST).write_text(json.dumps(told))
    with pytest.raises(BundleError, match=r"detector\.onnx cannot be loaded"):
        BackgroundEngine(open_bundle(folder))
