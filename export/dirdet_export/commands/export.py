"""Exports a checkpoint as a bundle and proves that it detects the same."""

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from dirdet.bundle import CanvasSize
from dirdet.errors import ParameterError

if TYPE_CHECKING:
    from dirdet_export.files import WeightsType


def _canvases(texts: tuple[str, ...]) -> list[CanvasSize]:
    from dirdet_export.settings import parse_canvas

    try:
        return [parse_canvas(text) for text in texts]
    except ValueError as exc:
        raise ParameterError("--canvas", str(exc)) from exc


def _quality(path: Path | None) -> dict[str, float]:
    """Figures by name from a JSON object of numbers."""
    if path is None:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
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
    """The detector's name: what is said, else made of the folder's."""
    if given is None:
        return re.sub(r"[^a-z0-9_-]+", "-", out.resolve().name.lower()).strip("-_") or "detector"
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", given):
        raise ParameterError("--name", f"expected a-z, 0-9, - and _, first a letter or digit; got {given!r}")
    return given


@click.command("export", short_help="Export a checkpoint as a bundle.")
@click.argument("config")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the bundle; a new one.")
@click.option("--name", help="Name of the detector; by default that of the folder.")
@click.option(
    "--pictures", multiple=True, type=click.Path(path_type=Path),
    help="File or folder of pictures that parity is shown on; repeatable. Without it some are drawn.",
)  # fmt: skip
@click.option(
    "--weights", type=click.Choice(["float32", "float16"]), default="float32", show_default=True,
    help="How weights are stored; float16 rounds them, computation stays in float32.",
)  # fmt: skip
@click.option("--canvas", "canvas", multiple=True, metavar="HxW", help="Canvas in place of the config's; repeatable.")
@click.option("--trust-checkpoint", is_flag=True, help="Read a checkpoint that holds pickles: they can run any code.")
@click.option("--quality", type=click.Path(path_type=Path), help="JSON file of measured figures by name.")
@click.option("--limitations", default="", help="What the detector cannot do, for the bundle.")
@click.option(
    "--triton",
    type=click.Path(path_type=Path),
    help="Also write it into this model repository, as `dirdet triton` does.",
)
@click.option("--force", is_flag=True, help="Replace an existing bundle, and its models in the repository.")
def command(
    *,
    config: str,
    checkpoint: Path,
    out: Path,
    name: str | None,
    pictures: tuple[Path, ...],
    weights: Literal["float32", "float16"],
    canvas: tuple[str, ...],
    trust_checkpoint: bool,
    quality: Path | None,
    limitations: str,
    triton: Path | None,
    force: bool,
) -> None:
    """Exports CHECKPOINT of CONFIG, an MMDetection config's path or the name of one that dirdet ships.

    Ends by detecting with MMDetection and with the bundle and comparing; the bundle is put in its place only if both
    agree.
    """
    from dirdet_export.pipeline import Order, export

    stored: WeightsType = weights
    export(
        Order(
            config=config,
            checkpoint=checkpoint,
            out=out,
            name=_name(name, out),
            pictures=list(pictures),
            weights=stored,
            canvases=_canvases(canvas),
            trust_checkpoint=trust_checkpoint,
            quality=_quality(quality),
            limitations=limitations,
            repository=triton,
            force=force,
        ),
        say=click.echo,
    )
