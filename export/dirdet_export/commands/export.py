"""Exports a checkpoint as a bundle and checks that both give the same detections."""

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import click

from dirdet.bundle.bundle import MOST_MANIFEST_BYTES, CanvasSize
from dirdet.bundle.interpolation import Decode
from dirdet.errors import ParameterError
from dirdet.files import read_regular
from dirdet_training.commands._options import ema

if TYPE_CHECKING:
    from dirdet_export.write.files import WeightsType


def _canvases(texts: tuple[str, ...]) -> list[CanvasSize]:
    from dirdet_export.dissect.canvases import parse_canvas

    try:
        return [parse_canvas(text) for text in texts]
    except ValueError as exc:
        raise ParameterError("--canvas", str(exc)) from exc


def _quality(path: Path | None) -> dict[str, float]:
    """Reads figures by name from a JSON object of numbers."""
    if path is None:
        return {}
    try:
        content = json.loads(read_regular(path, most_bytes=MOST_MANIFEST_BYTES))
    except (OSError, ValueError, RecursionError) as exc:
        raise ParameterError("--quality", f"{path} cannot be read as JSON: {exc}") from exc
    if not isinstance(content, dict):
        raise ParameterError("--quality", f"{path}: expected an object of numbers, got {type(content).__name__}")
    figures: dict[str, float] = {}
    for name, value in content.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ParameterError("--quality", f"{path}: expected a finite number for {name!r}, got {value!r}")
        figures[str(name)] = float(value)
    return figures


def _name(given: str | None, out: Path) -> str:
    """The detector's name: the given one, else one made from the folder's name."""
    if given is None:
        return re.sub(r"[^a-z0-9_-]+", "-", out.resolve().name.lower()).strip("-_") or "detector"
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", given):
        raise ParameterError("--name", f"expected a-z, 0-9, - and _, first a letter or digit; got {given!r}")
    return given


@click.command("export", short_help="Export a checkpoint as a bundle.")
@click.argument("config")
@click.argument("checkpoint", required=False, type=click.Path(path_type=Path))
@click.option(
    "--download", is_flag=True, help="Download the weights of CONFIG, mmdet::FOLDER/NAME, in place of CHECKPOINT."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the bundle; a new one.")
@click.option("--name", help="Name of the detector; default: the folder's name.")
@click.option(
    "--pictures", multiple=True, type=click.Path(path_type=Path),
    help="File or folder of pictures for the parity check, ten are enough; repeatable. Default: drawn pictures.",
)  # fmt: skip
@click.option(
    "--weights", type=click.Choice(["float32", "float16"]), default="float32", show_default=True,
    help="Data type of stored weights; float16 rounds them, and computation stays in float32.",
)  # fmt: skip
@click.option(
    "--for", "purpose", type=click.Choice(["embedded", "triton", "both"]), default="both", show_default=True,
    help="Write the network's files for this engine alone: about half the size.",
)  # fmt: skip
@click.option(
    "--fp16-trunk", is_flag=True, help="Also write a trunk that computes in float16, for dirdet triton --fp16."
)
@click.option("--canvas", "canvas", multiple=True, metavar="HxW", help="Canvas instead of the config's; repeatable.")
@click.option(
    "--categories", type=click.Path(path_type=Path),
    help="COCO JSON with the classes' numbers, or text with one name to a line [the checkpoint's and the config's].",
)  # fmt: skip
@ema
@click.option(
    "--trust-checkpoint", is_flag=True, help="Read a checkpoint with pickled objects, which can run any code."
)
@click.option("--quality", type=click.Path(path_type=Path), help="JSON file of measured figures by name.")
@click.option("--limitations", default="", help="What the detector cannot do, for the bundle.")
@click.option(
    "--decode", type=click.Choice(get_args(Decode)), default="exact", show_default=True,
    help="How JPEGs are decoded for requests that do not say it; measure scaled on your pictures first.",
)  # fmt: skip
@click.option(
    "--triton",
    type=click.Path(path_type=Path),
    help="Also write it into this model repository, as `dirdet triton` does.",
)
@click.option("--force", is_flag=True, help="Replace an existing bundle, and its models in the repository.")
def command(
    *,
    config: str,
    checkpoint: Path | None,
    download: bool,
    out: Path,
    name: str | None,
    pictures: tuple[Path, ...],
    weights: Literal["float32", "float16"],
    purpose: Literal["embedded", "triton", "both"],
    fp16_trunk: bool,
    canvas: tuple[str, ...],
    categories: Path | None,
    averaged: bool,
    trust_checkpoint: bool,
    quality: Path | None,
    limitations: str,
    decode: Decode,
    triton: Path | None,
    force: bool,
) -> None:
    """Exports CHECKPOINT of CONFIG, the path of an MMDetection config or the name of a shipped one.

    At the end, the detections of MMDetection and of the bundle are compared; --out is written only if both agree.
    """
    from dirdet_export.pipeline import Order, export
    from dirdet_training.mm.zoo import checkpoint_of

    stored: WeightsType = weights
    export(
        Order(
            config=config,
            checkpoint=checkpoint_of(config, checkpoint, downloads=download, option="CHECKPOINT"),
            out=out,
            name=_name(name, out),
            pictures=list(pictures),
            weights=stored,
            purpose=purpose,
            fp16_trunk=fp16_trunk,
            canvases=_canvases(canvas),
            categories=categories,
            averaged=averaged,
            trust_checkpoint=trust_checkpoint,
            quality=_quality(quality),
            limitations=limitations,
            decode=decode,
            repository=triton,
            force=force,
        ),
        say=click.echo,
    )
