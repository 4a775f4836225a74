"""What the cores decode and place without a server: the ceiling of any gateway on them."""

import sys
import threading
import time
from collections.abc import Sequence
from io import BytesIO
from itertools import cycle
from pathlib import Path

from dirdet.canvas import fit_picture, paint
from dirdet.pictures import read_picture
from dirdet.shipped import open_bundle


def decode(pictures: Sequence[Path], *, threads: int, seconds: float) -> float:
    """Pictures a second that threads decode and place on canvases, from bytes in memory."""
    manifest = open_bundle(None).manifest
    contents = [picture.read_bytes() for picture in pictures]
    counts = [0] * threads
    until = time.perf_counter() + seconds

    def work(index: int) -> None:
        for content in cycle(contents):
            picture = read_picture(BytesIO(content))
            fit = fit_picture((picture.height, picture.width), rule=manifest.resize, canvases=manifest.canvases)
            paint(picture, fit, rule=manifest.resize)
            counts[index] += 1
            if time.perf_counter() > until:
                return

    began = time.perf_counter()
    workers = [threading.Thread(target=work, args=(index,)) for index in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - began)


if __name__ == "__main__":
    # In a process of its own, so that nothing else of the measuring one runs beside it.
    print(decode([Path(name) for name in sys.argv[3:]], threads=int(sys.argv[1]), seconds=float(sys.argv[2])))
