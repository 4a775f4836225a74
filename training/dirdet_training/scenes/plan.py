"""What a data set shall hold: the seed and how many scenes of each split."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from dirdet_training.scenes.difficulty import DIFFICULTIES
from dirdet_training.scenes.errors import ScenesError
from dirdet_training.scenes.taxonomy import SPLITS

# Leaves room for image ids: those of one difficulty never meet those of the next.
_MOST_SCENES = 1_000_000


@dataclass(frozen=True)
class Job:
    """One scene to make.

    Attributes:
        split: train, val or test.
        difficulty_index: position in `DIFFICULTIES`.
        index: from 0 within split and difficulty.
    """

    split: str
    difficulty_index: int
    index: int

    @property
    def difficulty_name(self) -> str:
        """Easy or hard."""
        return DIFFICULTIES[self.difficulty_index].name

    @property
    def file_name(self) -> str:
        """Where the picture goes, relative to the data set."""
        return f"{self.split}/{self.difficulty_name}/{self.index:06d}.jpg"

    @property
    def image_id(self) -> int:
        """A number that no other scene of the split has."""
        return self.difficulty_index * _MOST_SCENES + self.index + 1


@dataclass(frozen=True)
class Plan:
    """The data set's size and seed.

    Attributes:
        seed: not negative.
        train, val, test: scenes of each difficulty.
    """

    seed: int = 0
    train: int = 2000
    val: int = 200
    test: int = 400

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
            ScenesError: a number is negative or there are too many scenes.
        """
        if self.seed < 0:
            raise ScenesError(f"seed: expected 0 or more, found {self.seed}")
        for split in SPLITS:
            if not 0 <= self.scenes_of(split) < _MOST_SCENES:
                raise ScenesError(f"{split}: expected 0 to {_MOST_SCENES - 1} scenes, found {self.scenes_of(split)}")

    def scenes_of(self, split: str) -> int:
        """Scenes of a split, of each difficulty."""
        return {"train": self.train, "val": self.val, "test": self.test}[split]

    def jobs(self) -> list[Job]:
        """All scenes, in the order of the annotation files."""
        return [
            Job(split, difficulty_index, index)
            for split in SPLITS
            for difficulty_index in range(len(DIFFICULTIES))
            for index in range(self.scenes_of(split))
        ]

    def settings(self) -> dict[str, Any]:
        """Everything that was chosen, for scenes.json."""
        difficulties = [dataclasses.asdict(difficulty) for difficulty in DIFFICULTIES]
        return {"plan": dataclasses.asdict(self), "difficulties": difficulties}
