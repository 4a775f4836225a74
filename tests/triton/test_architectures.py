"""Every architecture that dirdet exports, on one Triton: its ensemble answers as the embedded engine does."""

# pyright: reportUnknownVariableType=false

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

pytest.importorskip("dirdet_export.dissect.anatomy", reason="the extra export is not installed")

from kinds import KINDS
from specimens import DCN_CONFIG, Specimen, description_of, make_specimen, shipped_specimen

from dirdet.bundle.bundle import Bundle
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.engines.factory import make_engine
from dirdet.engines.tensors import CanvasBatch
from dirdet.engines.triton.models import ModelNames
from dirdet.engines.triton.repository.config import RepositoryOptions
from dirdet.engines.triton.repository.writer import write_repository
from dirdet.engines.triton.target import TritonTarget
from dirdet_export.coverage.trial import write_small_detector
from dirdet_export.dissect.anatomy import dissect
from dirdet_export.parity.compare import Comparison, compare_picture
from dirdet_export.parity.found_boxes import Found, found_by_engine
from dirdet_export.parity.proposal_ties import find_sources
from dirdet_export.parity.reference import as_mmdet_batch, prepare
from dirdet_export.parity.serving import as_canvases
from dirdet_export.parity.table import render
from dirdet_export.write.files import write_bundle
from dirdet_training.mm.checkpoints import load_detector

from .server import TritonServer, running

Make = Callable[[Path], Specimen]
# On a logit of a DIR head far below zero rounding alone decides the order: masks' heads get a calmer one.
CALM = 0.1


def _of_kind(folder: Path, name: str) -> Specimen:
    config, weights = folder / "config.py", folder / "weights.pth"
    (folder / "kind.py").write_text(KINDS[name])
    write_small_detector(folder / "kind.py", config, weights)
    loaded: tuple[Any, Any] = load_detector(str(config), weights)
    model, cfg = loaded
    detector, limits = dissect(model)
    return Specimen(config, weights, cfg, model, detector, limits)


DETECTORS: dict[str, Make] = {
    "faster": lambda folder: shipped_specimen(folder, "faster_rcnn_dir_lite0_scenes"),
    "mask": lambda folder: shipped_specimen(folder, "mask_rcnn_dir_lite0_scenes", judge=CALM),
    "cascade": lambda folder: shipped_specimen(folder, "cascade_rcnn_dir_lite0_scenes"),
    "dcn": lambda folder: make_specimen(folder, DCN_CONFIG),
    "double_head": lambda folder: shipped_specimen(folder, "double_head_dir_lite0_scenes"),
    "tsd": lambda folder: shipped_specimen(folder, "tsd_dir_lite0_scenes"),
    "htc": lambda folder: shipped_specimen(folder, "htc_dir_lite0_scenes", judge=CALM),
    # The kind that is left out takes canvases of multiples of 64, and these are of 32.
    "guided_sides": lambda folder: _of_kind(folder, "guided anchors and sides of boxes"),
    "scnet": lambda folder: _of_kind(folder, "scnet"),
    "point_rend": lambda folder: _of_kind(folder, "point rend"),
}
WITH_MASKS = {"mask", "htc", "scnet", "point_rend"}


@dataclass(frozen=True)
class Pair:
    """A detector here and on Triton."""

    specimen: Specimen
    embedded: Detector
    remote: Detector

    def compare(self, batch: CanvasBatch, pictures: list[NDArray[np.uint8]], into: Comparison) -> None:
        limits = self.specimen.limits
        answers = self.embedded.engine.detect(batch), self.remote.engine.detect(batch)

        def found(side: int, index: int, *, kept_only: bool = True) -> Found:
            height, width = batch.picture_hw[index]
            return found_by_engine(
                answers[side],
                index,
                limits=limits,
                kept_only=kept_only,
                picture_hw=(int(height), int(width)),
            )

        for index in range(len(pictures)):
            compare_picture(
                into,
                expected=found(0, index),
                served=found(1, index),
                candidates=lambda index=index: found(1, index, kept_only=False),
                limits=limits,
                sources=lambda near, index=index: find_sources(
                    self.specimen.model, prepare(self.specimen.model, as_mmdet_batch(pictures)), index, near=near
                ),
            )


@pytest.fixture(scope="module")
def specimens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Specimen]:
    return {name: make(tmp_path_factory.mktemp(name)) for name, make in DETECTORS.items()}


@pytest.fixture(scope="module")
def bundles(specimens: dict[str, Specimen], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    opened: dict[str, Bundle] = {}
    for name, specimen in specimens.items():
        folder = tmp_path_factory.mktemp(f"bundle_{name}")
        description = description_of(specimen, name=name)
        write_bundle(folder, detector=specimen.detector, limits=specimen.limits, description=description)
        opened[name] = Bundle.open(folder)
    return opened


@pytest.fixture(scope="module")
def all_served(
    bundles: dict[str, Bundle], make_server: Callable[..., TritonServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TritonServer]:
    """All of them in one repository; of each the ensemble, which brings its parts."""
    repository = tmp_path_factory.mktemp("repository")
    for bundle in bundles.values():
        write_repository(bundle, repository, options=RepositoryOptions(onnxruntime="python"))
    with running(make_server(repository, models=[ModelNames(name).detector for name in DETECTORS])) as server:
        yield server


@pytest.fixture(params=DETECTORS)
def pair(
    request: pytest.FixtureRequest,
    specimens: dict[str, Specimen],
    bundles: dict[str, Bundle],
    all_served: TritonServer,
) -> Iterator[Pair]:
    bundle = bundles[request.param]
    remote = Detector(bundle.manifest, make_engine(bundle, triton=TritonTarget(all_served.address)))
    embedded = Detector(bundle.manifest, make_engine(bundle, provider="cpu"))
    yield Pair(specimens[request.param], embedded, remote)
    remote.engine.close()


@pytest.fixture(scope="module")
def pixels(crops: list[Image.Image]) -> list[NDArray[np.uint8]]:
    """Pictures of several sizes, one of them tiny, for one batch."""
    sizes = [(160, 110), (96, 128), (33, 90), (150, 64), (24, 20)]
    pictures = [crop.resize(size) for crop, size in zip(crops, sizes, strict=False)]
    return [np.asarray(picture, np.uint8) for picture in pictures]


def test_the_ensemble_answers_as_the_embedded_engine(pair: Pair, pixels: list[NDArray[np.uint8]]) -> None:
    row = Comparison(pair.remote.manifest.name)
    pair.compare(as_canvases(pixels, pair.specimen.limits), pixels, row)
    for picture in pixels:
        pair.compare(as_canvases([picture], pair.specimen.limits), [picture], row)
    print(render([row]))
    assert row.passed, render([row])
    assert row.matched > 0.95 * row.detections > 5 * row.pictures


def test_one_detection_and_none(pair: Pair, photograph: Image.Image) -> None:
    best = pair.embedded.detect([photograph])[0]
    one, none = DetectOptions(max_detections=1), DetectOptions(score_threshold=1)
    [found] = pair.remote.detect([photograph], one)[0]
    assert found.label == best[0].label
    np.testing.assert_allclose(found.box_xyxy, best[0].box_xyxy, rtol=0, atol=0.5)
    assert found.confidence == pytest.approx(best[0].confidence, abs=0.01)
    assert pair.remote.detect([photograph], none) == [[]]


def test_masks_where_there_are_some_and_null_elsewhere(pair: Pair, photograph: Image.Image) -> None:
    manifest = pair.remote.manifest
    has_masks = manifest.name in WITH_MASKS
    assert (manifest.mask_threshold is not None) == has_masks
    [found] = pair.remote.detect([photograph])
    assert found
    for detection in found:
        assert (detection.mask is not None) == has_masks
        if detection.mask is not None:
            assert detection.mask.size_hw == (photograph.height, photograph.width)
