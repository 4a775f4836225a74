"""MMDetection's own DetInferencer over pictures, once for every line on standard input: for `dirdet bench batch`."""

import json
import os
import sys
import time
from collections.abc import Sequence

BATCH = 8


def main(config: str, checkpoint: str, pictures: Sequence[str]) -> None:
    """Answers each line with the seconds of a pass and the detections in it, as JSON."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # what MMDetection writes to standard output, already when it is imported
        from mmdet.apis import DetInferencer

        from dirdet_training.mm.configs import read_config

        inferencer = DetInferencer(read_config(config), checkpoint, device="cpu", show_progress=False)
        for _ in sys.stdin:
            began = time.perf_counter()
            answer = inferencer(list(pictures), batch_size=BATCH, no_save_vis=True, no_save_pred=True)
            seconds = time.perf_counter() - began
            found = sum(len(each["scores"]) for each in answer["predictions"])
            print(json.dumps({"seconds": seconds, "detections": found}), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
