"""Who may come in: places and bytes for the requests under way, and no request that would wait in vain."""

import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import anyio

from dirdet.deadline import Deadline
from dirdet.errors import OverloadedError
from dirdet.limits import ServerLimits
from dirdet.observing import SILENT, Observer
from dirdet.pace import Pace

# Of a request's time, what it may take by the pace so far; the rest is for error.
EXPECTED_SHARE = 0.8


class Admission:
    """Counts what is under way in this process; for one thread, the event loop's.

    A request is refused at once, rather than kept until its deadline, when its places or bytes are not there, or when
    those before it will, by the pace of the last pictures, take longer than it has.
    """

    def __init__(self, limits: ServerLimits, observer: Observer = SILENT) -> None:
        """Everything is free."""
        self._limits = limits
        self._observer = observer
        self._pace = Pace()
        self._places = 0
        self._bytes = 0
        self._waiting = 0

    @property
    def places(self) -> int:
        """Pictures of the requests under way; a request whose body is still coming counts as one."""
        return self._places

    @property
    def body_bytes(self) -> int:
        """Bytes of the bodies under way, received or announced."""
        return self._bytes

    @contextmanager
    def admit(self, deadline: Deadline, *, announced_bytes: int, detector: str) -> "Generator[Seat]":
        """A seat for a request of whose body nothing is read yet; it is left at the end of the block.

        Args:
            deadline: of the request.
            announced_bytes: the length its body is said to have; 0 if nothing is said.
            detector: which is to answer.

        Raises:
            OverloadedError: there is no room.
        """
        self.check_wait(deadline)
        seat = Seat(self, deadline, detector)
        try:
            seat.take_places(1)
            seat.take_bytes(announced_bytes)
            yield seat
        finally:
            seat.leave()

    def check_wait(self, deadline: Deadline) -> None:
        """Refuses a request whose turn would come too late.

        Raises:
            OverloadedError: says how long those before it take.
        """
        # Its own batch takes its time too, and may be full; where nobody waits, even the slowest engine is worth a try.
        batch = min(self._waiting, self._limits.max_batch)
        wait_s = (self._waiting + batch) * self._pace.per_picture_s
        if wait_s > EXPECTED_SHARE * max(deadline.left_s, 0):
            self._refuse(
                "wait",
                f"with the {self._waiting} pictures before it, this request would take about {wait_s:.1f} s; it has "
                f"{deadline.timeout_s:g} s",
            )

    def take_places(self, number: int) -> None:
        """For a seat.

        Raises:
            OverloadedError: not so many are free.
        """
        if self._places + number > self._limits.max_queue:
            self._refuse("queue", f"{self._places} of {self._limits.max_queue} places for pictures are taken")
        self._change(places=number)

    def take_bytes(self, number: int) -> None:
        """For a seat.

        Raises:
            OverloadedError: not so many are free.
        """
        if self._bytes + number > self._limits.max_queue_bytes:
            limit_mib = self._limits.max_queue_bytes / 2**20
            self._refuse("bytes", f"the requests under way fill the {limit_mib:g} MiB there are for their bodies")
        self._change(body_bytes=number)

    def give_back(self, places: int, body_bytes: int) -> None:
        """From a seat."""
        self._change(places=-places, body_bytes=-body_bytes)

    def body_came(self, seconds: float, detector: str) -> None:
        """A request's body is read, so long after the request to a detector came."""
        self._observer.stage_ended("body", seconds, detector=detector)

    def pictures_came(self, number: int) -> None:
        """So many pictures begin to wait."""
        self._waiting += number
        self._pace.work_came(time.monotonic())

    def pictures_went(self, number: int, *, answered: bool) -> None:
        """So many pictures wait no more."""
        self._waiting -= number
        if answered:
            for _ in range(number):
                self._pace.answered(time.monotonic())
        if not self._waiting:
            self._pace.work_ended()

    def _change(self, *, places: int = 0, body_bytes: int = 0) -> None:
        self._places += places
        self._bytes += body_bytes
        self._observer.queue_changed(self._places, self._bytes)

    def _refuse(self, reason: str, message: str) -> None:
        self._observer.shed(reason)
        # By then about half of what is under way is answered.
        retry_after_s = min(self._waiting * self._pace.per_picture_s / 2, 60.0)
        raise OverloadedError(message, retry_after_s=retry_after_s)


class Seat:
    """What one request holds, until it is left.

    Attributes:
        deadline: until when the request is to be answered.
        stage: what happens to it now, for who is told that its time is over.
    """

    def __init__(self, admission: Admission, deadline: Deadline, detector: str) -> None:
        """Holds nothing yet."""
        self._detector = detector
        self.deadline = deadline
        self.stage = "while its body came in"
        self._admission = admission
        self._places = 0
        self._bytes = 0
        self._received = 0
        self._waiting = 0

    def take_places(self, number: int) -> None:
        """Holds more places.

        Raises:
            OverloadedError: not so many are free.
        """
        self._admission.take_places(number)
        self._places += number

    def take_bytes(self, number: int) -> None:
        """Holds more bytes.

        Raises:
            OverloadedError: not so many are free.
        """
        self._admission.take_bytes(number)
        self._bytes += number

    def received(self, number: int) -> None:
        """So many bytes of the body came; those that were not announced are counted now.

        Raises:
            OverloadedError: there is no room for them.
        """
        self._received += number
        if self._received > self._bytes:
            self.take_bytes(self._received - self._bytes)

    def begin(self, pictures: int) -> None:
        """The body is read; so many pictures begin to wait.

        Raises:
            OverloadedError: there is no room for so many, or meanwhile too many came before them.
        """
        self._admission.body_came(self.deadline.timeout_s - self.deadline.left_s, self._detector)
        self._admission.check_wait(self.deadline)
        self.take_places(max(pictures - self._places, 0))
        self._waiting += pictures
        self._admission.pictures_came(pictures)
        self.stage = "while its pictures were decoded and waited for the detector"

    def answered(self, pictures: int = 1) -> None:
        """So many of its pictures have their answer, be it an error."""
        self._waiting -= pictures
        self._admission.pictures_went(pictures, answered=True)

    def leave(self) -> None:
        """Gives everything back."""
        self._admission.pictures_went(self._waiting, answered=False)
        self._admission.give_back(self._places, self._bytes)
        self._waiting = self._places = self._bytes = 0


@asynccontextmanager
async def within_deadline(seat: Seat) -> AsyncGenerator[None]:
    """Ends the block when the request's time is over.

    Raises:
        DeadlineError: it was; names the stage.
    """
    with anyio.move_on_after(seat.deadline.left_s) as scope:
        yield
    if scope.cancelled_caught:
        raise seat.deadline.missed(seat.stage)
