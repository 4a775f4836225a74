"""Pictures a second that threads decode; run as a process, by another project's decoder where dirdet is not installed.

Each line on standard input is a JSON object: `decode` and `out`, a file and where its pixels go; or `files`, `threads`
and `seconds`.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np


def rate(work: Callable[[bytes], object], contents: Sequence[bytes], *, threads: int, seconds: float) -> float:
    """Files a second of threads that each take one after another until the time is over, at least one."""
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


def decoder(name: str) -> Callable[[bytes], Any]:
    """From a file's bytes to pixels [H, W, 3] RGB, on one thread."""
    if name == "opencv":
        cv2 = import_module("cv2")
        cv2.setNumThreads(1)
        return lambda content: cv2.cvtColor(cv2.imdecode(np.frombuffer(content, np.uint8), 1), cv2.COLOR_BGR2RGB)
    if name == "simplejpeg":
        return import_module("simplejpeg").decode_jpeg
    torch, images = import_module("torch"), import_module("torchvision.io")
    torch.set_num_threads(1)
    rgb = images.ImageReadMode.RGB

    def by_torchvision(content: bytes) -> Any:  # noqa: ANN401 - a tensor
        return images.decode_image(torch.frombuffer(bytearray(content), dtype=torch.uint8), rgb).permute(1, 2, 0)

    return by_torchvision


if __name__ == "__main__":
    decode = decoder(sys.argv[1])
    for line in sys.stdin:
        order = json.loads(line)
        if "decode" in order:
            np.save(order["out"], np.asarray(decode(Path(order["decode"]).read_bytes())))
            print("null", flush=True)
        else:
            contents = [Path(name).read_bytes() for name in order["files"]]
            print(rate(decode, contents, threads=order["threads"], seconds=order["seconds"]), flush=True)
