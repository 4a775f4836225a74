"""Address and options of the connection to Triton."""

import re
from dataclasses import dataclass, field

from dirdet.errors import ParameterError


@dataclass(frozen=True, slots=True)
class TritonTarget:
    """A model on a Triton server.

    Attributes:
        address: host and port of its gRPC endpoint.
        model: name of the model; None is the ensemble from `dirdet triton` for the bundle.
        shared_memory: canvases are passed in this machine's shared memory, which Triton must be able to access.
        key: sent with every call to a Triton that requires one.
    """

    address: str
    model: str | None = None
    shared_memory: bool = False
    key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Checks the address.

        Raises:
            ParameterError: the address is not HOST:PORT; names the option.
        """
        found = re.fullmatch(r"(?P<host>[^\s/:]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})", self.address)
        if not found or not 0 < int(found["port"]) < 65536:
            raise ParameterError("--triton", f"expected HOST:PORT of Triton's gRPC endpoint, got {self.address!r}")
