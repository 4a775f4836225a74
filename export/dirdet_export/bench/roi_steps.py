"""The RoI stage's time by its steps, told apart by the operators that begin them, in torch and ONNX Runtime."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from dirdet.errors import BundleError
from dirdet_export.bench.sessions import NodeRun

# What marks a step, as either runtime calls it.
ALIGN = frozenset({"RoiAlign", "torchvision::roi_align"})
NMS = frozenset({"NonMaxSuppression", "torchvision::nms"})
LINEAR = frozenset({"Gemm", "FusedGemm", "aten::linear", "aten::addmm"})
STEPS: tuple[str, ...] = (
    "levels side by side, best anchors, boxes",
    "proposal NMS",
    "RoIAlign of proposals",
    "box head",
    "candidates",
    "hindsight RoIAlign",
    "DIR branches",
    "DIR-NMS",
    "confidence and answer",
)
# What a detector without DIR does not do, and what its RoI heads are given.
OF_DIR, OF_PROPOSALS = frozenset({"hindsight RoIAlign", "DIR branches"}), frozenset(STEPS[:2])
Operation = tuple[str, float]


def steps_of(operations: Iterable[Operation]) -> dict[str, float]:
    """Seconds of each of `STEPS`.

    Args:
        operations: operators and their seconds, in the order in which they ran.

    Raises:
        BundleError: it is not the RoI stage of a Faster R-CNN with DIR.
    """
    found = dict.fromkeys(STEPS, 0.0)
    aligned = suppressed = 0
    for name, seconds in operations:
        if name in ALIGN:
            aligned += 1
            step = "RoIAlign of proposals" if aligned == 1 else "hindsight RoIAlign"
        elif name in NMS:
            suppressed += 1
            step = "proposal NMS" if suppressed == 1 else "DIR-NMS"
        elif name in LINEAR:
            step = "box head" if aligned < 2 else "DIR branches"
        elif not suppressed:
            step = STEPS[0]
        else:
            step = "candidates" if aligned < 2 else "confidence and answer"
        found[step] += seconds
    if (aligned, suppressed) != (2, 2):
        raise BundleError(
            "expected the RoI stage of a Faster R-CNN with DIR and one picture: RoIAlign twice and NMS twice; found "
            f"{aligned} and {suppressed}"
        )
    return found


def operations_of_torch(run: Callable[[], object]) -> list[Operation]:
    """Operators that torch's profiler saw, without those that others call."""
    # Without Kineto, which writes lines of its own to standard error.
    profile: Any = torch.autograd.profiler.profile(use_kineto=False)
    with profile:
        run()
    events = sorted(
        (event for event in profile.function_events or [] if _is_outermost(event)),
        key=lambda event: event.time_range.start,
    )
    return [(event.name, event.cpu_time_total / 1e6) for event in events]


def _is_outermost(event: Any) -> bool:  # noqa: ANN401 - torch's has no types
    """It is an operator, which has its library's name before its own, and no other operator called it."""
    if "::" not in event.name:
        return False
    above = event.cpu_parent
    while above is not None:
        if "::" in above.name:
            return False
        above = above.cpu_parent
    return True


def operations_of_onnx(nodes: Iterable[NodeRun]) -> list[Operation]:
    """The same of ONNX Runtime's."""
    return [(node.operator, node.seconds) for node in nodes]


def without_dir(steps: Mapping[str, float]) -> float:
    """Seconds from the proposals on, without what DIR adds."""
    return sum(seconds for step, seconds in steps.items() if step not in OF_DIR | OF_PROPOSALS)
