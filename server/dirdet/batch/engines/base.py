"""The interfaces between a job and its engine."""

import threading
from collections.abc import Callable, Hashable
from queue import SimpleQueue
from typing import NamedTuple, Protocol, TypeVar

from dirdet.batch.job_record import DetectorRecord
from dirdet.batch.parts import MissingParts
from dirdet.batch.rows import PartRows
from dirdet.batch.source_picture import Entry
from dirdet.detection import Detection
from dirdet.detector.options import Described, Settings
from dirdet.errors import DirdetError, PictureError

P = TypeVar("P")


class EngineChangedError(DirdetError):
    """The engine is no longer the one that the job started with."""


class DetectedPicture(NamedTuple):
    """Detections of one picture.

    Attributes:
        picture_hw: the upright picture's height and width, pixels.
        detections: most confident first.
    """

    picture_hw: tuple[int, int]
    detections: list[Detection]


class Stage(Protocol[P]):
    """Reads pictures and computes on them for a pipeline; P is a picture that is read.

    Attributes:
        in_flight: most batches that are submitted at once.
        seconds: time in which at least one batch was computed.
        notes: messages for the user while the job runs.
    """

    in_flight: int
    notes: SimpleQueue[str]

    @property
    def seconds(self) -> float: ...

    @property
    def partly(self) -> float:
        """Of pictures under way the shares that are done, added up."""
        ...

    def read(self, entry: Entry) -> P:
        """Reads a picture; safe to call from several threads.

        Raises:
            PictureError: it cannot be read.
        """
        ...

    def kind(self, picture: P) -> Hashable:
        """Pictures of equal kind may share a batch."""
        ...

    def submit(self, pictures: list[P]) -> Callable[[], list[DetectedPicture | PictureError]]:
        """Submits a batch and returns a function that waits for its result.

        The returned function raises DirdetError if the engine cannot compute the batch.
        """
        ...

    def close(self) -> None:
        """Cancels the batches under way; the stage is not used afterwards."""
        ...


class Work(Protocol):
    """A job's computation, which runs in other threads.

    Attributes:
        done: set when all threads have ended.
        error: why the computation failed; None while it runs, after success, and after `stop`.
        pictures: number of pictures done in this run.
        failures: those of them that could not be read.
        notes: messages for the user while the job runs.
    """

    done: threading.Event
    error: BaseException | None
    pictures: int
    failures: int
    notes: SimpleQueue[str]

    @property
    def progress(self) -> float:
        """Pictures done in this run, and the shares of those under way."""
        ...

    @property
    def engine_seconds(self) -> float: ...

    @property
    def read_seconds(self) -> float | None:
        """Time of reading and decoding, summed over the threads; None if it is not measured in this process."""
        ...

    def start(self, missing: MissingParts) -> None: ...

    def stop(self) -> None:
        """Asks the threads to end; incomplete parts are discarded."""
        ...


class ResultHandlers(NamedTuple):
    """Callbacks for the results of a job.

    Attributes:
        write: takes the rows of each part; an error that it raises ends the job.
        failed: takes each picture that could not be read; an error that it raises ends the job.
    """

    write: Callable[[int, PartRows], None]
    failed: Callable[[Entry, PictureError], None]


class JobEngine(Protocol):
    """The engine of a job."""

    @property
    def described(self) -> Described:
        """The detector's description for options and conditions."""
        ...

    @property
    def detector(self) -> DetectorRecord:
        """The detector's identity, on which the numbers depend."""
        ...

    def begin(self) -> str:
        """Makes the engine ready, and returns a short description of it, on which the numbers depend.

        Raises:
            DirdetError: it cannot compute.
        """
        ...

    def work(self, settings: Settings, *, workers: int, handlers: ResultHandlers) -> Work:
        """Creates the job's computation without starting it.

        Args:
            settings: of the detections.
            workers: threads that read.
            handlers: receive the results.
        """
        ...

    def close(self) -> None: ...
