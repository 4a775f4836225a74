"""Canvases in this machine's shared memory, where Triton reads them without gRPC carrying them."""

import asyncio
import logging
import shutil
from collections import defaultdict
from contextlib import suppress
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dirdet.engines.shared_owner import FOLDER, PREFIX, Owner, sweep
from dirdet.triton.config import QUEUE_TIMEOUT_US

log = logging.getLogger(__name__)

# A request that nobody waits for any more may still be read; Triton drops it after its time in the queue at the latest.
QUARANTINE_S = 2 * QUEUE_TIMEOUT_US / 1e6


class SharedCanvases:
    """Regions that Triton knows, one for every request under way; for one event loop."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - tritonclient has no types
        """Makes no region yet.

        Args:
            client: of the Triton that is to read them.
        """
        self._client = client
        self._owner: Owner | None = None
        self._swept = False
        self._free: defaultdict[int, list[SharedMemory]] = defaultdict(list)
        self._all: set[SharedMemory] = set()

    async def place(self, values: NDArray[Any], *, timeout_s: float) -> SharedMemory | None:
        """A region with the values at its beginning, or None where no memory is left for one.

        Raises:
            InferenceServerException: Triton cannot be reached, or cannot see this machine's memory.
        """
        size = 1 << (values.nbytes - 1).bit_length()  # few sizes, so that a region is used again
        region = self._free[size].pop() if self._free[size] else await self._make(size, timeout_s)
        if region is not None:
            np.ndarray(values.shape, values.dtype, buffer=region.buf)[:] = values
        return region

    def give_back(self, region: SharedMemory) -> None:
        """Its request was answered."""
        if region in self._all:
            self._free[_named_size(region)].append(region)

    def set_aside(self, region: SharedMemory) -> None:
        """Its request was not answered: Triton may still read it, so that it rests before it is used again."""
        asyncio.get_running_loop().call_later(QUARANTINE_S, self.give_back, region)

    def forget(self) -> None:
        """Frees everything: Triton is gone, and another will not know these regions."""
        for region in self._all:
            with suppress(BufferError):  # an array still looks at it; it goes with that
                region.close()
            region.unlink()
        self._all.clear()
        self._free.clear()

    async def close(self, *, timeout_s: float) -> None:
        """Frees everything, and tells Triton, which would hold the memory for as long as it runs.

        Raises:
            InferenceServerException: Triton could not be told; the memory is freed all the same.
        """
        names = [region.name for region in self._all]
        self.forget()
        if self._owner is not None:
            self._owner.end()
            self._owner = None
        for name in names:
            await self._client.unregister_system_shared_memory(name, client_timeout=timeout_s)

    async def _make(self, size: int, timeout_s: float) -> SharedMemory | None:
        if not self._swept:
            await self._sweep(timeout_s)
            self._swept = True
        self._owner = self._owner or Owner()
        # Memory that is promised and not there ends the process when it is written to.
        if shutil.disk_usage(FOLDER).free < 2 * size:
            return None
        region = SharedMemory(self._owner.name(size), create=True, size=size)
        try:
            await self._client.register_system_shared_memory(
                region.name, f"/{region.name}", size, client_timeout=timeout_s
            )
        except BaseException:
            region.close()
            region.unlink()
            raise
        self._all.add(region)
        return region

    async def _sweep(self, timeout_s: float) -> None:
        """Frees what gateways left that ended without a goodbye, here and in Triton."""
        left = sweep()
        if left:
            log.info("removed %d regions of shared memory that a gateway had left", len(left))
        known = await self._client.get_system_shared_memory_status(client_timeout=timeout_s)
        for region in known.regions.values():
            if region.name.startswith(PREFIX) and not (FOLDER / region.name).exists():
                await self._client.unregister_system_shared_memory(region.name, client_timeout=timeout_s)


def _named_size(region: SharedMemory) -> int:
    return int(region.name.split("_")[2])
