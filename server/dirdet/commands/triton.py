"""Write a bundle as a model repository for NVIDIA Triton."""

from pathlib import Path, PurePosixPath

import click

from dirdet.bundle.shipped import open_bundle
from dirdet.engines.tensors import MAX_BATCH
from dirdet.engines.triton.repository.config import Accelerator, DetectorAs, OnnxRuntimeIn, RepositoryOptions
from dirdet.engines.triton.repository.writer import write_repository


@click.command()
@click.argument("folder", metavar="[BUNDLE]", type=click.Path(path_type=Path), required=False)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path),
    help="Folder of the model repository; other detectors' models in it are kept.",
)  # fmt: skip
@click.option(
    "--onnxruntime", type=click.Choice(["backend", "python"]), default="backend", show_default=True,
    help="backend: Triton's ONNX Runtime backend; python: the package onnxruntime in Triton's Python backend.",
)  # fmt: skip
@click.option(
    "--instances", type=click.IntRange(min=1), default=1, show_default=True,
    help="Instances of each model on every GPU, or on the CPU.",
)  # fmt: skip
@click.option(
    "--max-batch", type=click.IntRange(min=MAX_BATCH), default=MAX_BATCH, show_default=True,
    help="Most canvases of one inference, from several requests.",
)  # fmt: skip
@click.option(
    "--detector-as", type=click.Choice(["ensemble", "process"]), default="ensemble", show_default=True,
    help="NAME_detector as an ensemble of trunk and RoI stage, or as one process that runs both, the trunk by the "
    "package onnxruntime in Triton's Python backend.",
)  # fmt: skip
@click.option(
    "--accelerator", type=click.Choice(["cuda", "tensorrt"]), default="cuda", show_default=True,
    help="Accelerator of the trunk on a GPU: ONNX Runtime's own kernels, or TensorRT, which first builds an engine.",
)  # fmt: skip
@click.option(
    "--fp16", is_flag=True, help="Serve the trunk that computes in float16; for bundles exported with --fp16-trunk."
)
@click.option(
    "--engine-cache", type=PurePosixPath, metavar="FOLDER",
    help="Existing folder on Triton's machine for TensorRT's engines; without it each start builds them.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace this detector's models.")
def command(
    *,
    folder: Path | None,
    out: Path,
    onnxruntime: OnnxRuntimeIn,
    instances: int,
    max_batch: int,
    detector_as: DetectorAs,
    accelerator: Accelerator,
    fp16: bool,
    engine_cache: PurePosixPath | None,
    force: bool,
) -> None:
    """Write BUNDLE, by default the bundle in the package, as models for NVIDIA Triton.

    NAME_detector is the ensemble of NAME_trunk (ONNX Runtime) and NAME_roi_stage (PyTorch in the Python backend, on the
    GPU); NAME_detector_onnx is the same network in one piece, without PyTorch. `dirdet serve --triton` accepts both.
    """
    options = RepositoryOptions(
        onnxruntime=onnxruntime,
        instances=instances,
        max_batch=max_batch,
        detector_as=detector_as,
        accelerator=accelerator,
        fp16=fp16,
        engine_cache=engine_cache,
    )
    names = write_repository(open_bundle(folder), out, options=options, force=force)
    click.echo(f"wrote {', '.join(names)} to {out}")
