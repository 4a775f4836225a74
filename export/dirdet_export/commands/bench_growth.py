"""How pictures a second grow or fall with canvas, batch, threads, proposals, callers and the gateway's options."""

from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from pathlib import Path

import click
from PIL import Image

from dirdet.bench.growth.curves import NEAR, Curve
from dirdet.bench.growth.engine import batch_curve, canvas_curve, thread_curve
from dirdet.bench.growth.gateway import caller_curve, option_curve, options
from dirdet.bench.growth.plot import plot as draw
from dirdet.bench.machine import machine
from dirdet.bench.report import Report
from dirdet.bench.telling import command_line, shown, tell
from dirdet.bundle import Bundle
from dirdet.extras import import_extra
from dirdet.pictures import read_picture
from dirdet.shipped import open_bundle

WARM_UP = 1
PACKAGES = ("dirdet", "numpy", "onnxruntime", "pillow", "uvicorn")
ENGINE, GATEWAY = (
    ("canvas", "batch", "threads", "proposals"),
    ("callers", "decoders", "inferences", "max-batch", "delay"),
)
RULE = f"the smallest value within {NEAR:.0%} of the best; of proposals the largest; of canvases by pixels a second"


@click.command("growth")
@click.argument("picture", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--detector", "folder", type=click.Path(path_type=Path), help="Folder of a bundle [the shipped one].")
@click.option(
    "--curve", "names", type=click.Choice([*ENGINE, *GATEWAY]), multiple=True, default=(*ENGINE, *GATEWAY),
    show_default="all", help="Repeatable; proposals needs the extra export.",
)  # fmt: skip
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Counted ones.")
@click.option(
    "--pictures", type=click.IntRange(min=1), default=16, show_default=True, help="That an engine detects on in a turn."
)
@click.option(
    "--seconds", type=click.FloatRange(min=0.1), default=2.0, show_default=True, help="Of load on a gateway in a turn."
)
@click.option("--json", "out", type=click.Path(path_type=Path), help="Also write all figures to this file.")
@click.option("--plot", type=click.Path(path_type=Path), help="Also draw the curves into this SVG or PNG.")
def command(
    *,
    picture: Path,
    folder: Path | None,
    names: Sequence[str],
    rounds: int,
    pictures: int,
    seconds: float,
    out: Path | None,
    plot: Path | None,
) -> None:
    """Measure pictures a second, all of them PICTURE, against what can be larger, and name each curve's knee.

    The values of a curve take turns. The engine runs in this process; the gateway is `dirdet serve` in a process of
    its own, which callers in this one ask for POST /detect. Only right answers count: of a picture there have to be as
    many detections as the first time. The knee is the smallest value whose rate is within 5% of the best one's. Goal:
    what a default loses against the best value is within that too.
    """
    bundle, curves = open_bundle(folder), dict[str, Curve]()
    with picture.open("rb") as file:
        pixels = read_picture(file)
    body = _jpeg(pixels)
    told = () if folder is None else ("--detector", str(folder))
    for name in names:
        turns = shown(rounds + WARM_UP, name)
        if name in ENGINE:
            curves[name] = _engine_curve(name)(bundle, pixels, turns, pictures=pictures)
        elif name == "callers":
            curves[name] = caller_curve(body, turns, seconds=seconds, told=told)
        else:
            curves[name] = option_curve(options()[name], body, turns, seconds=seconds, told=told)
        if out is not None:  # what is there is kept if the rest fails
            _report(bundle, pixels, curves.values()).write(out)
    report = _report(bundle, pixels, curves.values())
    tell(report, out)
    if plot is not None:
        draw(report.content(), plot)


def _report(bundle: Bundle, picture: Image.Image, curves: Iterable[Curve]) -> Report:
    told = list(curves)
    facts = {
        "picture": f"{picture.width} x {picture.height}",
        "knee": RULE,
        "curves": {curve.title: curve.content() for curve in told},
    }
    rows = [row for curve in told for row in curve.rows()]
    return Report(f"Pictures a second of {bundle.manifest.name}", command_line(), machine(PACKAGES), rows, facts)


def _engine_curve(name: str) -> Callable[..., Curve]:
    """What measures it.

    Raises:
        MissingExtraError: proposals, without onnx.
    """
    if name == "proposals":
        import_extra("onnx", needs="changing the number of proposals needs", extra="export")
        from dirdet_export.bench.proposals import proposal_curve

        return proposal_curve
    return {"canvas": canvas_curve, "batch": batch_curve, "threads": thread_curve}[name]


def _jpeg(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "JPEG", quality=95)
    return file.getvalue()
