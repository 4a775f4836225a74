"""The configurations of a detector's four models; valid from Triton 2.51 (24.10) on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from dirdet.bundle import CanvasSize, Manifest
from dirdet.detector import MAX_BATCH
from dirdet.errors import ParameterError
from dirdet.triton.accelerators import tensorrt
from dirdet.triton.layout import NETWORK, ModelNames, network_digest
from dirdet.triton.pbtxt import Message, Word
from dirdet.triton.tensors import ANY, Tensor, detector_tensors
from dirdet.triton.trunk import TrunkOutputs

OnnxRuntimeIn = Literal["backend", "python"]
Accelerator = Literal["cuda", "tensorrt"]
TrunkFormat = Literal["onnx", "torchscript"]

# Waiting a moment for company costs little beside an inference.
MAX_QUEUE_DELAY_US = 1000
# Triton lets a request shorten this, never lengthen it, and 0, no limit, cannot be shortened.
QUEUE_TIMEOUT_US = 60_000_000
# Of cuDNN, by ONNX Runtime's number: an exhaustive search, the default, would be repeated for every size of batch. It
# stands among the model's parameters: where there are any, the backend passes over what an accelerator "cuda" says.
HEURISTIC_SEARCH = "1"


@dataclass(frozen=True, slots=True)
class RepositoryOptions:
    """What a repository is made for.

    Attributes:
        onnxruntime: runs the ONNX files as Triton's own backend, or as a Python package inside the Python backend.
        trunk: of which kind its file is; with torchscript no ONNX file is served.
        instances: of every model, on each GPU or on the CPU.
        max_batch: canvases of one inference; at least `MAX_BATCH`, which the gateway sends at once.
        accelerator: runs the trunk where there is a GPU; tensorrt wants one.
        fp16: TensorRT may compute in half precision.
        engine_cache: an existing folder in Triton's file system for the engines that TensorRT builds.
    """

    onnxruntime: OnnxRuntimeIn = "backend"
    trunk: TrunkFormat = "onnx"
    instances: int = 1
    max_batch: int = MAX_BATCH
    accelerator: Accelerator = "cuda"
    fp16: bool = False
    engine_cache: PurePosixPath | None = None

    def __post_init__(self) -> None:
        """Refuses options that would have no effect.

        Raises:
            ParameterError: names the option.
        """
        if self.accelerator == "tensorrt" and self.onnxruntime == "python":
            raise ParameterError("accelerator", "tensorrt is for --onnxruntime backend; found --onnxruntime python")
        if self.accelerator == "tensorrt" and self.trunk == "torchscript":
            raise ParameterError("accelerator", "tensorrt is for --trunk onnx; found --trunk torchscript")
        if self.accelerator != "tensorrt" and self.fp16:
            raise ParameterError("fp16", f"is for --accelerator tensorrt; found {self.accelerator}")
        if self.accelerator != "tensorrt" and self.engine_cache is not None:
            raise ParameterError("engine_cache", f"is for --accelerator tensorrt; found {self.accelerator}")
        if self.engine_cache is not None and not self.engine_cache.is_absolute():
            raise ParameterError("engine_cache", f"expected an absolute path, got '{self.engine_cache}'")


def trunk_config(manifest: Manifest, outputs: TrunkOutputs, options: RepositoryOptions) -> Message:
    """Of NAME_trunk: canvas and picture_hw to the pyramid.

    Raises:
        BundleError: the manifest's tensors cannot be understood.
    """
    inputs = detector_tensors(manifest)[0][:2]
    scripted = options.trunk == "torchscript"
    return {
        **_head(ModelNames(manifest.name).trunk, options.max_batch),
        **({"backend": "python"} if scripted else _onnx_backend(options)),
        **_tensors(inputs, outputs.tensors),
        **_scheduling(options),
        **_accelerated(manifest, inputs, options),
        "parameters": [*(_script_parameters() if scripted else _onnx_parameters(options)), _network(manifest)],
        "model_warmup": [_warm_up(size, _on_canvas(inputs, size)) for size in manifest.canvases],
    }


def roi_stage_config(manifest: Manifest, trunk: TrunkOutputs, options: RepositoryOptions) -> Message:
    """Of NAME_roi_stage: the pyramid and what a request says to detections, on the device where the pyramid is.

    Raises:
        BundleError: the manifest's tensors cannot be understood.
    """
    inputs, outputs = detector_tensors(manifest)
    request = inputs[1:]
    warm = {
        size: [*zip(trunk.tensors, dims, strict=True), *((each, each.dims) for each in request)]
        for size, dims in trunk.dims_on.items()
    }
    return {
        **_head(ModelNames(manifest.name).roi_stage, options.max_batch),
        "backend": "python",
        **_tensors([*trunk.tensors, *request], outputs),
        **_scheduling(options),
        "parameters": [*_script_parameters(), _network(manifest)],
        "model_warmup": [_warm_up(size, tensors) for size, tensors in warm.items()],
    }


def detector_config(manifest: Manifest, trunk: TrunkOutputs, options: RepositoryOptions) -> Message:
    """Of NAME_detector, the ensemble of the two.

    Raises:
        BundleError: the manifest's tensors cannot be understood.
    """
    inputs, outputs = detector_tensors(manifest)
    names = ModelNames(manifest.name)
    maps = [each.name for each in trunk.tensors]
    seen, request = [each.name for each in inputs[:2]], [each.name for each in inputs[1:]]
    return {
        **_head(names.detector, options.max_batch),
        "platform": "ensemble",
        **_tensors(inputs, outputs),
        "ensemble_scheduling": {
            "step": [
                _step(names.trunk, seen, maps),
                _step(names.roi_stage, [*maps, *request], [each.name for each in outputs]),
            ]
        },
        "parameters": [_network(manifest)],
    }


def detector_onnx_config(manifest: Manifest, options: RepositoryOptions) -> Message:
    """Of NAME_detector_onnx, end to end in one model.

    The graph's nms_iou_threshold is one number, without a batch. The Python backend sorts a batch's rows by it; the
    ONNX Runtime backend cannot, so that there Triton does not join requests and each brings its own batch.

    Raises:
        BundleError: the manifest's tensors cannot be understood.
    """
    batching = options.onnxruntime == "python"
    inputs, outputs = detector_tensors(manifest, batching=batching)
    return {
        **_head(ModelNames(manifest.name).detector_onnx, options.max_batch if batching else 0),
        **_onnx_backend(options),
        **_tensors(inputs, outputs),
        **(_scheduling(options) if batching else _instances(options)),
        "parameters": [*_onnx_parameters(options), _network(manifest)],
        "model_warmup": [_warm_up(size, _on_canvas(inputs, size)) for size in manifest.canvases],
    }


def _head(name: str, max_batch: int) -> Message:
    return {"name": name, "max_batch_size": max_batch}


def _onnx_backend(options: RepositoryOptions) -> Message:
    return {"backend": "onnxruntime" if options.onnxruntime == "backend" else "python"}


def _accelerated(manifest: Manifest, inputs: Sequence[Tensor], options: RepositoryOptions) -> Message:
    """What TensorRT is told, and that it needs a GPU: on the CPU Triton would pass over it without a word."""
    if options.accelerator != "tensorrt":
        return {}
    return {
        **tensorrt(
            inputs,
            manifest.canvases,
            max_batch=options.max_batch,
            fp16=options.fp16,
            engine_cache=options.engine_cache,
            network=f"{manifest.name}-{network_digest(manifest)[:16]}",
        ),
        "instance_group": [{"kind": Word("KIND_GPU"), "count": options.instances}],
    }


def _onnx_parameters(options: RepositoryOptions) -> list[Message]:
    return [_parameter("cudnn_conv_algo_search", HEURISTIC_SEARCH)] if options.onnxruntime == "backend" else []


def _script_parameters() -> list[Message]:
    """Of a TorchScript file in the Python backend: it takes tensors where they are."""
    return [_parameter("FORCE_CPU_ONLY_INPUT_TENSORS", "no")]


def _tensors(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Message:
    return {"input": [each.to_message() for each in inputs], "output": [each.to_message() for each in outputs]}


def _instances(options: RepositoryOptions) -> Message:
    # On every GPU where there is one, else on the CPU.
    return {"instance_group": [{"kind": Word("KIND_AUTO"), "count": options.instances}]}


def _scheduling(options: RepositoryOptions) -> Message:
    """Joins requests whose tensors have the same shapes, so canvases of one size, and drops what waited too long."""
    return {
        **_instances(options),
        "dynamic_batching": {
            "max_queue_delay_microseconds": MAX_QUEUE_DELAY_US,
            "default_queue_policy": {
                "timeout_action": Word("REJECT"),
                "default_timeout_microseconds": QUEUE_TIMEOUT_US,
                "allow_timeout_override": True,
            },
        },
    }


def _parameter(key: str, value: str) -> Message:
    return {"key": key, "value": {"string_value": value}}


def _network(manifest: Manifest) -> Message:
    return _parameter(NETWORK, network_digest(manifest))


def _step(model: str, inputs: Sequence[str], outputs: Sequence[str]) -> Message:
    """A step of the ensemble; its tensors have one name inside and outside."""
    return {
        "model_name": model,
        "model_version": -1,
        "input_map": [{"key": name, "value": name} for name in inputs],
        "output_map": [{"key": name, "value": name} for name in outputs],
    }


def _on_canvas(inputs: Sequence[Tensor], size: CanvasSize) -> list[tuple[Tensor, tuple[int, ...]]]:
    """The inputs with their dimensions for one canvas of this size."""
    sides = {"canvas": (size.height, size.width, 3)}
    whole = [(*each.dims[: -len(last)], *last) for each in inputs for last in [sides.get(each.name, each.dims[-1:])]]
    return [
        (each, tuple(1 if side == ANY else side for side in dims)) for each, dims in zip(inputs, whole, strict=True)
    ]


def _warm_up(size: CanvasSize, tensors: Sequence[tuple[Tensor, tuple[int, ...]]]) -> Message:
    """One inference of zeros before the model takes requests."""
    return {
        "name": f"{size.height}x{size.width}",
        "batch_size": 1,
        "inputs": [
            {"key": each.name, "value": {"data_type": Word(each.dtype), "dims": list(dims), "zero_data": True}}
            for each, dims in tensors
        ],
    }
