"""Seconds of a call on a device, its queue included."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from statistics import median

import torch

from dirdet_bench.harness.turns import seconds_of

WARM_UP = 3


def wait(device: torch.device) -> None:
    """Returns once the device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def median_ms(run: Callable[[], object], device: torch.device, *, rounds: int) -> float:
    """Returns milliseconds of one call, until the device has finished."""

    def whole() -> None:
        run()
        wait(device)

    for _ in range(WARM_UP):
        whole()
    return round(1000 * median(seconds_of(whole) for _ in range(rounds)), 4)


@contextmanager
def tensor_float_32(allowed: bool) -> Generator[None]:
    """Within the block, products of float32 matrices may keep ten bits of their mantissas."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if allowed else "highest")
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
