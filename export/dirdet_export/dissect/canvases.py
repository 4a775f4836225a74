"""The canvases of a detector: a few for all pictures, or one of its own for every picture, as MMDetection pads."""

import itertools
import math
import re
from collections.abc import Sequence

from dirdet.bundle.bundle import CanvasSize, ResizeRule
from dirdet_export.dissect.anatomy import CANVAS_MULTIPLE
from dirdet_export.dissect.input_pipeline import InputPipeline
from dirdet_export.errors import UnsupportedError

# The aspect ratio of most photographs. A canvas for it, besides the one for the longest shape, saves computation.
COMMON_ASPECT = 4 / 3


def padding_multiple(pipeline: InputPipeline, divisor: int) -> int:
    """What MMDetection's padding makes both sides of a picture multiples of.

    Args:
        pipeline: its Pad step pads first.
        divisor: `pad_size_divisor` of the data preprocessor, which pads after it.

    Raises:
        UnsupportedError: the one is not a multiple of the other.
    """
    own = pipeline.pad.multiple if pipeline.pad is not None else 1
    if max(own, divisor) % min(own, divisor):
        raise UnsupportedError(
            "export supports a Pad step whose size_divisor is a multiple or a divisor of pad_size_divisor; this "
            f"config has {own} and {divisor}"
        )
    return max(own, divisor)


def derive_canvases(pipeline: InputPipeline, divisor: int) -> list[CanvasSize]:
    """The canvases, smallest first: portrait and landscape, for 4:3 and for the longest shape.

    Every picture that the pipeline resizes and pads fits into one of them.

    Args:
        pipeline: of the config.
        divisor: `pad_size_divisor` of the data preprocessor.

    Raises:
        UnsupportedError: the sizes of pictures have no bound.
    """
    rule = pipeline.resize
    if rule.factor is not None:
        raise UnsupportedError(
            "export needs --canvas for a config without Resize or with a Resize by scale_factor: pictures may have any "
            "size; a picture that no canvas holds is scaled down"
        )
    multiple = math.lcm(padding_multiple(pipeline, divisor), CANVAS_MULTIPLE)
    if rule.fixed_hw is not None:
        sides = {rule.fixed_hw}
    else:
        longs = {rule.long_side, math.ceil(min(rule.long_side, rule.short_side * COMMON_ASPECT))}
        sides = {pair for long in longs for pair in itertools.permutations((rule.short_side, long))}
    least = pipeline.pad.at_least_hw if pipeline.pad is not None else (0, 0)
    padded = [[math.ceil(max(pair) / multiple) * multiple for pair in zip(hw, least, strict=True)] for hw in sides]
    return sort_canvases([CanvasSize(height=height, width=width) for height, width in padded])


def own_canvases(
    rule: ResizeRule, canvases: Sequence[CanvasSize], multiple: int
) -> tuple[ResizeRule, list[CanvasSize]]:
    """Gives each picture a canvas of its own, as MMDetection pads: the rule, and the canvases with the narrowest ones.

    The narrowest are for runtimes that need the range of sizes in advance.
    """
    least = math.lcm(multiple, CANVAS_MULTIPLE)
    narrow = [CanvasSize(height=least, width=max(canvas.width for canvas in canvases))]
    narrow.append(CanvasSize(height=max(canvas.height for canvas in canvases), width=least))
    return rule.model_copy(update={"canvas_multiple": multiple}), sort_canvases([*canvases, *narrow])


def bounded(rule: ResizeRule, canvases: Sequence[CanvasSize]) -> ResizeRule:
    """The rule; one by a factor gets the sides of the largest canvas, for display."""
    if rule.factor is None:
        return rule
    largest = max(canvases, key=lambda canvas: canvas.height * canvas.width)
    sides = sorted((largest.height, largest.width))
    return rule.model_copy(update={"short_side": sides[0], "long_side": sides[1]})


def sort_canvases(canvases: Sequence[CanvasSize]) -> list[CanvasSize]:
    """Sorts by area, landscape before portrait, and removes duplicates."""
    unique = {(canvas.height, canvas.width): canvas for canvas in canvases}
    return [unique[key] for key in sorted(unique, key=lambda hw: (hw[0] * hw[1], hw[0]))]


def parse_canvas(text: str) -> CanvasSize:
    """Parses a canvas from HEIGHTxWIDTH.

    Raises:
        ValueError: another form, or a side is not a positive multiple of 32.
    """
    match = re.fullmatch(r"(\d+)x(\d+)", text.strip().lower())
    sides = [int(side) for side in match.groups()] if match else []
    if not sides or any(side == 0 or side % CANVAS_MULTIPLE for side in sides):
        raise ValueError(
            f"expected HEIGHTxWIDTH, both multiples of {CANVAS_MULTIPLE}, for example 256x320; got {text!r}"
        )
    return CanvasSize(height=sides[0], width=sides[1])
