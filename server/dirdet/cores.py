"""How many processor cores this process may use, and how they are shared out."""

import os
from pathlib import Path

CGROUP_V2 = Path("/sys/fs/cgroup/cpu.max")
CGROUP_V1 = Path("/sys/fs/cgroup/cpu")


def usable_cores() -> int:
    """Cores that the scheduler allows, or fewer where a container is granted less; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    granted = _granted()
    return allowed if granted is None else max(1, min(allowed, round(granted)))


def decoding_threads(cores: int) -> int:
    """Threads that decode beside an engine that uses every core in this process; at least 1.

    Decoding and resizing a photograph costs a tenth of detecting in it or less, so that few keep the engine busy;
    more would only take its cores from it.
    """
    return max(1, cores // 4)


def inferences_beside(cores: int, *, max_batch: int) -> int:
    """Inferences that share the cores of one process, one each; no more than a batch can be parted into."""
    return min(cores, max_batch)


def _granted() -> float | None:
    """Cores' worth of time that this container is granted, None without a limit."""
    try:
        quota, period = CGROUP_V2.read_text(encoding="ascii").split()[:2]
    except (OSError, ValueError):
        try:
            quota = (CGROUP_V1 / "cpu.cfs_quota_us").read_text(encoding="ascii").strip()
            period = (CGROUP_V1 / "cpu.cfs_period_us").read_text(encoding="ascii").strip()
        except OSError:
            return None
    if not (quota.isdecimal() and period.isdecimal() and int(period)):
        return None  # "max", or -1
    return int(quota) / int(period)
