"""Bundles of strangers: their numbers ask for no memory, and what their networks give is checked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dirdet.bundle.bundle import Bundle, Manifest
from dirdet.bundle.copying import copy_with
from dirdet.bundle.shipped import open_bundle
from dirdet.detector.options import DetectOptions, settle
from dirdet.detector.postprocess import found_in
from dirdet.engines.tensors import Candidates
from dirdet.errors import BundleError, EngineError
from dirdet.pictures.canvas import fit_picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped bundle, in a folder that can be changed."""
    shipped = open_bundle(None)
    copy_with(shipped, shipped.manifest, tmp_path / "bundle")
    return tmp_path / "bundle"


HUGE: dict[str, dict[str, Any]] = {
    "a side": {"canvases": [{"height": 32_000_000, "width": 32_000_000}]},
    "both sides": {"canvases": [{"height": 16_384, "width": 16_384}]},  # 17 GB were taken of 32,000 x 32,000
    "more than numbers hold": {"canvases": [{"height": 32 * 10**30, "width": 32}]},
    "a factor": {"factor": float("inf")},
    "a short side": {"short_side": 10**400},
    "a canvas of its own": {"canvas_multiple": 10**30},
    "a fixed size": {"fixed_hw": [10**30, 1]},
    "candidates": {"max_candidates": 10**30},
    "a category": {"categories": [{"name": "a", "category_id": 10**30}]},
}


@pytest.mark.parametrize("changed", HUGE.values(), ids=HUGE)
def test_a_bundles_numbers_are_bounded(folder: Path, changed: dict[str, Any]) -> None:
    told = json.loads((folder / "bundle.json").read_text())
    for key, value in changed.items():
        (told if key in told else told["resize"])[key] = value
    (folder / "bundle.json").write_text(json.dumps(told))
    with pytest.raises(BundleError, match=r"less than or equal to|at most 33554432 pixels"):
        Bundle.open(folder)


def candidates(manifest: Manifest) -> dict[str, Any]:
    """Returns the outputs of a network for one canvas: two equal candidates. The network keeps one of them."""
    shape = (1, manifest.max_candidates)
    arrays: dict[str, Any] = {name: np.full(shape, 0.5, np.float32) for name in ("score", "purity", "integrity")}
    return arrays | {
        "boxes": np.tile(np.array([1, 1, 9, 9], np.float32), (*shape, 1)),
        "class_id": np.zeros(shape, np.int64),
        "num_candidates": np.array([2]),
        "kept": np.zeros((1, manifest.max_detections), np.int64),
        "num_detections": np.array([1]),
    }


def found(outputs: dict[str, Any], manifest: Manifest) -> int:
    fit = fit_picture((100, 100), rule=manifest.resize, canvases=manifest.canvases)
    settings = settle(DetectOptions(candidates=True), manifest)
    return len(found_in(Candidates.from_outputs(outputs), 0, fit=fit, manifest=manifest, settings=settings).detections)


def filled(name: str, value: float) -> Callable[[dict[str, Any]], None]:
    return lambda outputs: outputs[name].fill(value)


WRONG: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a class": (filled("class_id", 12), "a class beyond the 12"),
    "a negative class": (filled("class_id", -1), "a class beyond the 12"),
    "too many": (filled("num_candidates", 10**12), "1000000000000 candidates"),
    "less than none": (filled("num_detections", -1), "-1 detections"),
    "another's": (filled("kept", 2), "keeps others than its 2 candidates"),
    "before the first": (filled("kept", -1), "keeps others than its 2 candidates"),
    "a box of nan": (filled("boxes", np.nan), "not finite"),
    "an endless score": (filled("score", np.inf), "not finite"),
    "no integrity": (filled("integrity", np.nan), "not finite"),
    "a flat box": (lambda outputs: outputs.update(boxes=outputs["score"]), "gives boxes as float32"),
    "words": (lambda outputs: outputs.update(score=np.array([["a"]])), "gives score as <U1"),
    "fewer": (lambda outputs: outputs.update(class_id=outputs["class_id"][:, :1]), "than its 2 candidates"),
}


@pytest.mark.parametrize(("spoil", "words"), WRONG.values(), ids=WRONG)
def test_what_a_network_gives_is_checked(spoil: Callable[[dict[str, Any]], Any], words: str) -> None:
    manifest = open_bundle(None).manifest
    outputs = candidates(manifest)
    assert found(outputs, manifest) == 1
    spoil(outputs)
    with pytest.raises(EngineError, match=words):
        found(outputs, manifest)
