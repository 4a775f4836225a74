"""Small videos, each frame of a grey that tells its number."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

# Between the greys of two frames: more than any codec changes them.
STEP = 12


def write_video(
    path: Path,
    *,
    frames: int = 20,
    per_second: int = 10,
    codec: str = "libx264",
    times_ms: Sequence[int] | None = None,
    turn: int = 0,
    top_left: bool = False,
) -> Path:
    """A video of 64x48.

    Args:
        path: its ending says the container.
        frames: how many.
        per_second: evenly.
        codec: of FFmpeg's names.
        times_ms: of each frame, instead.
        turn: what the display matrix says, in degrees counter-clockwise.
        top_left: only the top left quarter is grey, the rest black.
    """
    library: Any = av
    options = {"g": "6", "bf": "2"} if codec == "libx264" else {}
    with library.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=per_second, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if turn:
            stream.set_display_rotation(turn)
        for number in range(len(times_ms) if times_ms else frames):
            pixels = np.zeros((48, 64, 3), np.uint8)
            pixels[: 24 if top_left else None, : 32 if top_left else None] = 200 if top_left else STEP * (number % 20)
            frame = library.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = times_ms[number] if times_ms else number * 1000 // per_second
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
