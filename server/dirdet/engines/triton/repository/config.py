"""The configurations of a detector's models, for Triton 2.51 (24.10) or later."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from dirdet.bundle.bundle import Manifest
from dirdet.engines.tensors import MAX_BATCH
from dirdet.engines.triton.model_tensors import Tensor, detector_tensors
from dirdet.engines.triton.models import NETWORK, ModelNames, network_digest
from dirdet.engines.triton.repository.accelerators import tensorrt
from dirdet.engines.triton.repository.memory_pool import POOL, pool_bytes
from dirdet.engines.triton.repository.pbtxt import Message, Word
from dirdet.engines.triton.repository.trunk import TrunkOutputs
from dirdet.engines.triton.repository.warm_up import warm_up
from dirdet.errors import ParameterError

OnnxRuntimeIn = Literal["backend", "python"]
Accelerator = Literal["cuda", "tensorrt"]
DetectorAs = Literal["ensemble", "process"]

# The delay for batching is short compared with an inference.
MAX_QUEUE_DELAY_US = 1000
# A request can shorten this timeout but not extend it; 0 means no limit and cannot be shortened.
QUEUE_TIMEOUT_US = 60_000_000
# cuDNN's search, by ONNX Runtime's number: the default, an exhaustive search, would be repeated for every batch size.
# It is one of the model's parameters: if there are any, the backend ignores the options of an accelerator "cuda".
HEURISTIC_SEARCH = "1"

# The Python backend passes tensors without moving them to another device.
WHERE_THEY_ARE = ("FORCE_CPU_ONLY_INPUT_TENSORS", "no")


@dataclass(frozen=True, slots=True)
class RepositoryOptions:
    """Options of a repository.

    Attributes:
        onnxruntime: run the ONNX files by Triton's own backend, or by the Python package inside the Python backend.
        instances: number per model, on each GPU or on the CPU.
        max_batch: canvases of one inference; at least `MAX_BATCH`, the gateway's batch size.
        detector_as: NAME_detector is an ensemble of trunk and RoI stage, or one model in the Python backend that runs
            both, the trunk by the Python package of ONNX Runtime.
        accelerator: runs the trunk if there is a GPU; tensorrt requires one.
        fp16: serve the trunk that computes in float16.
        engine_cache: an existing folder in Triton's file system for the engines that TensorRT builds.
    """

    onnxruntime: OnnxRuntimeIn = "backend"
    instances: int = 1
    max_batch: int = MAX_BATCH
    detector_as: DetectorAs = "ensemble"
    accelerator: Accelerator = "cuda"
    fp16: bool = False
    engine_cache: PurePosixPath | None = None

    def __post_init__(self) -> None:
        """Checks that every option has an effect.

        Raises:
            ParameterError: an option has no effect or a wrong value; names it.
        """
        if self.accelerator == "tensorrt" and self.onnxruntime == "python":
            raise ParameterError("accelerator", "tensorrt is for --onnxruntime backend; found --onnxruntime python")
        if self.accelerator == "tensorrt" and self.detector_as == "process":
            raise ParameterError("accelerator", "tensorrt is for --detector-as ensemble; found --detector-as process")
        if self.accelerator != "tensorrt" and self.engine_cache is not None:
            raise ParameterError("engine_cache", f"is for --accelerator tensorrt; found {self.accelerator}")
        if self.engine_cache is not None and not self.engine_cache.is_absolute():
            raise ParameterError("engine_cache", f"expected an absolute path, got '{self.engine_cache}'")


def trunk_config(manifest: Manifest, outputs: TrunkOutputs, options: RepositoryOptions) -> Message:
    """Configuration of NAME_trunk: canvas and picture_hw to the pyramid.

    Raises:
        BundleError: the manifest's tensors are missing or have an unknown data type.
    """
    inputs = detector_tensors(manifest)[0][:2]
    return {
        **_head(ModelNames(manifest.name).trunk, options.max_batch),
        **_onnx_backend(options),
        **_tensors(inputs, outputs.tensors),
        **_scheduling(options),
        **_accelerated(manifest, inputs, options),
        "parameters": [*_onnx_parameters(options), _network(manifest)],
        "model_warmup": warm_up(inputs, manifest.canvases, max_batch=options.max_batch),
    }


def roi_stage_config(manifest: Manifest, trunk: TrunkOutputs, options: RepositoryOptions) -> Message:
    """Configuration of NAME_roi_stage: pyramid and request parameters to detections, on the pyramid's device.

    Raises:
        BundleError: the manifest's tensors are missing or have an unknown data type.
    """
    inputs, outputs = detector_tensors(manifest)
    request = inputs[1:]
    return {
        **_head(ModelNames(manifest.name).roi_stage, options.max_batch),
        "backend": "python",
        **_tensors([*trunk.tensors, *request], outputs),
        **_scheduling(options),
        "parameters": [_parameter(*WHERE_THEY_ARE), _network(manifest)],
        "model_warmup": warm_up(
            [*trunk.tensors, *request], manifest.canvases, max_batch=options.max_batch, dims_on=trunk.dims_on
        ),
    }


def detector_config(manifest: Manifest, trunk: TrunkOutputs, options: RepositoryOptions) -> Message:
    """Configuration of NAME_detector, the ensemble of trunk and RoI stage, and the memory of the tensors between them.

    Raises:
        BundleError: the manifest's tensors are missing or have an unknown data type.
    """
    inputs, outputs = detector_tensors(manifest)
    names = ModelNames(manifest.name)
    maps = [each.name for each in trunk.tensors]
    pool = pool_bytes(trunk, max_batch=options.max_batch, instances=options.instances)
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
        "parameters": [_network(manifest), _parameter(POOL, str(pool))],
    }


def detector_in_process_config(manifest: Manifest, options: RepositoryOptions) -> Message:
    """Configuration of NAME_detector, trunk and RoI stage in one process, which keeps the tensors between them.

    Raises:
        BundleError: the manifest's tensors are missing or have an unknown data type.
    """
    inputs, outputs = detector_tensors(manifest)
    return {
        **_head(ModelNames(manifest.name).detector, options.max_batch),
        "backend": "python",
        **_tensors(inputs, outputs),
        **_scheduling(options),
        "parameters": [_parameter(*WHERE_THEY_ARE), _network(manifest)],
        "model_warmup": warm_up(inputs, manifest.canvases, max_batch=options.max_batch),
    }


def detector_onnx_config(manifest: Manifest, options: RepositoryOptions) -> Message:
    """Configuration of NAME_detector_onnx, the whole detector in one model.

    The graph's nms_iou_threshold is a scalar without a batch dimension. The Python backend groups a batch's rows by it.
    The ONNX Runtime backend cannot, so that Triton does not join requests there and each request is its own batch.

    Raises:
        BundleError: the manifest's tensors are missing or have an unknown data type.
    """
    batching = options.onnxruntime == "python"
    inputs, outputs = detector_tensors(manifest, batching=batching)
    return {
        **_head(ModelNames(manifest.name).detector_onnx, options.max_batch if batching else 0),
        **_onnx_backend(options),
        **_tensors(inputs, outputs),
        **(_scheduling(options) if batching else _instances(options)),
        "parameters": [*_onnx_parameters(options), _network(manifest)],
        "model_warmup": warm_up(inputs, manifest.canvases, max_batch=options.max_batch if batching else 0),
    }


def _head(name: str, max_batch: int) -> Message:
    return {"name": name, "max_batch_size": max_batch}


def _onnx_backend(options: RepositoryOptions) -> Message:
    return {"backend": "onnxruntime" if options.onnxruntime == "backend" else "python"}


def _accelerated(manifest: Manifest, inputs: Sequence[Tensor], options: RepositoryOptions) -> Message:
    """TensorRT's options and a GPU instance group: on the CPU Triton would ignore the options silently."""
    if options.accelerator != "tensorrt":
        return {}
    return {
        **tensorrt(
            inputs,
            manifest.canvases,
            max_batch=options.max_batch,
            engine_cache=options.engine_cache,
            network=f"{manifest.name}-{network_digest(manifest)[:16]}",
        ),
        "instance_group": [{"kind": Word("KIND_GPU"), "count": options.instances}],
    }


def _onnx_parameters(options: RepositoryOptions) -> list[Message]:
    return [_parameter("cudnn_conv_algo_search", HEURISTIC_SEARCH)] if options.onnxruntime == "backend" else []


def _tensors(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Message:
    return {"input": [each.to_message() for each in inputs], "output": [each.to_message() for each in outputs]}


def _instances(options: RepositoryOptions) -> Message:
    # On every GPU if there is one, else on the CPU.
    return {"instance_group": [{"kind": Word("KIND_AUTO"), "count": options.instances}]}


def _scheduling(options: RepositoryOptions) -> Message:
    """Joins requests whose tensors have the same shapes (one canvas size) and drops requests after their timeout."""
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
    """A step of the ensemble; tensor names are the same inside and outside."""
    return {
        "model_name": model,
        "model_version": -1,
        "input_map": [{"key": name, "value": name} for name in inputs],
        "output_map": [{"key": name, "value": name} for name in outputs],
    }
