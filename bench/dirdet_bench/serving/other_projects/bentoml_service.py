"""BentoML: a worker for every core, each decoding in its thread pool.

Its batches (https://docs.bentoml.com/en/latest/get-started/adaptive-batching.html) are for endpoints whose only
parameter is a list; one that takes pictures as files decodes them one after another in the event loop's threads.
"""

# The other project is not in this environment.
# pyright: basic, reportMissingImports=false

import os
import sys
from pathlib import Path
from typing import Any

import bentoml
import numpy as np
import picture_work


@bentoml.service(
    workers=int(os.environ["BENCH_CORES"]),
    traffic={"timeout": 60},
    logging={"access": {"enabled": False}},
    metrics={"enabled": True},
)
class Detect:
    @bentoml.api(route="/detect")
    def detect(self, image: Path) -> dict[str, Any]:
        with image.open("rb") as file:
            canvas, size = picture_work.place(file)
        return picture_work.answer(size, picture_work.infer(np.stack([canvas]))[0])


if __name__ == "__main__":
    here = Path(__file__)
    serve = ["serve", f"{here.stem}:Detect", "--working-dir", str(here.parent)]
    where = ["--host", "127.0.0.1", "--port", os.environ["BENCH_PORT"]]
    os.execv(sys.executable, [sys.executable, "-m", "bentoml", *serve, *where])
