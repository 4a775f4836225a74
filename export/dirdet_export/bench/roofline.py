"""A detector's parts in turns with multiplications of matrices: the rate of each, and its share of what there is."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from dirdet.bench.report import Goal, Row
from dirdet.bench.turns import in_turns
from dirdet.bundle import DETECTOR, Bundle
from dirdet.errors import EngineError
from dirdet.tensors import CanvasBatch
from dirdet_export.bench.cut import cut
from dirdet_export.bench.multiplications import Multiplication
from dirdet_export.bench.operations import Share, shares, total_flops
from dirdet_export.bench.sessions import profile, session_of

WHOLE = "detector.onnx"
GOALS = {"trunk": Goal(at_least=0.8), WHOLE: Goal(at_least=0.7)}
# What a network on an ONNX Runtime session without a plug-in computes in.
PRECISION = "float32"
WARM_UP = 1
# A turn lasts about this long, or one run: what one leaves in the caches and in spinning threads is nothing beside it.
TURN_S = 0.3
PROFILED_RUNS = 6


@dataclass(frozen=True)
class Part:
    """A network with its inputs.

    Attributes:
        name: for tables.
        run: computes it once and gives its outputs.
        outputs: their names.
        flops: of a run, as the shapes of this very input make them.
        where: its time goes, most first.
    """

    name: str
    run: Callable[[], list[np.ndarray]]
    outputs: list[str]
    flops: int
    where: list[Share]

    def count(self, name: str) -> int:
        """The sum of one of its outputs."""
        return int(self.run()[self.outputs.index(name)].sum())


def parts_of(bundle: Bundle, batch: CanvasBatch) -> list[Part]:
    """The trunk, the RoI stage and the whole of a detector.onnx, on the same pictures.

    Raises:
        BundleError: it cannot be cut.
        EngineError: the two parts do not answer what the whole does.
    """
    path = bundle.file(DETECTOR)
    pieces = cut(path)
    feeds: dict[str, np.ndarray] = {
        "canvas": batch.canvas,
        "picture_hw": batch.picture_hw,
        "score_threshold": batch.score_threshold,
        "iou_weight": batch.iou_weight,
        "nms_iou_threshold": np.array(batch.nms_iou_threshold, np.float32),
    }
    trunk = _part("trunk", pieces.trunk, feeds)
    between = dict(zip(pieces.between, trunk.run(), strict=True))
    stage = _part("RoI stage", pieces.roi_stage, feeds | between)
    whole = _part(WHOLE, path.read_bytes(), feeds)
    if not all(np.allclose(one, other, atol=1e-3) for one, other in zip(stage.run(), whole.run(), strict=True)):
        raise EngineError(f"{path}: its trunk and RoI stage, one after the other, do not answer as the whole")
    return [trunk, stage, whole]


def _part(name: str, model: bytes, given: Mapping[str, np.ndarray]) -> Part:
    session = session_of(model)
    feeds = {tensor.name: given[tensor.name] for tensor in session.get_inputs()}
    [exported] = profile(model, feeds, optimised=False)
    served = profile(model, feeds, runs=PROFILED_RUNS)
    return Part(
        name,
        lambda: session.run(None, feeds),
        [tensor.name for tensor in session.get_outputs()],
        total_flops(exported),
        shares(served, exported),
    )


def time_parts(
    parts: Iterable[Part], multiplications: Mapping[str, Multiplication], rounds: Iterable[int]
) -> list[Row]:
    """Rates of matrices and of networks, GFLOP/s, all in turns; and seconds of the networks.

    Args:
        parts: see `parts_of`.
        multiplications: by precision, `PRECISION` among them.
        rounds: numbers of the rounds, `WARM_UP` that do not count included.

    Raises:
        ParameterError: no round is left to count.
    """
    work = {_matrices(name): (each.run, each.sizes.flops) for name, each in multiplications.items()}
    networks = {part.name: (part.run, part.flops) for part in parts}
    work |= networks
    calls = {name: _calls(run) for name, (run, _) in work.items()}
    runs = {name: _turn(run, calls[name]) for name, (run, _) in work.items()}
    seconds = {
        name: [each / calls[name] for each in taken] for name, taken in in_turns(runs, rounds, warm_up=WARM_UP).items()
    }
    rows = [
        Row(
            name,
            [flops / each / 1e9 for each in seconds[name]],
            unit="GFLOP/s",
            against=_matrices(PRECISION) if name in networks else None,
            goal=GOALS.get(name),
        )
        for name, (_, flops) in work.items()
    ]
    return rows + [Row(f"{name}, {flops / 1e9:.3g} GFLOP", seconds[name]) for name, (_, flops) in networks.items()]


def _matrices(arithmetic: str) -> str:
    return f"matrices, {arithmetic}"


def _turn(run: Callable[[], object], calls: int) -> Callable[[], None]:
    def turn() -> None:
        for _ in range(calls):
            run()

    return turn


def _calls(run: Callable[[], object]) -> int:
    """How many make a turn."""
    run()
    began = time.perf_counter()
    run()
    return max(1, round(TURN_S / (time.perf_counter() - began)))
