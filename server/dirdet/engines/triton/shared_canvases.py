"""Canvases in this machine's shared memory, where Triton reads them, so that gRPC does not transfer them."""

import asyncio
import logging
import shutil
from collections import defaultdict
from contextlib import suppress
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dirdet.engines.triton.repository.config import QUEUE_TIMEOUT_US
from dirdet.engines.triton.shared_owner import FOLDER, PREFIX, Owner, sweep

log = logging.getLogger(__name__)

# Triton may still read the canvas of an abandoned request, until the request's timeout in the queue.
QUARANTINE_S = 2 * QUEUE_TIMEOUT_US / 1e6


class SharedCanvases:
    """Regions that Triton has registered, one per request in progress; used from one event loop."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - tritonclient has no types
        """Creates no region yet.

        Args:
            client: of the Triton that reads the regions.
        """
        self._client = client
        self._owner: Owner | None = None
        self._swept = False
        self._free: defaultdict[int, list[SharedMemory]] = defaultdict(list)
        self._all: set[SharedMemory] = set()

    async def place(self, values: NDArray[Any], *, timeout_s: float) -> SharedMemory | None:
        """A region with the values at its beginning, or None if no memory is left.

        Raises:
            InferenceServerException: Triton cannot be reached, or cannot see this machine's memory.
        """
        size = 1 << (values.nbytes - 1).bit_length()  # few distinct sizes, so that regions can be reused
        region = self._free[size].pop() if self._free[size] else await self._make(size, timeout_s)
        if region is not None:
            np.ndarray(values.shape, values.dtype, buffer=region.buf)[:] = values
        return region

    def give_back(self, region: SharedMemory) -> None:
        """Makes the region of an answered request available again."""
        if region in self._all:
            self._free[_named_size(region)].append(region)

    def set_aside(self, region: SharedMemory) -> None:
        """Keeps the region of an unanswered request unused for a while, because Triton may still read it."""
        asyncio.get_running_loop().call_later(QUARANTINE_S, self.give_back, region)

    def forget(self) -> None:
        """Frees all regions after Triton stopped; a restarted Triton has none of them registered."""
        for region in self._all:
            with suppress(BufferError):  # an array still references it and frees it
                region.close()
            region.unlink()
        self._all.clear()
        self._free.clear()

    async def close(self, *, timeout_s: float) -> None:
        """Frees all regions and unregisters them from Triton, which would otherwise keep the memory while it runs.

        Raises:
            InferenceServerException: the regions could not be unregistered; the memory is freed nevertheless.
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
        # Writing to memory that was reserved but is not available would kill the process.
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
        """Frees the regions of gateways that ended without freeing them, here and in Triton."""
        left = sweep()
        if left:
            log.info("removed %d regions of shared memory of gateways that have ended", len(left))
        known = await self._client.get_system_shared_memory_status(client_timeout=timeout_s)
        for region in known.regions.values():
            if region.name.startswith(PREFIX) and not (FOLDER / region.name).exists():
                await self._client.unregister_system_shared_memory(region.name, client_timeout=timeout_s)


def _named_size(region: SharedMemory) -> int:
    return int(region.name.split("_")[2])
