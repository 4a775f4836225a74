"""How much one request may ask of the server."""

from dataclasses import dataclass, field

from dirdet.pictures import PictureLimits

DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Bounds on a request, and on what runs at once; they bound the server's memory.

    Attributes:
        picture: of each picture.
        max_pictures: in one request.
        max_request_bytes: the whole body.
        decoders: pictures that are decoded at the same time; one of 100 megapixels takes up to 700 MB meanwhile.
        inferences: that run at the same time; in this process each already uses every core.
        deadline_s: seconds in which a remote engine has to answer a request, from the end of its body on.
    """

    picture: PictureLimits = field(default_factory=PictureLimits)
    max_pictures: int = 64
    max_request_bytes: int = 128 * 2**20
    decoders: int = 2
    inferences: int = 1
    deadline_s: float = DEADLINE_S
