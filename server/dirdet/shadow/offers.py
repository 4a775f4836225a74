"""Pictures that a candidate may compute once they are answered, and the memory that they hold until then."""

import threading
import weakref
from collections.abc import Callable, Sequence

from PIL import Image

from dirdet.detection import Detection
from dirdet.detector import PlacedPicture
from dirdet.options import DetectOptions


class Memory:
    """So many bytes, of which offers hold some for as long as they live; safe to use from any thread."""

    def __init__(self, most_bytes: int) -> None:
        """All of it is free."""
        self._free = most_bytes
        self._lock = threading.Lock()

    def take(self, number: int) -> bool:
        """Whether there is so much, which is then taken."""
        with self._lock:
            if number > self._free:
                return False
            self._free -= number
            return True

    def give_back(self, number: int) -> None:
        """So much is free again."""
        with self._lock:
            self._free += number


class Offer:
    """One picture; whoever drops it gives its memory back, however the request ends.

    Attributes:
        picture: itself, or, where the candidate takes the same one, its canvas.
        options: what was asked.
        served: what was answered; empty until `answered`.
    """

    def __init__(
        self,
        picture: Image.Image | PlacedPicture,
        options: DetectOptions,
        memory: Memory,
        put: "Callable[[Offer], None]",
    ) -> None:
        """Holds memory that was taken by `bytes_of`.

        Args:
            picture: to be computed.
            options: what was asked.
            memory: where it was taken.
            put: lets the candidate compute it.
        """
        self.picture = picture
        self.options = options
        self.served: Sequence[Detection] = ()
        self._put = put
        weakref.finalize(self, memory.give_back, bytes_of(picture)).atexit = False

    def answered(self, served: Sequence[Detection]) -> None:
        """The served detector has answered with these."""
        self.served = served
        self._put(self)


def bytes_of(picture: Image.Image | PlacedPicture) -> int:
    """That it takes in memory, about."""
    if isinstance(picture, PlacedPicture):
        return picture.canvas.nbytes
    return picture.width * picture.height * len(picture.getbands())
