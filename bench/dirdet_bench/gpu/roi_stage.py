"""Profiles the RoI stage: its time by mode, the waits of the host, the share of NMS, and its slowest kernels."""

import contextlib
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from dirdet.bundle.bundle import Bundle
from dirdet_bench.export.bundle_parts import BundleParts
from dirdet_bench.gpu.timing import median_ms, tensor_float_32, wait
from dirdet_bench.harness.canvases import canvas_batch
from dirdet_export.graph.nms_without_waits import AtOnce
from dirdet_export.graph.padded_nms import ONE_BY_ONE
from dirdet_export.write.known_warnings import expected_warnings

KERNELS = 15


def profile_roi_stage(
    bundle: Bundle, picture: Image.Image, device: torch.device, *, batches: Sequence[int], rounds: int
) -> dict[str, Any]:
    """Returns figures by size of batch."""
    with expected_warnings(), torch.inference_mode():
        parts = BundleParts(bundle, device=device)
        return {str(batch): _of_batch(parts, bundle, picture, device, batch, rounds) for batch in batches}


def _of_batch(
    parts: BundleParts, bundle: Bundle, picture: Image.Image, device: torch.device, batch: int, rounds: int
) -> dict[str, Any]:
    canvases = canvas_batch(picture, bundle.manifest, batch=batch)
    request = parts.move(canvases)
    maps = [each.float() for each in parts.trunk(request)]
    given = [*maps, *(request[name] for name in parts.request)]
    stage = parts.stage
    one_by_one, at_once = partial(stage, *given), partial(stage.at_once, *given)
    found, settled = at_once()
    time_ms = partial(median_ms, device=device, rounds=rounds)
    milliseconds: dict[str, Any] = {}
    for allowed in (False, True):
        mode = "TF32" if allowed else "float32"
        with tensor_float_32(allowed):
            milliseconds[f"one by one, {mode}"] = time_ms(one_by_one)
            milliseconds[f"at once, {mode}"] = time_ms(at_once)
            milliseconds[f"at once, {mode}, CUDA graph"] = _graphed(at_once, device, time_ms)
    with torch.autocast(device.type, torch.float16 if device.type == "cuda" else torch.bfloat16):
        milliseconds["at once, half precision"] = time_ms(at_once)
    return {
        "canvas": list(request["canvas"].shape),
        "candidates": found[-1 if stage.masks is None else -2].tolist(),
        "settled": bool(settled),
        "milliseconds": milliseconds,
        "milliseconds of NMS": _nms(parts, given, time_ms),
        "waits of the host": {name: _waits(run, device) for name, run in _named(one_by_one, at_once).items()},
        "slowest kernels": _kernels(at_once, device),
    }


def _named(one_by_one: Callable[[], object], at_once: Callable[[], object]) -> dict[str, Callable[[], object]]:
    return {"one by one": one_by_one, "at once": at_once}


def _graphed(run: Callable[[], object], device: torch.device, time_ms: Callable[..., float]) -> float | str:
    """Milliseconds of a replay of the recorded run, or why it cannot be recorded."""
    if device.type != "cuda":
        return "only on CUDA"
    try:
        side = torch.cuda.Stream(device)
        with torch.cuda.stream(side):
            run()
        torch.cuda.current_stream(device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
        return time_ms(graph.replay)
    except RuntimeError as exc:
        return f"cannot be recorded: {str(exc).splitlines()[0]}"


class _Recorder(AtOnce):
    """Keeps the arguments of each suppression."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[tuple[Tensor, ...], dict[str, Any]]] = []

    def suppress(self, *tensors: Any, **sizes: Any) -> Tensor:  # noqa: ANN401 - as of AtOnce
        self.calls.append((tensors, sizes))
        return super().suppress(*tensors, **sizes)


def _nms(parts: BundleParts, given: list[Tensor], time_ms: Callable[..., float]) -> dict[str, float]:
    """Milliseconds of all suppressions alone, on what the stage gave to them."""
    recorder = _Recorder()
    parts.stage.run(tuple(given), recorder)

    def replay(steps: Callable[[], Any]) -> None:
        made = steps()
        for tensors, sizes in recorder.calls:
            made.suppress(*tensors, **sizes)

    return {
        "one by one": time_ms(lambda: replay(lambda: ONE_BY_ONE)),
        "at once": time_ms(lambda: replay(AtOnce)),
    }


def _waits(run: Callable[[], object], device: torch.device) -> int | str:
    """How often the host waits in a run, by torch's warnings of synchronization."""
    if device.type != "cuda":
        return "only on CUDA"
    run()
    wait(device)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        with contextlib.ExitStack() as stack:
            stack.callback(torch.cuda.set_sync_debug_mode, "default")
            run()
    return sum("synchronizing" in str(each.message) for each in told)


def _kernels(run: Callable[[], object], device: torch.device) -> list[dict[str, Any]]:
    activities = [torch.profiler.ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profile:
        run()
        wait(device)
    time_us = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    events = sorted(profile.key_averages(), key=lambda event: getattr(event, time_us), reverse=True)
    return [
        {"name": event.key[:120], "calls": event.count, "ms": round(getattr(event, time_us) / 1000, 4)}
        for event in events[:KERNELS]
    ]
