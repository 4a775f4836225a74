"""Everybody who takes part in a measurement of the embedded engine, from one checkpoint."""

import copy
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image

from dirdet.bundle import Bundle, CanvasSize
from dirdet_export.anatomy import Limits, dissect
from dirdet_export.bench.lively import enliven
from dirdet_export.bench.peers import (
    COMPILED,
    ENGINE,
    MMDET,
    MMDET_PLAIN,
    PLAIN,
    STOCK,
    TORCH,
    Peer,
    Pixels,
    by_engine,
    by_mmdet,
    by_stock_onnxruntime,
    by_torch,
)
from dirdet_export.files import write_bundle
from dirdet_export.parity.pictures import draw_pictures, load_pictures
from dirdet_export.parity.reference import as_mmdet_batch
from dirdet_export.pipeline import Order, describe
from dirdet_training.bench.twins import WITH, WITHOUT, twins
from dirdet_training.mm.configs import build_model


@dataclass(frozen=True)
class Contest:
    """Who takes part.

    Attributes:
        peers: by name, first ENGINE.
        by_score: the bundle, ranking by score alone.
        model: MMDetection's detector with DIR.
        limits: thresholds and sizes.
    """

    peers: dict[str, Peer]
    by_score: Peer
    model: Any
    limits: Limits


def stretched(paths: Sequence[Path], canvas: CanvasSize) -> list[Pixels]:
    """Pictures, or drawn ones, that fill a canvas."""
    pictures = load_pictures(list(paths)) if paths else draw_pictures()
    size = (canvas.width, canvas.height)
    return [np.asarray(each.resize(size, Image.Resampling.BILINEAR), np.uint8) for _, each in pictures]


@contextmanager
def contest(
    cfg: Config,
    weights: Path | None,
    *,
    against: Sequence[str],
    pictures: Sequence[Pixels],
    candidates: int,
    trust_checkpoint: bool,
) -> Generator[Contest]:
    """Exports the detector and makes its peers; the bundle is gone afterwards.

    Args:
        cfg: of a detector with DIR.
        weights: a checkpoint of it; None for fresh weights that find something in the first picture.
        against: names of peers.
        pictures: RGB [h, w, 3], resized.
        candidates: how many fresh weights are to find.
        trust_checkpoint: allow pickled objects in the checkpoint.

    Raises:
        ParameterError: the detector has no DIR head.
        DirdetError: the checkpoint is no good, or the architecture cannot be exported.
    """
    with TemporaryDirectory() as place:
        checkpoint = weights or _fresh(cfg, Path(place) / "fresh.pth", pictures[0], candidates)
        models = {
            name: model.cpu().eval()
            for name, model in twins(cfg, checkpoint, trust_checkpoint=trust_checkpoint).models.items()
        }
        detector, limits = dissect(models[WITH])
        unweighted = replace(limits, iou_weight=0.0)
        bundle = _bundle(models[WITH], cfg, checkpoint, Path(place) / "bundle")
        made: dict[str, Callable[[], Peer]] = {
            PLAIN: lambda: by_engine(_bundle(models[WITHOUT], cfg, checkpoint, Path(place) / "plain"), unweighted),
            MMDET: lambda: by_mmdet(models[WITH]),
            MMDET_PLAIN: lambda: by_mmdet(models[WITHOUT]),
            STOCK: lambda: by_stock_onnxruntime(bundle, limits),
            TORCH: lambda: by_torch(detector, limits, compiled=False),
            COMPILED: lambda: by_torch(detector, limits, compiled=True),
        }
        ours = by_engine(bundle, limits)
        by_score = replace(by_engine(bundle, unweighted), detect=ours.detect)
        peers = {ENGINE: ours, **{name: made[name]() for name in made if name in against}}
        yield Contest(peers, by_score, models[WITH], limits)


def _bundle(model: Any, cfg: Config, checkpoint: Path, folder: Path) -> Bundle:  # noqa: ANN401 - MMDetection's
    """Exports a detector."""
    folder.mkdir()
    detector, limits = dissect(model)
    order = Order(config="measured.py", checkpoint=checkpoint, out=folder, name="measured")
    classes = detector.roi_stage.candidates.classes
    description = describe(order, model, cfg, classes=classes, predicts_iou=limits.predicts_iou)
    write_bundle(folder, detector=copy.deepcopy(detector), limits=limits, description=description)
    return Bundle.open(folder)


def _fresh(cfg: Config, path: Path, picture: Pixels, candidates: int) -> Path:
    """Writes fresh weights that find something."""
    torch.manual_seed(0)
    model = build_model(cfg).eval()
    enliven(model, as_mmdet_batch([picture]), candidates=candidates)
    torch.save({"state_dict": model.state_dict()}, path)
    return path
