"""The interface between requests and an engine, in this process or another."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from dirdet.detector.options import Settings
from dirdet.engines.tensors import Candidates
from dirdet.gateway.scheduling.deadline import Deadline
from dirdet.pictures.canvas import PlacedPicture


class Lane(Protocol):
    """Infers for many requests at once, each of which can be cancelled at any time."""

    @property
    def one_by_one(self) -> bool:
        """Whether each picture is handed over as soon as it is decoded, rather than all of a request together."""
        ...

    @property
    def busy_s(self) -> float:
        """Seconds since the oldest inference under way began."""
        ...

    def coming(self) -> AbstractContextManager[None]:
        """Announces a picture for the duration of the block; others may wait for it to share a batch."""
        ...

    async def detect(
        self, pictures: Sequence[PlacedPicture], settings: Settings, deadline: Deadline
    ) -> list[Candidates]:
        """The engine's answer to each picture, a batch of one; `found_in` turns it into detections.

        Raises:
            DeadlineError: the deadline passed.
            EngineError: the engine did not answer.
            OverloadedError: the lane is closed.
        """
        ...

    def close(self) -> None:
        """Takes no more pictures; the engine stays open."""
        ...
