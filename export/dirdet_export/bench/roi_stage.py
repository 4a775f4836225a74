"""A bundle's RoI stage on one picture in both runtimes, and torchvision's RoI heads on the same proposals, in turns."""

from collections import defaultdict
from collections.abc import Callable, Iterable

import numpy as np
import onnx
import torch
from torch import Tensor

from dirdet.bench.report import Goal, Row
from dirdet.bench.turns import in_turns
from dirdet.bundle import DETECTOR, Bundle
from dirdet.tensors import CanvasBatch
from dirdet_export.bench.cut import Cut, cut
from dirdet_export.bench.parts import Parts
from dirdet_export.bench.roi_heads import differs, roi_heads, run
from dirdet_export.bench.roi_steps import (
    STEPS,
    operations_of_onnx,
    operations_of_torch,
    steps_of,
    without_dir,
)
from dirdet_export.bench.sessions import profile, session_of

WARM_UP = 1
# Of torchvision's time for the same.
GOAL = Goal(at_most=1.1)
# What configs have; which one it is, nothing in a bundle tells: the one with which torchvision detects the same.
FINEST_SCALES = (56.0, 28.0)
# Moves an anchor's box off every canvas, where it is no proposal.
FAR = 1e5
RUNTIMES = {"torch": "roi_stage.pt", "onnx": "detector.onnx"}


class Stage:
    """A RoI stage with what the trunk says of one picture."""

    def __init__(self, bundle: Bundle, request: CanvasBatch) -> None:
        """Runs the trunk.

        Args:
            bundle: of a Faster R-CNN with DIR, with all its files.
            request: one canvas.

        Raises:
            BundleError: it lacks a part, or cannot be cut.
        """
        self._parts = Parts(bundle, device=torch.device("cpu"))
        self._request = self._parts.move(request)
        self._maps = self._parts.trunk(self._request)
        self._cut: Cut = cut(bundle.file(DETECTOR))
        self._align = next(
            {attribute.name: attribute.i for attribute in node.attribute}
            for node in onnx.load(str(bundle.file(DETECTOR))).graph.node
            if node.op_type == "RoiAlign"
        )
        self._order = self._matched()
        self._keep = bundle.manifest.max_detections

    def _matched(self) -> list[int]:
        """Which of trunk.onnx's outputs each tensor between the parts of detector.onnx is."""
        session = session_of(self._cut.trunk)
        feeds = {tensor.name: self._request[tensor.name].numpy() for tensor in session.get_inputs()}
        maps = [each.numpy() for each in self._maps]
        return [
            next(
                number
                for number, each in enumerate(maps)
                if each.shape == values.shape and np.allclose(each, values, atol=1e-3)
            )
            for values in session.run(None, feeds)
        ]

    def _copy(self, maps: list[Tensor], request: dict[str, Tensor]) -> "Stage":
        other = object.__new__(Stage)
        other.__dict__ |= {**self.__dict__, "_maps": maps, "_request": request}
        return other

    def _of(self, group: str) -> list[Tensor]:
        return [each for name, each in zip(self._parts.maps, self._maps, strict=True) if name.startswith(group)]

    def proposals(self) -> Tensor:
        """Boxes [P, 4], pixels of the canvas."""
        pairs = zip(self._of("objectness"), self._of("deltas"), strict=True)
        with torch.inference_mode():
            boxes, real = self._parts.stage.proposals(*(each for pair in pairs for each in pair), self._picture())
        return boxes[0][real[0]]

    def _picture(self) -> Tensor:
        return self._request["picture_hw"]

    def with_proposals(self, most: int) -> "Stage":
        """The same with as many of the likeliest anchors as give so many proposals at most."""
        ranked = torch.cat([each.flatten() for each in self._of("objectness")]).sort(descending=True).values
        low, high, best = 0, len(ranked) - 1, self
        while low <= high:
            middle = (low + high) // 2
            other = self._above(float(ranked[middle]))
            if len(other.proposals()) <= most:
                low, best = middle + 1, other
            else:
                high = middle - 1
        return best

    def _above(self, logit: float) -> "Stage":
        likely = [each.repeat_interleave(4, dim=1) >= logit for each in self._of("objectness")]  # [B, 4 * A, H, W]
        moved = [torch.where(one, each, FAR) for one, each in zip(likely, self._of("deltas"), strict=True)]
        return self._copy([*self._maps[: len(self._maps) - len(moved)], *moved], self._request)

    def with_candidates(self, about: int) -> "Stage":
        """The same with the threshold on the score that so many candidates are above."""
        found = self._copy(self._maps, self._request | {"score_threshold": torch.zeros(1)}).detect()
        scores = found["score"][0][: int(found["num_candidates"])]  # best first
        threshold = 0.0 if about >= len(scores) else float(scores[about])
        return self._copy(self._maps, self._request | {"score_threshold": torch.tensor([threshold])})

    def detect(self) -> dict[str, Tensor]:
        """By roi_stage.pt."""
        return self._parts.roi_stage(self._maps, self._request)

    def __str__(self) -> str:
        """In words, for tables."""
        return f"{len(self.proposals())} proposals, {int(self.detect()['num_candidates'])} candidates"

    def steps(self) -> dict[str, Callable[[], dict[str, float]]]:
        """By runtime, what runs the stage once and gives seconds by step."""
        feeds = dict(zip(self._cut.between, (self._maps[number].numpy() for number in self._order), strict=True))
        feeds |= {name: each.numpy() for name, each in self._request.items()}
        names = {tensor.name for tensor in onnx.load_model_from_string(self._cut.roi_stage).graph.input}
        given: dict[str, np.ndarray] = {name: each for name, each in feeds.items() if name in names}
        return {
            "torch": lambda: steps_of(operations_of_torch(self.detect)),
            # Of two runs the second: the first is that of a fresh session.
            "onnx": lambda: steps_of(operations_of_onnx(profile(self._cut.roi_stage, given, runs=2)[0])),
        }

    def torchvision(self) -> tuple[Callable[[], object], str | None]:
        """What runs torchvision's RoI heads, and how they differ from this stage without DIR's ranking."""
        found = self._copy(self._maps, self._request | {"iou_weight": torch.zeros(1)}).detect()
        kept = found["kept"][0][: int(found["num_detections"])]
        expected = [found[name][0][kept] for name in ("boxes", "class_id", "score")]
        levels, proposals = self._of("level"), self.proposals()
        height, width = (int(side) for side in self._picture()[0])
        heads, wrong = None, None
        for scale in FINEST_SCALES:
            heads = roi_heads(
                self._parts.stage,
                levels=len(levels),
                finest_stride=round(self._request["canvas"].shape[1] / levels[0].shape[2]),
                finest_scale=scale,
                output_size=self._align["output_height"],
                sampling_ratio=self._align.get("sampling_ratio", 0),
                score_threshold=float(self._request["score_threshold"]),
                nms_iou_threshold=float(self._request["nms_iou_threshold"]),
                keep=self._keep,
            )
            wrong = differs(run(heads, levels, proposals, (height, width)), *expected)
            if wrong is None:
                break
        assert heads is not None
        chosen = heads
        return lambda: run(chosen, levels, proposals, (height, width)), wrong


def time_stage(stage: Stage, rounds: Iterable[int], group: str) -> tuple[list[Row], str | None]:
    """Seconds of each step in both runtimes, and of torchvision's RoI heads, all in turns under profilers.

    Args:
        stage: on a picture.
        rounds: numbers of the rounds, `WARM_UP` that do not count included.
        group: of the rows.

    Returns:
        The rows; and, where torchvision's detect something else, what, and they have none.

    Raises:
        BundleError: it is not the RoI stage of a Faster R-CNN with DIR.
        ParameterError: no round is left to count.
    """
    seen: defaultdict[str, list[dict[str, float]]] = defaultdict(list)
    heads, wrong = stage.torchvision()

    def seeing(runtime: str, steps: Callable[[], dict[str, float]]) -> Callable[[], None]:
        return lambda: seen[runtime].append(steps())

    runs: dict[str, Callable[[], object]] = {
        runtime: seeing(runtime, steps) for runtime, steps in stage.steps().items()
    }
    runs["torchvision"] = seeing("torchvision", lambda: dict(operations_summed(heads)))
    runs["wall"] = stage.detect
    taken = in_turns(runs, rounds, warm_up=WARM_UP)
    rows: list[Row] = []
    for runtime, file in RUNTIMES.items():
        counted = seen[runtime][WARM_UP:]
        rows.append(Row(file, [sum(each.values()) for each in counted], group=group))
        rows += [Row(f"{file}: {step}", [each[step] for each in counted], against=file, group=group) for step in STEPS]
    rows.append(Row("roi_stage.pt, not profiled", taken["wall"], against=RUNTIMES["torch"], group=group))
    if wrong is None:
        rows.append(Row("torchvision roi_heads", [each["all"] for each in seen["torchvision"][WARM_UP:]], group=group))
        for runtime, file in RUNTIMES.items():
            rest = [without_dir(each) for each in seen[runtime][WARM_UP:]]
            goal = GOAL if runtime == "torch" else None
            rows.append(
                Row(
                    f"{file}, from proposals, without DIR",
                    rest,
                    against="torchvision roi_heads",
                    goal=goal,
                    group=group,
                )
            )
    return rows, wrong


def operations_summed(heads: Callable[[], object]) -> dict[str, float]:
    """Seconds of all operators."""
    return {"all": sum(seconds for _, seconds in operations_of_torch(heads))}
