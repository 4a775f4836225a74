"""The way from canvases to detections, whichever engine is at its end."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from dirdet.deadline import Deadline
from dirdet.detector import PlacedPicture
from dirdet.options import Settings
from dirdet.tensors import Candidates, CanvasBatch, Row


class Lane(Protocol):
    """Detects for many requests at once, each of which may be cancelled at any time."""

    @property
    def one_by_one(self) -> bool:
        """Whether a request's pictures are handed over each as soon as it is decoded, rather than together."""
        ...

    @property
    def busy_s(self) -> float:
        """For how long the engine has been at what it does now."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether nobody waits for the engine, so that work which nobody waits for may begin."""
        ...

    def coming(self) -> AbstractContextManager[None]:
        """Meanwhile a picture is on its way, for which others may wait a little."""
        ...

    async def detect(self, pictures: Sequence[PlacedPicture], settings: Settings, deadline: Deadline) -> list[Row]:
        """The engine's answer to each picture, of which `Detector.found` makes detections.

        Raises:
            DeadlineError: the time was over.
            EngineError: the engine did not answer.
            OverloadedError: the lane is closed.
        """
        ...

    async def infer(self, batch: CanvasBatch, deadline: Deadline) -> Candidates:
        """The engine's own answer to canvases, in their turn among the pictures'.

        Raises:
            DeadlineError: the time was over.
            EngineError: the engine did not answer.
            OverloadedError: the lane is closed.
        """
        ...

    def close(self) -> None:
        """Who still waits is told so; the engine stays open."""
        ...
