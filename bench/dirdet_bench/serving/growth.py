"""How pictures a second grow or fall with canvas, batch, threads, proposals, callers and the gateway's options."""

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import click

from dirdet.bundle.shipped import open_bundle
from dirdet.extras import import_extra
from dirdet_bench.harness.canvases import open_picture
from dirdet_bench.harness.measurement import Result, detector_option, measurement
from dirdet_bench.serving.curves import NEAR, Curve, plot
from dirdet_bench.serving.engine_curves import batch_curve, canvas_curve, thread_curve
from dirdet_bench.serving.gateway_curves import caller_curve, option_curve, options

ENGINE = ("canvas", "batch", "threads", "proposals")
GATEWAY = ("callers", "decoders", "inferences", "max-batch", "delay")
RULE = f"the smallest value within {NEAR:.0%} of the best; of proposals the largest; of canvases by pixels a second"


@measurement("growth", packages=("numpy", "onnxruntime", "pillow", "uvicorn"), rounds=5, plot=plot)
@click.argument("picture", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@detector_option
@click.option(
    "--curve", "names", type=click.Choice([*ENGINE, *GATEWAY]), multiple=True, default=(*ENGINE, *GATEWAY),
    show_default="all", help="Repeatable; proposals needs the extra export.",
)  # fmt: skip
@click.option("--pictures", type=click.IntRange(min=1), default=16, show_default=True, help="Of an engine's turn.")
@click.option("--seconds", type=click.FloatRange(min=0.1), default=2.0, show_default=True, help="Of a gateway's turn.")
def command(
    *, picture: Path, folder: Path | None, names: Sequence[str], rounds: int, pictures: int, seconds: float
) -> Result:
    """Measure pictures a second, all of them PICTURE, against numbers that can grow, and find each curve's knee.

    The values of a curve take turns. The engine runs in this process; the gateway is `dirdet serve` in a process of its
    own, asked for POST /detect. An answer with another number of detections than the first is not counted. The knee is
    the smallest value whose rate is within 5% of the best one's; a default's rate has to be.
    """
    bundle, curves = open_bundle(folder), list[Curve]()
    pixels, file = open_picture(picture), BytesIO()
    pixels.save(file, "JPEG", quality=95)
    serve = () if folder is None else ("--detector", str(folder))
    for name in names:
        if name in ENGINE:
            curves.append(_engine_curve(name)(bundle, pixels, rounds, pictures=pictures))
        elif name == "callers":
            curves.append(caller_curve(file.getvalue(), rounds, seconds=seconds, serve=serve))
        else:
            curves.append(option_curve(options()[name], file.getvalue(), rounds, seconds=seconds, serve=serve))
    facts = {
        "picture": f"{pixels.width} x {pixels.height}",
        "knee": RULE,
        "curves": {curve.title: curve.content() for curve in curves},
    }
    rows = [row for curve in curves for row in curve.rows()]
    return Result(f"Pictures a second of {bundle.manifest.name}", rows, facts)


def _engine_curve(name: str) -> Callable[..., Curve]:
    """The function that measures a curve of `ENGINE`; raises MissingExtraError for proposals without onnx."""
    if name == "proposals":
        import_extra("onnx", needs="changing the number of proposals needs", extra="export")
        from dirdet_bench.export.proposals import proposal_curve

        return proposal_curve
    return {"canvas": canvas_curve, "batch": batch_curve, "threads": thread_curve}[name]
