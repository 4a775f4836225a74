"""The limits of one request, and of all requests together."""

from dataclasses import dataclass, field

from dirdet.engines.cores import decoding_threads, usable_cores
from dirdet.engines.tensors import MAX_BATCH
from dirdet.errors import ParameterError
from dirdet.pictures.reading import PictureLimits

TIMEOUT_S = 30.0
MAX_TIMEOUT_S = 120.0
MAX_QUEUE = 256
MAX_QUEUE_BYTES = 512 * 2**20
MAX_BATCH_DELAY_S = 0.01
MAX_TILES = 1000


def _decoders() -> int:
    return decoding_threads(usable_cores())


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Limits of a request and of concurrent work, which bound the server's memory.

    Attributes:
        picture: of each picture.
        max_pictures: in one request.
        max_request_bytes: the whole body.
        max_tiles: of all pictures of a request that cuts them.
        max_queue: pictures of all requests under way.
        max_queue_bytes: bytes of all their bodies, received or announced.
        timeout_s: seconds of a request from its first byte on, unless it sets its own.
        max_timeout_s: seconds that a request may set.
        decoders: pictures decoded at the same time; one of 100 megapixels needs up to 700 MB.
        inferences: at the same time; in this process each on its share of the cores.
        max_batch: canvases of one inference in this process.
        max_batch_delay_s: how long a canvas waits for pictures that are being decoded while the engine is idle.
    """

    picture: PictureLimits = field(default_factory=PictureLimits)
    max_pictures: int = 64
    max_request_bytes: int = 128 * 2**20
    max_tiles: int = MAX_TILES
    max_queue: int = MAX_QUEUE
    max_queue_bytes: int = MAX_QUEUE_BYTES
    timeout_s: float = TIMEOUT_S
    max_timeout_s: float = MAX_TIMEOUT_S
    decoders: int = field(default_factory=_decoders)
    inferences: int = 1
    max_batch: int = MAX_BATCH
    max_batch_delay_s: float = MAX_BATCH_DELAY_S

    def __post_init__(self) -> None:
        """Refuses limits that a single request could exceed.

        Raises:
            ParameterError: names the limit.
        """
        if self.max_queue < self.max_pictures:
            raise ParameterError(
                "max_queue", f"expected at least a request's {self.max_pictures}, got {self.max_queue}"
            )
        if self.max_queue_bytes < self.max_request_bytes:
            least = f"{self.max_request_bytes / 2**20:g} MiB"
            raise ParameterError(
                "max_queue_bytes", f"expected at least a request's {least}, got {self.max_queue_bytes / 2**20:g} MiB"
            )
        if self.timeout_s > self.max_timeout_s:
            raise ParameterError(
                "timeout_s", f"expected at most the {self.max_timeout_s:g} s one may ask for, got {self.timeout_s:g} s"
            )
