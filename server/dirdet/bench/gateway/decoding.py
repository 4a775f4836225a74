"""What the cores decode and place without a server: the ceiling of any gateway on them."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from dirdet.bench.decoding_rates import place
from dirdet.bench.threads_rate import rate
from dirdet.shipped import open_bundle


def decode(pictures: Sequence[Path], *, threads: int, seconds: float) -> float:
    """Pictures a second that threads decode and place on canvases, from bytes in memory."""
    manifest = open_bundle(None).manifest
    contents = [picture.read_bytes() for picture in pictures]
    return rate(partial(place, manifest=manifest), contents, threads=threads, seconds=seconds)


if __name__ == "__main__":
    # In a process of its own, so that nothing else of the measuring one runs beside it.
    print(decode([Path(name) for name in sys.argv[3:]], threads=int(sys.argv[1]), seconds=float(sys.argv[2])))
