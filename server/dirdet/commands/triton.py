"""Write a bundle as a model repository for NVIDIA Triton."""

from pathlib import Path, PurePosixPath

import click

from dirdet.detector import MAX_BATCH
from dirdet.shipped import open_bundle
from dirdet.triton.config import Accelerator, OnnxRuntimeIn, RepositoryOptions, TrunkFormat
from dirdet.triton.repository import write_repository


@click.command()
@click.argument("folder", metavar="[BUNDLE]", type=click.Path(path_type=Path), required=False)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path),
    help="Folder of the model repository; other detectors' models in it stay.",
)  # fmt: skip
@click.option(
    "--onnxruntime", type=click.Choice(["backend", "python"]), default="backend", show_default=True,
    help="backend: Triton's ONNX Runtime backend; python: the package onnxruntime in Triton's Python backend.",
)  # fmt: skip
@click.option(
    "--trunk", type=click.Choice(["onnx", "torchscript"]), default="onnx", show_default=True,
    help="torchscript: PyTorch runs the trunk too, where Triton's ONNX Runtime lacks deformable convolutions.",
)  # fmt: skip
@click.option(
    "--instances", type=click.IntRange(min=1), default=1, show_default=True,
    help="Instances of each model on every GPU, or on the CPU.",
)  # fmt: skip
@click.option(
    "--max-batch", type=click.IntRange(min=MAX_BATCH), default=MAX_BATCH, show_default=True,
    help="Canvases of one inference, over several requests.",
)  # fmt: skip
@click.option(
    "--accelerator", type=click.Choice(["cuda", "tensorrt"]), default="cuda", show_default=True,
    help="What runs the trunk on a GPU: ONNX Runtime's own kernels, or TensorRT, which first builds an engine.",
)  # fmt: skip
@click.option("--fp16", is_flag=True, help="Let TensorRT compute in half precision.")
@click.option(
    "--engine-cache", type=PurePosixPath, metavar="FOLDER",
    help="Existing folder on Triton's machine where TensorRT keeps its engines; else each start builds them.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace this detector's models.")
def command(
    *,
    folder: Path | None,
    out: Path,
    onnxruntime: OnnxRuntimeIn,
    trunk: TrunkFormat,
    instances: int,
    max_batch: int,
    accelerator: Accelerator,
    fp16: bool,
    engine_cache: PurePosixPath | None,
    force: bool,
) -> None:
    """Write BUNDLE, by default the one that comes with the package, as models for NVIDIA Triton.

    NAME_detector is the ensemble of NAME_trunk (ONNX Runtime) and NAME_roi_stage (PyTorch in the Python backend, on the
    GPU); NAME_detector_onnx is the same network in one piece, without PyTorch. `dirdet serve --triton` takes either.
    With --trunk torchscript there is no NAME_detector_onnx, and Triton needs no ONNX Runtime at all.
    """
    options = RepositoryOptions(
        onnxruntime=onnxruntime,
        trunk=trunk,
        instances=instances,
        max_batch=max_batch,
        accelerator=accelerator,
        fp16=fp16,
        engine_cache=engine_cache,
    )
    names = write_repository(open_bundle(folder), out, options=options, force=force)
    click.echo(f"wrote {', '.join(names)} to {out}")
