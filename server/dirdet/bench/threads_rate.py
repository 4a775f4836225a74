"""How many files a second threads work through; without imports of dirdet's, which other decoders' processes lack."""

import threading
import time
from collections.abc import Callable, Sequence

Work = Callable[[bytes], object]


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
