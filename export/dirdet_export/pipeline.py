"""A checkpoint's way to a proved bundle."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from numpy.typing import NDArray
from torch import nn

from dirdet.bundle import TRUNK, TRUNK_SCRIPT, Bundle, CanvasSize, ResizeRule
from dirdet.triton.config import RepositoryOptions
from dirdet.triton.repository import check_repository, write_repository
from dirdet_export.anatomy import dissect
from dirdet_export.errors import ParityError
from dirdet_export.files import Description, WeightsType, check_target, staged, write_bundle
from dirdet_export.half import round_weights
from dirdet_export.parity.compare import compare_all, compare_rounding
from dirdet_export.parity.match import MAX_BOX_DIFFERENCE_PX, MAX_FIGURE_DIFFERENCE
from dirdet_export.parity.pictures import draw_pictures, load_pictures, resized_pixels
from dirdet_export.parity.reference import found_by_mmdet
from dirdet_export.parity.serving import TwoPartEngine, serving_engine
from dirdet_export.parity.table import render
from dirdet_export.settings import derive_canvases, read_categories, read_resize_rule, sort_canvases
from dirdet_training.mm.checkpoints import load_detector


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be exported, and how.

    Attributes:
        config: an MMDetection config's path, or the name of one that dirdet ships.
        checkpoint: its weights.
        out: the bundle's folder.
        name: of the detector.
        pictures: files and folders to prove parity on; empty to draw some.
        weights: how they are stored.
        canvases: instead of those that follow from the config; empty for these.
        trust_checkpoint: the checkpoint may hold pickled objects.
        quality: measured figures by name, for the manifest.
        limitations: what the detector cannot do, for the manifest.
        repository: a Triton model repository that gets the detector too.
        force: replace an existing bundle, and its models in the repository.
    """

    config: str
    checkpoint: Path
    out: Path
    name: str
    pictures: list[Path] = field(default_factory=list[Path])
    weights: WeightsType = "float32"
    canvases: list[CanvasSize] = field(default_factory=list[CanvasSize])
    trust_checkpoint: bool = False
    quality: dict[str, float] = field(default_factory=dict[str, float])
    limitations: str = ""
    repository: Path | None = None
    force: bool = False


def _architecture(model: Any, *, predicts_iou: bool) -> str:  # noqa: ANN401
    parts = [type(model.backbone).__name__, type(model.neck).__name__, *(["DIR"] if predicts_iou else [])]
    return f"{type(model).__name__} ({', '.join(parts)})"


def describe(order: Order, model: nn.Module, cfg: Config, *, classes: int, predicts_iou: bool) -> Description:
    """What the bundle will say about itself.

    Raises:
        UnsupportedError: the config's resizing or classes cannot be expressed.
    """
    rule = read_resize_rule(cfg)
    return Description(
        name=order.name,
        architecture=_architecture(model, predicts_iou=predicts_iou),
        config=Path(order.config).name,
        checkpoint=order.checkpoint,
        categories=read_categories(cfg, classes=classes),
        canvases=sort_canvases(order.canvases) if order.canvases else derive_canvases(rule),
        resize=rule,
        weights=order.weights,
        quality=order.quality,
        limitations=order.limitations,
    )


def _pictures(
    paths: list[Path], rule: ResizeRule, canvases: list[CanvasSize], say: Callable[[str], None]
) -> dict[str, NDArray[np.uint8]]:
    if not paths:
        say("no --pictures: parity is shown on drawn pictures")
    pictures = load_pictures(paths) if paths else draw_pictures()
    # Numbered, because files in different folders may share a name.
    named = {f"{number} {name}": picture for number, (name, picture) in enumerate(pictures, start=1)}
    return {name: resized_pixels(picture, rule, canvases) for name, picture in named.items()}


def export(order: Order, say: Callable[[str], None]) -> None:
    """Exports a checkpoint and proves, with the engine that will serve it, that the bundle detects the same.

    Args:
        order: what is to be exported.
        say: takes lines for the user.

    Raises:
        DirdetError: the order, the checkpoint or a picture is no good, or the architecture is not supported.
        ParityError: the bundle detects something else; it is not put in its place.
    """
    check_target(order.out, force=order.force)
    if order.repository is not None:
        check_repository(order.repository, order.name, force=order.force)
    model, cfg = load_detector(Path(order.config), order.checkpoint, trust_checkpoint=order.trust_checkpoint)
    detector, limits = dissect(model)
    classes = detector.roi_stage.candidates.classes
    description = describe(order, model, cfg, classes=classes, predicts_iou=limits.predicts_iou)
    pictures = _pictures(order.pictures, description.resize, description.canvases, say)
    rows = []
    if order.weights == "float16":
        singles = [[pixels] for pixels in pictures.values()]
        before = [found for single in singles for found in found_by_mmdet(model, single)]
        round_weights(model)
        after = [found for single in singles for found in found_by_mmdet(model, single)]
        say("what rounding the weights to float16 moves, for information:\n")
        say(render([compare_rounding(before, after)]) + "\n")
    with staged(order.out, force=order.force) as folder:
        manifest = write_bundle(folder, detector=detector, limits=limits, description=description)
        trunks = [name for name in (TRUNK, TRUNK_SCRIPT) if name in manifest.files]
        rows = compare_all(
            model=model,
            engine=serving_engine(folder),
            parts=[TwoPartEngine(folder, predicts_iou=limits.predicts_iou, trunk=trunk) for trunk in trunks],
            pictures=pictures,
            limits=limits,
        )
        say("MMDetection's predict against the bundle, largest differences:\n")
        say(render(rows) + "\n")
        failed = [row.name for row in rows if not row.passed]
        if failed:
            raise ParityError(
                f"the bundle does not detect what the checkpoint detects: {len(failed)} of {len(rows)} comparisons "
                f"differ, first {failed[0]!r}; expected matches within {MAX_BOX_DIFFERENCE_PX:g} px and "
                f"{MAX_FIGURE_DIFFERENCE:g} (of masks 1 - IoU), none missing; {order.out} was not written"
            )
        if not sum(row.detections for row in rows):
            say("note: neither side detected anything on these pictures, so that little is proved; give --pictures")
        size = sum(file.stat().st_size for file in folder.iterdir())
    say(f"wrote {order.out} ({size / 1e6:.1f} MB, {len(pictures)} pictures agree)")
    if order.repository is not None:
        names = write_repository(
            Bundle.open(order.out), order.repository, options=RepositoryOptions(), force=order.force
        )
        say(f"wrote {', '.join(names)} to {order.repository}")
