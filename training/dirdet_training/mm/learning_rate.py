"""Scales the learning rate of a config that was written for another batch size."""

import os
import sys

from mmengine.config import Config


def scale_rate(cfg: Config) -> float:
    """Makes MMEngine scale the rate linearly to the batch of all processes, in place, and reports it on standard error.

    auto_scale_lr.base_batch_size of a config is the batch size that its rate is for: 16 in the paper's settings on
    COCO, two pictures on each of eight GPUs. Without that setting the rate is not changed.

    Returns:
        The factor by which the rate is multiplied.
    """
    base = (cfg.get("auto_scale_lr") or {}).get("base_batch_size")
    batch = (cfg.get("train_dataloader") or {}).get("batch_size")
    if not base or not batch:
        return 1.0
    processes = int(os.environ["WORLD_SIZE"]) if cfg.get("launcher") == "pytorch" else 1
    factor = processes * batch / base
    cfg.auto_scale_lr = {**cfg.auto_scale_lr, "enable": True}
    if factor != 1 and os.environ.get("RANK", "0") == "0":
        print(
            f"learning rate times {factor:g}: it is for batches of {base}, and {processes} "
            f"process{'es' if processes > 1 else ''} of {batch} pictures make one of {processes * batch} "
            "(--no-scale-lr leaves it)",
            file=sys.stderr,
        )
    return factor
