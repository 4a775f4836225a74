"""Another project's decoder under the same loop as dirdet's; it runs in an environment where dirdet is not."""

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np


def decoder(name: str) -> Callable[[bytes], Any]:
    """What gives pixels [H, W, 3] RGB of a file's bytes, on one thread."""
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
        held = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        return images.decode_image(held, rgb).permute(1, 2, 0)

    return by_torchvision


if __name__ == "__main__":
    # Found beside this file, not in a package.
    rate = import_module("threads_rate").rate
    decode = decoder(sys.argv[1])
    for line in sys.stdin:
        order = json.loads(line)
        if "decode" in order:
            np.save(order["out"], np.asarray(decode(Path(order["decode"]).read_bytes())))
            print("null", flush=True)
        else:
            contents = [Path(name).read_bytes() for name in order["files"]]
            print(rate(decode, contents, threads=order["threads"], seconds=order["seconds"]), flush=True)
