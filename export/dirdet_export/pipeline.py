"""Exports a checkpoint as a bundle and checks it."""

import math
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from dirdet.bundle.bundle import Bundle, CanvasSize, ResizeRule
from dirdet.bundle.interpolation import ANTIALIASED, Decode
from dirdet.engines.base import Engine
from dirdet.engines.triton.repository.config import RepositoryOptions
from dirdet.engines.triton.repository.writer import check_repository, write_repository
from dirdet.errors import ParameterError, counted
from dirdet_export.dissect.anatomy import dissect
from dirdet_export.dissect.canvases import bounded, derive_canvases, own_canvases, padding_multiple, sort_canvases
from dirdet_export.dissect.categories import Categories, read_categories
from dirdet_export.dissect.input_pipeline import InputPipeline, read_pipeline
from dirdet_export.dissect.mmdet_settings import Limits
from dirdet_export.errors import ParityError
from dirdet_export.parity.bundle_side import served
from dirdet_export.parity.cases import FileCase, read_case
from dirdet_export.parity.compare import Comparison, compare_rounding
from dirdet_export.parity.match import MAX_BOX_DIFFERENCE_PX, MAX_FIGURE_DIFFERENCE
from dirdet_export.parity.mm_pipeline import FilePipeline
from dirdet_export.parity.pictures import crop_files, draw_files, list_pictures
from dirdet_export.parity.proof import MIN_SHARE, Proof, measure_padding, prove
from dirdet_export.parity.reference import report_boxes_alone
from dirdet_export.parity.serving import TwoPartEngine, serving_engine
from dirdet_export.parity.table import render, render_causes
from dirdet_export.write.files import Description, Purpose, WeightsType, check_target, staged, write_bundle
from dirdet_export.write.float16_weights import round_weights
from dirdet_training.mm.checkpoints import load_detector

# What runs the network's files, by purpose.
_ENGINES: Mapping[str, Callable[[Path], Engine]] = {"embedded": serving_engine, "triton": TwoPartEngine}


@dataclass(frozen=True, slots=True)
class Order:
    """Parameters of an export.

    Attributes:
        config: an MMDetection config's path, or the name of one that dirdet ships.
        checkpoint: its weights.
        out: the bundle's folder.
        name: of the detector.
        pictures: files and folders to prove parity on; empty to draw some.
        weights: data type of the stored weights.
        purpose: the engines that the bundle is for; the network's files for others are left out.
        fp16_trunk: also write a trunk that computes in float16.
        canvases: replace those derived from the config; empty keeps them.
        categories: a file with the classes' names and numbers; None takes them from the checkpoint and the config.
        averaged: take the checkpoint's averaged weights if it has any.
        trust_checkpoint: the checkpoint may hold pickled objects.
        quality: measured figures by name, for the manifest.
        limitations: what the detector cannot do, for the manifest.
        decode: how requests that do not say it have their JPEGs decoded.
        repository: a Triton model repository that gets the detector too.
        force: replace an existing bundle, and its models in the repository.
    """

    config: str
    checkpoint: Path
    out: Path
    name: str
    pictures: list[Path] = field(default_factory=list[Path])
    weights: WeightsType = "float32"
    purpose: Purpose = "both"
    fp16_trunk: bool = False
    canvases: list[CanvasSize] = field(default_factory=list[CanvasSize])
    categories: Path | None = None
    averaged: bool = True
    trust_checkpoint: bool = False
    quality: dict[str, float] = field(default_factory=dict[str, float])
    limitations: str = ""
    decode: Decode = "exact"
    repository: Path | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Canvases:
    """How pictures are resized, and the canvases for them, smallest first."""

    rule: ResizeRule
    sizes: list[CanvasSize]


@dataclass(frozen=True, slots=True)
class Reference:
    """MMDetection's side.

    Attributes:
        model: the detector.
        pipeline: its config's test pipeline.
        limits: its thresholds and sizes.
    """

    model: nn.Module
    pipeline: FilePipeline
    limits: Limits

    def read(self, files: list[Path], canvases: Canvases) -> list[FileCase]:
        """Reads files on both sides.

        Raises:
            ExportError: a file is not a picture.
        """
        return [
            read_case(file, model=self.model, pipeline=self.pipeline, rule=canvases.rule, canvases=canvases.sizes)
            for file in files
        ]


def _architecture(model: Any, *, predicts_iou: bool) -> str:  # noqa: ANN401
    necks = [type(model.neck).__name__] if model.with_neck else []
    parts = [type(model.backbone).__name__, *necks, *(["DIR"] if predicts_iou else [])]
    return f"{type(model).__name__} ({', '.join(parts)})"


def describe(
    order: Order, model: nn.Module, *, canvases: Canvases, categories: Categories, predicts_iou: bool
) -> Description:
    """The bundle's description of itself."""
    return Description(
        name=order.name,
        architecture=_architecture(model, predicts_iou=predicts_iou),
        config=Path(order.config).name,
        checkpoint=order.checkpoint,
        categories=categories.listed,
        canvases=canvases.sizes,
        resize=canvases.rule,
        weights=order.weights,
        purpose=order.purpose,
        fp16_trunk=order.fp16_trunk,
        quality=order.quality,
        limitations=order.limitations,
        decode=order.decode,
    )


@contextmanager
def _files(order: Order, say: Callable[[str], None]) -> Generator[list[Path]]:
    """The picture files of the proof."""
    if order.pictures:
        files = list_pictures(order.pictures)
        # A folder of a whole data set takes hours on a CPU, and proves no more.
        say(f"the proof detects several times in {counted(len(files), 'picture')}; ten are enough")
        yield files
        return
    say("no --pictures: the proof uses drawn pictures")
    with tempfile.TemporaryDirectory(prefix="dirdet-") as folder:
        yield draw_files(Path(folder))


def _choose_canvases(
    order: Order, reference: Reference, pipeline: InputPipeline, files: list[Path], say: Callable[[str], None]
) -> Canvases:
    """The user's canvases, or a few that all pictures share, or one for each picture if padding changes detections.

    Raises:
        UnsupportedError: the sizes of pictures have no bound.
        ParityError: MMDetection detects nothing in the files.
    """
    preprocessor: Any = reference.model.data_preprocessor
    divisor = int(preprocessor.pad_size_divisor)
    if order.canvases:
        return Canvases(bounded(pipeline.resize, order.canvases), sort_canvases(order.canvases))
    shared = Canvases(pipeline.resize, derive_canvases(pipeline, divisor))
    cases = reference.read(files, shared)
    with tempfile.TemporaryDirectory(prefix="dirdet-") as folder:
        # Pictures of one shape may all have the canvas that MMDetection pads them to.
        if all(case.padded is case.theirs for case in cases):
            cases += reference.read(crop_files(files[0], Path(folder)), shared)
        box, figure = measure_padding(reference.model, cases, reference.limits)
    if box <= MAX_BOX_DIFFERENCE_PX and figure <= MAX_FIGURE_DIFFERENCE:
        return shared
    how = "boxes appear or vanish" if math.isinf(box) else f"boxes move {box:.2g} px, figures {figure:.2g}"
    say(f"on canvases that pictures share, {how}: every picture gets a canvas of its own, as MMDetection pads it\n")
    return Canvases(*own_canvases(shared.rule, shared.sizes, padding_multiple(pipeline, divisor)))


def export(order: Order, say: Callable[[str], None]) -> list[Comparison]:
    """Exports a checkpoint and proves, through the application, that the bundle gives the same detections.

    Args:
        order: parameters of the export.
        say: prints a line for the user.

    Returns:
        The comparisons, all of which passed.

    Raises:
        DirdetError: a parameter, the checkpoint or a picture is invalid, or the architecture is not supported.
        ParityError: the bundle gives other detections; nothing is written to `out`.
    """
    check_target(order.out, force=order.force)
    if order.purpose == "embedded" and (order.repository is not None or order.fp16_trunk):
        raise ParameterError("--for", "expected triton or both with --triton or --fp16-trunk, not embedded")
    if order.repository is not None:
        check_repository(order.repository, order.name, force=order.force)
    model, cfg = load_detector(
        order.config, order.checkpoint, trust_checkpoint=order.trust_checkpoint, averaged=order.averaged
    )
    pipeline = read_pipeline(cfg)
    if order.decode == "scaled" and pipeline.resize.interpolation not in ANTIALIASED:
        raise ParameterError(
            "--decode",
            f"scaled is for a resize that reads every pixel; the config's is {pipeline.resize.interpolation}",
        )
    detector, limits = dissect(model, pipeline)
    classes = detector.roi_stage.candidates.classes
    if note := report_boxes_alone(model):
        say(note)
    meta = getattr(model, "dataset_meta", None)
    categories = read_categories(cfg, classes=classes, dataset_meta=meta, file=order.categories)
    say(f"{counted(classes, 'category')}: {categories.source}")
    reference = Reference(model, FilePipeline(cfg), limits)
    with _files(order, say) as files, staged(order.out, force=order.force) as folder:
        canvases = _choose_canvases(order, reference, pipeline, files, say)
        description = describe(order, model, canvases=canvases, categories=categories, predicts_iou=limits.predicts_iou)
        cases = reference.read(files, canvases)
        if order.weights == "float16":
            say("differences from rounding the weights to float16, for information:\n")
            say(render([_rounded(model, cases)]) + "\n")
            # Some layers' weights are computed from the detector's.
            detector, limits = dissect(model, pipeline)
        write_bundle(folder, detector=detector, limits=limits, description=description)
        engines = [_ENGINES[purpose](folder) for purpose in _ENGINES if order.purpose in (purpose, "both")]
        with served(Bundle.open(folder).manifest, engines[0]) as application:
            proof = prove(model=model, served=application, parts=engines, cases=cases, limits=limits)
        _judge(proof, order, limits, say)
        size = sum(file.stat().st_size for file in folder.iterdir())
    say(f"wrote {order.out} ({size / 1e6:.1f} MB, {len(cases)} pictures agree)")
    if order.repository is not None:
        names = write_repository(
            Bundle.open(order.out), order.repository, options=RepositoryOptions(), force=order.force
        )
        say(f"wrote {', '.join(names)} to {order.repository}")
    return [*proof.whole, *proof.arithmetic]


def _rounded(model: nn.Module, cases: list[FileCase]) -> Comparison:
    """Rounds the weights; the differences that this makes."""
    before = [case.detect(model, case.theirs) for case in cases]
    round_weights(model)
    return compare_rounding(before, [case.detect(model, case.theirs) for case in cases])


def _judge(proof: Proof, order: Order, limits: Limits, say: Callable[[str], None]) -> None:
    """Prints the proof.

    Raises:
        ParityError: the bundle does not detect what MMDetection detects.
    """
    if proof.score_threshold < limits.score_threshold:
        say(
            f"few boxes at {limits.score_threshold:g}: both sides detect with a score threshold of "
            f"{proof.score_threshold:.2g}"
        )
    say("MMDetection from the picture files against POST /detect of the same files:\n")
    say(render([*proof.whole, *proof.arithmetic]) + "\n")
    say("largest difference that each step alone makes:\n")
    say(render_causes(proof.causes, proof.arithmetic) + "\n")
    failed = [row.name for row in proof.arithmetic if not row.passed]
    tolerance = f"expected matches within {MAX_BOX_DIFFERENCE_PX:g} px and {MAX_FIGURE_DIFFERENCE:g} (of masks 1 - IoU)"
    if failed:
        raise ParityError(
            f"the bundle does not detect what the checkpoint detects: {len(failed)} of {len(proof.arithmetic)} "
            f"comparisons differ, first {failed[0]!r}; {tolerance}, none missing; {order.out} was not written"
        )
    # Canvases of the user's are the user's choice.
    wanted = {"decoder", "resize", *([] if order.canvases else ["padding"])}
    for cause in proof.causes:
        if beyond := wanted.intersection(cause.too_large):
            raise ParityError(
                f"{cause.name} does not reach the network as in MMDetection: {', '.join(sorted(beyond))}; "
                f"{order.out} was not written"
            )
    if proof.share() < MIN_SHARE and not order.canvases:
        raise ParityError(
            f"from the picture files, {proof.share():.1%} of {proof.boxes} boxes agree; expected {MIN_SHARE:.0%}, "
            f"{tolerance}; {order.out} was not written"
        )
    say(f"{proof.share():.1%} of {proof.boxes} boxes are MMDetection's from the same file")
