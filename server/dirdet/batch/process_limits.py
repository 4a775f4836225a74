"""Limits of this process's memory and time, for processes that read what may claim anything."""

from pathlib import Path

# Memory of such a process, in addition to its libraries.
MEMORY_BYTES = 768 * 2**20


def limit_memory() -> None:
    """Limits the address space to its present size and MEMORY_BYTES."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    except (ModuleNotFoundError, OSError, ValueError):  # Other systems do not limit a process's memory.
        return


def limit_time(seconds: int) -> None:
    """Limits CPU time from now on; the system then ends the process."""
    try:
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, hard))
    except (ModuleNotFoundError, OSError, ValueError):
        return


def beyond_limits(seconds: int) -> str:
    """The limits, for the message about a file for which they are too low."""
    return f"within {MEMORY_BYTES // 2**20} MiB of memory and {seconds} s of CPU time"
