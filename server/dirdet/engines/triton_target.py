"""Which Triton a gateway speaks to, and how."""

import re
from dataclasses import dataclass

from dirdet.errors import ParameterError


@dataclass(frozen=True, slots=True)
class TritonTarget:
    """A model on a Triton server.

    Attributes:
        address: host and port of its gRPC endpoint.
        model: name of the model; None is the ensemble that `dirdet triton` writes for the bundle.
        shared_memory: canvases go through this machine's shared memory, which Triton must see too.
    """

    address: str
    model: str | None = None
    shared_memory: bool = False

    def __post_init__(self) -> None:
        """Refuses what is no address.

        Raises:
            ParameterError: names the option.
        """
        found = re.fullmatch(r"(?P<host>[^\s/:]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})", self.address)
        if not found or not 0 < int(found["port"]) < 65536:
            raise ParameterError("--triton", f"expected HOST:PORT of Triton's gRPC endpoint, got {self.address!r}")
