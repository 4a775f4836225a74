"""The served bundle and its alternatives, all from one checkpoint, as ways to detect."""

import copy
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
import torch
from mmengine.config import Config
from numpy.typing import NDArray

from dirdet.bundle.bundle import DETECTOR, Bundle
from dirdet.engines.factory import make_engine
from dirdet.engines.onnx_module import import_onnxruntime
from dirdet.engines.providers import CPU
from dirdet.engines.tensors import Candidates, CanvasBatch
from dirdet_bench.export.fresh_weights import scale_fresh_weights
from dirdet_bench.harness.canvases import input_arrays
from dirdet_bench.training.detector_pair import WITH, WITHOUT, detector_pair
from dirdet_export.dissect.anatomy import Limits, dissect
from dirdet_export.dissect.canvases import derive_canvases
from dirdet_export.dissect.categories import read_categories
from dirdet_export.dissect.input_pipeline import read_pipeline
from dirdet_export.graph.detector import Detector
from dirdet_export.parity.found_boxes import Found, found_by_engine
from dirdet_export.parity.reference import as_mmdet_batch, found_in
from dirdet_export.parity.serving import as_canvases
from dirdet_export.pipeline import Canvases, Order, describe
from dirdet_export.write import signature
from dirdet_export.write.files import write_bundle
from dirdet_export.write.known_warnings import expected_warnings
from dirdet_training.mm.configs import build_model

Pixels: TypeAlias = NDArray[np.uint8]
ENGINE, PLAIN = "dirdet", "dirdet without DIR"
STOCK = "stock ONNX Runtime"
MMDET, MMDET_PLAIN = "MMDetection", "MMDetection without DIR"
TORCH, COMPILED = "torch and torchvision", "torch.compile"
NAMES = (PLAIN, MMDET, MMDET_PLAIN, STOCK, TORCH, COMPILED)
# They rank by score, and are compared with a bundle that does.
WITHOUT_DIR = frozenset({PLAIN, MMDET_PLAIN})


@dataclass(frozen=True)
class Peer:
    """One way to detect.

    Attributes:
        prepare: from a resized picture RGB [h, w, 3] to the input in memory; not timed.
        detect: from that to the answer; timed.
        found: from that to detections; with False to all candidates.
    """

    prepare: Callable[[Pixels], Any]
    detect: Callable[[Any], Any]
    found: Callable[[Any, bool], Found]


@dataclass(frozen=True)
class Peers:
    """All ways to detect, first ENGINE; the bundle ranking by score alone; and MMDetection's detector as reference."""

    named: dict[str, Peer]
    by_score: Peer
    model: Any
    limits: Limits


@contextmanager
def make_peers(
    cfg: Config,
    weights: Path | None,
    *,
    against: Sequence[str],
    picture: Pixels,
    candidates: int,
    trust_checkpoint: bool,
) -> Generator[Peers]:
    """Exports a detector to a temporary bundle and makes its peers.

    Args:
        cfg: of a detector with DIR.
        weights: a checkpoint of it; None for fresh weights.
        against: names of peers.
        picture: RGB [h, w, 3], resized, in which fresh weights find `candidates`.
        candidates: pairs of box and class.
        trust_checkpoint: allow pickled objects in the checkpoint.

    Raises:
        ParameterError: the detector has no DIR head.
        DirdetError: the checkpoint cannot be read, or the architecture cannot be exported.
    """
    with TemporaryDirectory() as place:
        checkpoint = weights or write_fresh(cfg, Path(place) / "fresh.pth", picture, candidates)
        pair = detector_pair(cfg, checkpoint, trust_checkpoint=trust_checkpoint)
        models = {name: model.cpu().eval() for name, model in pair.models.items()}
        detector, limits = dissect(models[WITH])
        unweighted = replace(limits, iou_weight=0.0)
        bundle = export_bundle(models[WITH], cfg, checkpoint, Path(place) / "bundle")
        made: dict[str, Callable[[], Peer]] = {
            PLAIN: lambda: by_engine(
                export_bundle(models[WITHOUT], cfg, checkpoint, Path(place) / "plain"), unweighted
            ),
            MMDET: lambda: by_mmdet(models[WITH]),
            MMDET_PLAIN: lambda: by_mmdet(models[WITHOUT]),
            STOCK: lambda: by_stock_onnxruntime(bundle, limits),
            TORCH: lambda: by_torch(detector, limits, compiled=False),
            COMPILED: lambda: by_torch(detector, limits, compiled=True),
        }
        ours = by_engine(bundle, limits)
        by_score = replace(by_engine(bundle, unweighted), detect=ours.detect)
        peers = {ENGINE: ours, **{name: made[name]() for name in made if name in against}}
        yield Peers(peers, by_score, models[WITH], limits)


def by_engine(bundle: Bundle, limits: Limits) -> Peer:
    """The bundle as `dirdet serve` runs it on a CPU."""
    return _of_candidates(make_engine(bundle, provider="cpu").detect, limits)


def by_stock_onnxruntime(bundle: Bundle, limits: Limits) -> Peer:
    """The bundle's detector.onnx in a session without options."""
    ort = import_onnxruntime("comparing")
    session = ort.InferenceSession(str(bundle.file(DETECTOR)), providers=[CPU])
    wanted = [each.name for each in session.get_inputs()]
    names = [each.name for each in session.get_outputs()]

    def detect(batch: CanvasBatch) -> Candidates:
        feeds = input_arrays(batch)
        arrays = session.run(None, {name: feeds[name] for name in wanted})
        return Candidates.from_outputs(dict(zip(names, arrays, strict=True)))

    return _of_candidates(detect, limits)


def by_torch(detector: Detector, limits: Limits, *, compiled: bool) -> Peer:
    """The exported network, run by torch with torchvision's RoIAlign and NMS.

    Only the trunk is compiled, by inductor: the RoI stage's shapes depend on its input.
    """
    names = [spec.name for spec in signature.outputs(predicts_iou=limits.predicts_iou)]
    wanted = [spec.name for spec in signature.inputs(predicts_iou=limits.predicts_iou)]
    trunk: Any = torch.compile(detector.trunk) if compiled else detector.trunk

    def detect(batch: CanvasBatch) -> Candidates:
        canvas, picture_hw, *request = (torch.from_numpy(input_arrays(batch)[name]) for name in wanted)
        with torch.inference_mode(), expected_warnings():
            outputs = detector.roi_stage(*trunk(canvas, picture_hw), picture_hw, *request)
        return Candidates.from_outputs({name: each.numpy() for name, each in zip(names, outputs, strict=True)})

    return _of_candidates(detect, limits)


def by_mmdet(model: Any) -> Peer:  # noqa: ANN401 - MMDetection's detector
    """MMDetection's own `test_step`."""

    def detect(batch: dict[str, Any]) -> list[Any]:
        with torch.inference_mode():
            # Detections are written into the batch's samples.
            return model.test_step({**batch, "data_samples": [sample.clone() for sample in batch["data_samples"]]})

    return Peer(lambda pixels: as_mmdet_batch([pixels]), detect, lambda samples, _kept_only: found_in(samples[0]))


def _of_candidates(detect: Callable[[CanvasBatch], Candidates], limits: Limits) -> Peer:
    def found(answer: Candidates, kept_only: bool) -> Found:
        boxes_alone = replace(limits, mask_threshold=None)
        return found_by_engine(answer, 0, limits=boxes_alone, kept_only=kept_only, picture_hw=(0, 0))

    return Peer(lambda pixels: as_canvases([pixels], limits), detect, found)


def export_bundle(model: Any, cfg: Config, checkpoint: Path, folder: Path) -> Bundle:  # noqa: ANN401 - MMDetection's
    """Writes a detector of a config as a bundle, and opens it."""
    folder.mkdir()
    pipeline = read_pipeline(cfg)
    detector, limits = dissect(model, pipeline)
    order = Order(config="measured.py", checkpoint=checkpoint, out=folder, name="measured")
    categories = read_categories(cfg, classes=detector.roi_stage.candidates.classes, dataset_meta=None, file=None)
    sizes = derive_canvases(pipeline, cfg.model.data_preprocessor.get("pad_size_divisor", 1))
    canvases = Canvases(pipeline.resize, sizes)
    description = describe(order, model, canvases=canvases, categories=categories, predicts_iou=limits.predicts_iou)
    write_bundle(folder, detector=copy.deepcopy(detector), limits=limits, description=description)
    return Bundle.open(folder)


def write_fresh(cfg: Config, path: Path, picture: Pixels, candidates: int) -> Path:
    """Writes a checkpoint of fresh weights that find about `candidates` pairs in a picture RGB [h, w, 3]."""
    torch.manual_seed(0)
    model = build_model(cfg).eval()
    scale_fresh_weights(model, as_mmdet_batch([picture]), candidates=candidates)
    torch.save({"state_dict": model.state_dict()}, path)
    return path
