"""Pictures a second that the serving path reads and places on canvases, and that Pillow decodes alone."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dirdet.bundle import Manifest
from dirdet.canvas import fit_picture, paint
from dirdet.pictures import read_picture

# How a picture is written for each type; WebP is lossy there as on the web.
WRITTEN: Mapping[str, Mapping[str, object]] = {
    "JPEG": {"quality": 90},
    "PNG": {},
    "WEBP": {"quality": 90},
}
Work = Callable[[bytes], object]


def encoded(picture: Image.Image, kind: str) -> bytes:
    """An RGB picture as a file of a type of `WRITTEN`."""
    file = BytesIO()
    picture.save(file, kind, **WRITTEN[kind])
    return file.getvalue()


def place(content: bytes, manifest: Manifest) -> NDArray[np.uint8]:
    """What serving does with a picture: the canvas [H, W, 3]."""
    picture = read_picture(BytesIO(content))
    fit = fit_picture((picture.height, picture.width), rule=manifest.resize, canvases=manifest.canvases)
    return paint(picture, fit, rule=manifest.resize)


def read(content: bytes) -> NDArray[np.uint8]:
    """What serving reads: pixels [H, W, 3] RGB."""
    return np.asarray(read_picture(BytesIO(content)))


def pillow_alone(content: bytes) -> NDArray[np.uint8]:
    """Pixels [H, W, 3] RGB by Pillow, without limits, EXIF or transparency."""
    with Image.open(BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"))


def rate(work: Work, contents: Sequence[bytes], *, threads: int, seconds: float) -> float:
    """Pictures a second of threads that each take one file after another until the time is over, at least one."""
    counts = [0] * threads
    go = threading.Barrier(threads + 1)

    def loop(index: int) -> None:
        go.wait()
        until = time.perf_counter() + seconds
        while time.perf_counter() < until or not counts[index]:
            work(contents[counts[index] % len(contents)])
            counts[index] += 1

    workers = [threading.Thread(target=loop, args=(index,)) for index in range(threads)]
    for worker in workers:
        worker.start()
    go.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - began)
