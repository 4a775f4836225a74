"""The CUDA version that this machine's NVIDIA driver supports."""

import ctypes
from functools import cache

LIBRARY = "libcuda.so.1"


@cache
def driver_cuda() -> tuple[int, int] | None:
    """Returns the newest CUDA version that the driver supports, major and minor; None without a driver or a GPU."""
    try:
        library = ctypes.CDLL(LIBRARY)
        found = ctypes.c_int(0)
        count = ctypes.c_int(0)
        # Each returns 0 for success.
        failed = library.cuInit(0) or library.cuDriverGetVersion(ctypes.byref(found))
        failed = failed or library.cuDeviceGetCount(ctypes.byref(count))
    except (OSError, AttributeError):
        return None
    if failed or not count.value:
        return None
    return found.value // 1000, found.value % 1000 // 10


def trouble_with_cuda(built_for: str | None) -> str | None:
    """Returns why a library that was built for a CUDA version cannot run on this machine; None if it can.

    A driver runs every version up to its own, and later minor versions of its own major version.

    Args:
        built_for: the version, such as "12.8"; None if it is unknown.
    """
    driver = driver_cuda()
    if driver is None:
        return f"no NVIDIA driver with a GPU was found on this machine ({LIBRARY})"
    major = (built_for or "").partition(".")[0]
    if major.isdecimal() and int(major) > driver[0]:
        return (
            f"the NVIDIA driver supports CUDA up to {driver[0]}.{driver[1]}, and this ONNX Runtime is built for CUDA "
            f"{built_for}: update the driver"
        )
    return None
