"""An engine that finds as many boxes as it may, wherever it looks."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dirdet.engines.tensors import Candidates, CanvasBatch

T = TypeVar("T", bound=np.generic)


class Crowd:
    """Finds the same boxes on every canvas, best scored first."""

    def __init__(self, size: int) -> None:
        """With that many candidates."""
        random = np.random.default_rng(0)
        corner = random.uniform(0, 120, (size, 2))
        self._boxes = np.hstack([corner, corner + random.uniform(8, 70, (size, 2))]).astype(np.float32)
        self._score = np.linspace(0.99, 0.06, size, dtype=np.float32)
        self._fits = random.uniform(0.5, 1, (2, size)).astype(np.float32)
        self._class_id = random.integers(0, 3, size)

    @property
    def description(self) -> str:
        return "crowd"

    def ready(self) -> bool:
        return True

    def close(self) -> None:
        pass

    def detect(self, batch: CanvasBatch) -> Candidates:
        size, number = len(batch.canvas), len(self._score)

        def each(column: NDArray[T]) -> NDArray[T]:
            return np.repeat(column[None], size, axis=0)

        return Candidates(
            boxes_xyxy=each(self._boxes),
            class_id=each(self._class_id),
            score=each(self._score),
            purity=each(self._fits[0]),
            integrity=each(self._fits[1]),
            num_candidates=np.full(size, number),
            kept=each(np.arange(number)),
            num_detections=np.full(size, number),
        )
