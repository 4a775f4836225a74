"""What a job knows of what computes."""

import threading
from collections.abc import Callable, Hashable
from queue import SimpleQueue
from typing import NamedTuple, Protocol, TypeVar

from dirdet.batch.entry import Entry
from dirdet.batch.job import DetectorTold
from dirdet.batch.missing import Missing
from dirdet.batch.rows import PartRows
from dirdet.detection import Detection
from dirdet.errors import DirdetError, PictureError
from dirdet.options import Described, Settings

P = TypeVar("P")


class EngineChangedError(DirdetError):
    """What computes is no longer what the job began with."""


class Seen(NamedTuple):
    """What was found in a picture.

    Attributes:
        picture_hw: the upright picture's height and width, pixels.
        detections: most confident first.
    """

    picture_hw: tuple[int, int]
    detections: list[Detection]


class Stage(Protocol[P]):
    """What a pipeline reads pictures with and computes on them with; P is a picture that is read.

    Attributes:
        in_flight: batches that it is given at once.
        seconds: in which it computed at least one.
        notes: what its user should know meanwhile.
    """

    in_flight: int
    notes: SimpleQueue[str]

    @property
    def seconds(self) -> float: ...  # noqa: D102 - see the class

    def read(self, entry: Entry) -> P:
        """Reads; safe to call from several threads.

        Raises:
            PictureError: it cannot be read.
        """
        ...

    def kind(self, picture: P) -> Hashable:
        """Pictures of one kind may share a batch."""
        ...

    def submit(self, pictures: list[P]) -> Callable[[], list[Seen | PictureError]]:
        """Begins a batch; what is returned waits for its end.

        Raises, when called:
            DirdetError: the engine could not compute it.
        """
        ...

    def close(self) -> None:
        """Ends, and drops what is under way; it is not used afterwards."""
        ...


class Work(Protocol):
    """A job's work, done in other threads.

    Attributes:
        done: set when all of it has ended.
        error: why it did not come to its end; None while it runs, where it did, and where it was told to stop.
        pictures: done in this run.
        failures: of these, those that could not be read.
        notes: what the user should know meanwhile.
    """

    done: threading.Event
    error: BaseException | None
    pictures: int
    failures: int
    notes: SimpleQueue[str]

    @property
    def engine_seconds(self) -> float:
        """In which the engine computed."""
        ...

    @property
    def read_seconds(self) -> float | None:
        """Of reading and decoding, all threads together; None where nobody here measures it."""
        ...

    def start(self, missing: Missing) -> None:
        """Begins."""
        ...

    def stop(self) -> None:
        """Tells it to end; a part that is not whole is given up."""
        ...


class Sink(NamedTuple):
    """Where the results go.

    Attributes:
        write: takes the rows of each part; what it raises ends the job.
        failed: is told each picture that could not be read; what it raises ends the job.
    """

    write: Callable[[int, PartRows], None]
    failed: Callable[[Entry, PictureError], None]


class JobEngine(Protocol):
    """What a job computes with."""

    @property
    def described(self) -> Described:
        """The detector, as far as options and conditions depend on it."""
        ...

    @property
    def detector(self) -> DetectorTold:
        """The detector, as far as the numbers depend on it."""
        ...

    def begin(self) -> str:
        """Makes it ready, and says in a few words what computes, as far as the numbers depend on it.

        Raises:
            DirdetError: it cannot compute.
        """
        ...

    def work(self, settings: Settings, *, workers: int, sink: Sink) -> Work:
        """The job's work, not begun.

        Args:
            settings: which detections are wanted.
            workers: threads that read.
            sink: where the results go.
        """
        ...

    def close(self) -> None:
        """Frees what it holds."""
        ...
