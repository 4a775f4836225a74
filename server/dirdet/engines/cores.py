"""The processor cores of this process and their distribution."""

import os
from pathlib import Path

CGROUP_V2 = Path("/sys/fs/cgroup/cpu.max")
CGROUP_V1 = Path("/sys/fs/cgroup/cpu")


def usable_cores() -> int:
    """Number of cores that the scheduler allows, or fewer if the container's limit is lower; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    granted = _granted()
    return allowed if granted is None else max(1, min(allowed, round(granted)))


def decoding_threads(cores: int) -> int:
    """Number of threads that decode while an engine in this process uses every core; at least 1.

    Decoding and resizing a photograph takes at most a tenth of the detection's time: few threads keep the engine busy,
    and more would take cores from it.
    """
    return max(1, cores // 4)


def decoding_threads_of_each(cores: int, *, processes: int) -> int:
    """Number of threads that decode in each of several processes that infer elsewhere; at least 1, at most one a core.

    Twice a process's share: connections are not spread evenly, and threads that wait for Python's lock decode nothing.
    """
    return min(cores, -(-2 * cores // processes))


def inferences_beside(cores: int, *, max_batch: int) -> int:
    """Number of concurrent inferences on the cores of one process, one core each; at most the canvases of a batch."""
    return min(cores, max_batch)


def _granted() -> float | None:
    """Number of cores that the container's limit allows; None without a limit."""
    try:
        quota, period = CGROUP_V2.read_text(encoding="ascii").split()[:2]
    except (OSError, ValueError):
        try:
            quota = (CGROUP_V1 / "cpu.cfs_quota_us").read_text(encoding="ascii").strip()
            period = (CGROUP_V1 / "cpu.cfs_period_us").read_text(encoding="ascii").strip()
        except OSError:
            return None
    if not (quota.isdecimal() and period.isdecimal() and int(period)):
        return None  # "max" or -1 means no limit
    return int(quota) / int(period)
