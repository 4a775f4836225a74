"""A candidate beside a detector that is served: computes some of what was answered, after the answer."""

import logging
import random
import threading
from collections import deque
from collections.abc import Callable

from PIL import Image

from dirdet.bundle import Manifest
from dirdet.detector import Detector, PlacedPicture
from dirdet.errors import DirdetError
from dirdet.observing import SILENT, Observer
from dirdet.options import DetectOptions, Settings
from dirdet.shadow.comparison import Comparison, compare
from dirdet.shadow.offers import Memory, Offer, bytes_of
from dirdet.shadow.pair import Pair
from dirdet.shadow.tally import Tally

log = logging.getLogger(__name__)

# Pictures that wait for the candidate, and bytes of them and of those that are not answered yet.
MAX_QUEUE = 32
MAX_BYTES = 256 * 2**20
# Seconds between two looks whether callers still wait, and that a comparison has to end when everything is closed.
LOOK_S = 0.02
CLOSE_S = 1.0


class Shadow:
    """Computes in a thread of its own and never in the way of an answer; a picture without a place is dropped.

    Attributes:
        pair: which detectors.
        candidate: the one that nobody is answered by.
        share: of the requests.
    """

    def __init__(
        self,
        pair: Pair,
        candidate: Detector,
        *,
        share: float,
        may_begin: Callable[[], bool],
        observer: Observer = SILENT,
        max_queue: int = MAX_QUEUE,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Starts the thread, which does not keep the process alive; closes the candidate's engine at the end.

        Args:
            pair: which detectors.
            candidate: is loaded.
            share: of the requests, in 0..1.
            may_begin: whether no caller waits for the engine now.
            observer: is told what becomes of each picture.
            max_queue: pictures that may wait.
            max_bytes: that the pictures may hold, from their decoding on.
        """
        self.pair = pair
        self.candidate = candidate
        self.share = share
        self._may_begin = may_begin
        self._observer = observer
        self._max_queue = max_queue
        self._memory = Memory(max_bytes)
        self._chance = random.Random()
        self._changed = threading.Condition()
        self._waiting: deque[Offer] = deque()
        self._busy = False
        self._closed = False
        self._failing = False
        self._tally = Tally()
        observer.shadow_began(pair)
        self._thread = threading.Thread(target=self._work, name=f"shadow-{pair.detector}", daemon=True)
        self._thread.start()

    def of_request(self, served: Manifest, options: DetectOptions, settings: Settings) -> "ShadowedRequest | None":
        """What offers a request's pictures, if chance takes it.

        Args:
            served: the detector that answers.
            options: what was asked.
            settings: what that means for it.
        """
        if self._closed or self._chance.random() >= self.share:
            return None
        if settings.class_ids is not None:  # the candidate may number its classes otherwise
            names = [served.categories[class_id].name for class_id in sorted(settings.class_ids)]
            options = options.model_copy(update={"classes": names})
        own = self.candidate.manifest
        same_canvas = (own.resize, own.canvases) == (served.resize, served.canvases)
        return ShadowedRequest(self, options.model_copy(update={"candidates": False}), same_canvas=same_canvas)

    def offer(self, picture: Image.Image | PlacedPicture, options: DetectOptions) -> Offer | None:
        """A picture that may be computed once it is answered; None if there is no memory for it."""
        if not self._memory.take(bytes_of(picture)):
            self._drop("memory")
            return None
        return Offer(picture, options, self._memory, self._put)

    @property
    def waiting(self) -> int:
        """Pictures that wait."""
        with self._changed:
            return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing waits or is computed."""
        with self._changed:
            return not self._waiting and not self._busy

    def close(self) -> None:
        """Ends the engine and tells what was found; what waits is dropped."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            left = len(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        self.candidate.engine.close()
        self._thread.join(CLOSE_S)
        for _ in range(left):
            self._drop("stopping")
        log.info("shadow: %s: %s", self.pair, self._tally)

    def _put(self, offer: Offer) -> None:
        with self._changed:
            full = self._closed or len(self._waiting) >= self._max_queue
            if not full:
                self._waiting.append(offer)
                self._changed.notify_all()
        if full:
            self._drop("stopping" if self._closed else "queue")

    def _drop(self, reason: str) -> None:
        with self._changed:
            self._tally.dropped[reason] += 1
        self._observer.shadow_dropped(self.pair, reason)

    def _work(self) -> None:
        while (offer := self._next()) is not None:
            try:
                found = self._compared(offer)
            except Exception as exc:  # a candidate may fail in any way, and nothing but its figures says so
                if not self._closed:
                    self._failed(exc)
            else:
                self._succeeded(found)
            del offer  # else its picture stays until the next comes
            with self._changed:
                self._busy = False

    def _next(self) -> Offer | None:
        """The picture that has waited longest, once no caller waits; None at the end."""
        with self._changed:
            while not self._closed:
                if not self._waiting:
                    self._changed.wait()
                elif not self._may_begin():
                    self._changed.wait(LOOK_S)
                else:
                    self._busy = True
                    return self._waiting.popleft()
        return None

    def _compared(self, offer: Offer) -> Comparison:
        picture = offer.picture if isinstance(offer.picture, PlacedPicture) else self.candidate.place(offer.picture)
        [found] = self.candidate.detect_placed([picture], self.candidate.settle(offer.options))
        return compare(offer.served, found.detections)

    def _succeeded(self, found: Comparison) -> None:
        self._failing = False
        with self._changed:
            self._tally.add(found)
        self._observer.shadow_compared(self.pair, found)

    def _failed(self, exc: Exception) -> None:
        """The log tells of a trouble once."""
        if not self._failing:
            expected = isinstance(exc, DirdetError)
            log.warning("shadow: %s: the candidate failed: %s", self.pair, exc, exc_info=None if expected else exc)
        self._failing = True
        with self._changed:
            self._tally.failed += 1
        self._observer.shadow_failed(self.pair)


class ShadowedRequest:
    """A request of whose pictures a candidate computes what it has time for."""

    def __init__(self, shadow: Shadow, options: DetectOptions, *, same_canvas: bool) -> None:
        """Holds nothing.

        Args:
            shadow: computes.
            options: what was asked, in words that both detectors understand.
            same_canvas: both detectors take the same one.
        """
        self._shadow = shadow
        self._options = options
        self._same_canvas = same_canvas

    def offer(self, picture: Image.Image, placed: PlacedPicture) -> Offer | None:
        """One of its pictures, as it was decoded and as it is detected on; None if there is no room for it."""
        return self._shadow.offer(placed if self._same_canvas else picture, self._options)
