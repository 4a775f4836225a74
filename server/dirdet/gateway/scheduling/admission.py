"""Admission control: limits on pictures and bytes under way, and refusal of requests that would be too late."""

import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import IO

import anyio

from dirdet.errors import OverloadedError, ParameterError, counted
from dirdet.gateway.scheduling.deadline import Deadline, WatchedFile
from dirdet.gateway.scheduling.instrumentation import SILENT, Observer
from dirdet.gateway.scheduling.server_limits import ServerLimits

# The expected duration may be this share of a request's time; the rest allows for error.
EXPECTED_SHARE = 0.8
# After so many pictures, the weight of an older one is about a third.
MEMORY = 64


class Pace:
    """Seconds of work per answered picture, over all stages; callers give the time.

    Only time with work counts. Under load it is the time between two answers, whichever stage is the slowest and
    however many pictures it works on at once.
    """

    def __init__(self) -> None:
        self._working_since_s: float | None = None
        self._worked_s = 0.0
        self._answered = 0.0

    @property
    def per_picture_s(self) -> float:
        """Seconds per picture; 0 before the first answer."""
        return self._worked_s / self._answered if self._answered else 0.0

    def work_came(self, now_s: float) -> None:
        """Work began, if there was none."""
        if self._working_since_s is None:
            self._working_since_s = now_s

    def answered(self, now_s: float) -> None:
        """A picture was answered."""
        keep = 1 - 1 / MEMORY
        begun_s = now_s if self._working_since_s is None else self._working_since_s
        self._worked_s = keep * self._worked_s + now_s - begun_s
        self._answered = keep * self._answered + 1
        self._working_since_s = now_s

    def work_ended(self) -> None:
        """All work ended."""
        self._working_since_s = None


class Admission:
    """Counts pictures and bytes under way in this process; for the event loop's thread only.

    A request is refused at once, rather than kept until its deadline, when there is no room for its pictures or bytes,
    or when the pictures before it will take too long at the pace of the last ones.
    """

    def __init__(self, limits: ServerLimits, observer: Observer = SILENT) -> None:
        self._limits = limits
        self._observer = observer
        self._pace = Pace()
        self._places = 0
        self._bytes = 0
        self._waiting = 0

    @property
    def max_tiles(self) -> int:
        """Most tiles of a request."""
        return self._limits.max_tiles

    @property
    def places(self) -> int:
        """Pictures of the requests under way; a request whose body has not arrived counts as one."""
        return self._places

    @property
    def body_bytes(self) -> int:
        """Bytes of the bodies under way, received or announced."""
        return self._bytes

    @contextmanager
    def admit(self, timeout_s: float, *, announced_bytes: int, detector: str) -> "Generator[Seat]":
        """A seat for a request whose body is not read yet; it is released at the end of the block.

        Args:
            timeout_s: from now to the request's deadline.
            announced_bytes: the announced length of the body, or 0.
            detector: its name.

        Raises:
            OverloadedError: there is no room.
        """
        deadline = Deadline.after(timeout_s)
        self.check_wait(deadline)
        seat = Seat(self, deadline, detector)
        try:
            seat.take_places(1)
            seat.take_bytes(announced_bytes)
            yield seat
        finally:
            seat.leave()

    def check_wait(self, deadline: Deadline) -> None:
        """Refuses a request that would miss its deadline.

        Raises:
            OverloadedError: with the expected duration.
        """
        # Its own batch counts too, as a full one. Without waiting pictures, even the slowest engine is tried.
        batch = min(self._waiting, self._limits.max_batch)
        wait_s = (self._waiting + batch) * self._pace.per_picture_s
        if wait_s > EXPECTED_SHARE * max(deadline.left_s, 0):
            self._refuse(
                "wait",
                f"with {counted(self._waiting, 'picture')} before it, this request would take about {wait_s:.1f} s; "
                f"it has {deadline.timeout_s:g} s",
            )

    def take_places(self, number: int) -> None:
        """Takes them for a seat.

        Raises:
            OverloadedError: not so many are free.
        """
        if self._places + number > self._limits.max_queue:
            self._refuse("queue", f"{self._places} of {self._limits.max_queue} places for pictures are taken")
        self._change(places=number)

    def take_bytes(self, number: int) -> None:
        """Takes them for a seat.

        Raises:
            OverloadedError: not so many are free.
        """
        if self._bytes + number > self._limits.max_queue_bytes:
            limit_mib = self._limits.max_queue_bytes / 2**20
            self._refuse("bytes", f"the requests under way fill the {limit_mib:g} MiB there are for their bodies")
        self._change(body_bytes=number)

    def give_back(self, places: int, body_bytes: int) -> None:
        self._change(places=-places, body_bytes=-body_bytes)

    def body_came(self, seconds: float, detector: str) -> None:
        """Records the seconds from the arrival of a request until its body was read."""
        self._observer.stage_ended("body", seconds, detector=detector)

    def pictures_came(self, number: int) -> None:
        """Counts pictures that begin to wait."""
        self._waiting += number
        self._pace.work_came(time.monotonic())

    def pictures_went(self, number: int, *, answered: bool) -> None:
        """Counts pictures that do not wait any more."""
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
        # About half of the waiting pictures are answered by then.
        retry_after_s = min(self._waiting * self._pace.per_picture_s / 2, 60.0)
        raise OverloadedError(message, retry_after_s=retry_after_s)


class Seat:
    """The places and bytes that one request holds.

    Attributes:
        deadline: of the request.
        stage: of the request now, for the message of a missed deadline.
    """

    def __init__(self, admission: Admission, deadline: Deadline, detector: str) -> None:
        self._detector = detector
        self.deadline = deadline
        self.stage = "while its body came in"
        self._admission = admission
        self._places = 0
        self._bytes = 0
        self._received = 0
        self._waiting = 0
        self._tiles = 0
        self._spare = 1  # places of the picture that is cut

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
        """Counts bytes of the body that arrived; only those beyond the announced length are new.

        Raises:
            OverloadedError: there is no room for them.
        """
        self._received += number
        if self._received > self._bytes:
            self.take_bytes(self._received - self._bytes)

    def begin(self, pictures: int) -> None:
        """The body is read, and its pictures begin to wait.

        Raises:
            OverloadedError: there is no room for them, or they would miss their deadline.
        """
        self._admission.body_came(self.deadline.timeout_s - self.deadline.left_s, self._detector)
        self._admission.check_wait(self.deadline)
        self.take_places(max(pictures - self._places, 0))
        self._waiting += pictures
        self._admission.pictures_came(pictures)
        self.stage = "while its pictures were decoded and waited for the detector"

    def cut(self, tiles: int, *, at_once: int) -> None:
        """A waiting picture is cut: each tile waits as a picture, and so many of them have places at once.

        Raises:
            ParameterError: the request has too many tiles.
            OverloadedError: there is no room for them.
        """
        self._tiles += tiles
        if self._tiles > self._admission.max_tiles:
            raise ParameterError(
                "tiles",
                f"the request's pictures make {self._tiles} tiles or more; at most {self._admission.max_tiles} "
                "(--max-tiles) are accepted: name larger tiles, or send the pictures in several requests",
            )
        self.take_places(max(min(tiles, at_once) - self._spare, 0))
        self._spare = max(self._spare, min(tiles, at_once))
        self._waiting += tiles - 1
        self._admission.pictures_came(tiles - 1)

    def watched(self, file: IO[bytes]) -> WatchedFile:
        """A picture's file whose decoding ends at the deadline."""
        return WatchedFile(file, partial(self.deadline.check, "while a picture was decoded"))

    def answered(self, pictures: int = 1) -> None:
        """Counts pictures that have their answer, which may be an error."""
        self._waiting -= pictures
        self._admission.pictures_went(pictures, answered=True)

    def leave(self) -> None:
        """Releases all places and bytes."""
        self._admission.pictures_went(self._waiting, answered=False)
        self._admission.give_back(self._places, self._bytes)
        self._waiting = self._places = self._bytes = 0


@asynccontextmanager
async def within_deadline(seat: Seat) -> AsyncGenerator[None]:
    """Cancels the block at the request's deadline.

    Raises:
        DeadlineError: the deadline passed; names the stage.
    """
    with anyio.move_on_after(seat.deadline.left_s) as scope:
        yield
    if scope.cancelled_caught:
        raise seat.deadline.missed(seat.stage)
