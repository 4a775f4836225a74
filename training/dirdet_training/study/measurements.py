"""Makes each measurement of a study once: of a run, on a split, under an NMS."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from dirdet.quality.average_precision import coco_objects
from dirdet_training.nms.ranks import Candidates, MissingHeadError
from dirdet_training.rivals.tuning import Trial
from dirdet_training.study.collected import Collected, load
from dirdet_training.study.ledger import Ledger, Measured
from dirdet_training.study.measure import Ranked, correlations, precisions, spread_of_gain
from dirdet_training.study.row_rankings import Way

# The split on which settings are chosen, and the split that is reported.
Split = Literal["tune", "report"]
SPLITS: tuple[Split, ...] = ("tune", "report")
CORRELATIONS = "correlations"


@dataclass(frozen=True)
class Run:
    """One checkpoint whose candidates are collected.

    Attributes:
        role: the role of its detector in the study.
        config: the name of its config.
        seed: the seed of its training.
        checkpoint: the file.
        files: the files of candidates by split.
        nms_iou_threshold: the config's threshold, which untuned ways use.
        max_detections: the config's limit of detections in a picture.
    """

    role: str
    config: str
    seed: int
    checkpoint: Path
    files: Mapping[Split, Path]
    nms_iou_threshold: float = 0.5
    max_detections: int = 100

    def untuned(self, way: Way) -> Trial:
        """Returns a way with the settings of its paper and this detector's threshold."""
        return Trial(way.suppression, self.nms_iou_threshold)


@dataclass(frozen=True)
class Gain:
    """A gain on the reported split, of a ranking of a checkpoint over another ranking of any checkpoint."""

    run: Run
    trial: Trial
    over: Run
    by: Trial

    @property
    def trivial(self) -> bool:
        """Whether both rankings are the same."""
        return (self.run, self.trial) == (self.over, self.by)

    @property
    def key(self) -> str:
        """The gain's key in the run's ledger."""
        return f"{_key(self.run, self.trial)} over {self.over.files['report'].stem} {_key(self.over, self.by)}"


class Measurer:
    """Makes measurements and stores them in ledgers."""

    def __init__(self, folder: Path, annotations: Mapping[Split, Path]) -> None:
        """Stores the settings; files are read later.

        Args:
            folder: the folder of the ledgers.
            annotations: COCO JSON of each split.
        """
        self.folder = folder
        self.annotations = annotations
        self.objects = cache(self._objects)
        self.collected = cache(load)
        self.ledger = cache(self._ledger)

    def _objects(self, split: Split) -> Any:  # noqa: ANN401
        return coco_objects(self.annotations[split])

    def _ledger(self, candidates: Path) -> Ledger:
        return Ledger(self.folder / f"{candidates.stem}.json")

    def candidates(self, run: Run, split: Split) -> Collected:
        """Returns a run's candidates on a split."""
        return self.collected(run.files[split])

    def applies(self, run: Run, way: Way) -> bool:
        """Checks whether the run's detector predicts the values that a way ranks by."""
        pictures = self.candidates(run, "report").candidates[:1]
        if way.needs is not None and any(way.needs not in picture.judgements for picture in pictures):
            return False
        return all(_can(picture, run.untuned(way)) for picture in pictures)

    def measure(self, run: Run, split: Split, trial: Trial) -> Measured:
        """Returns AP and its parts, and measures them if they are not stored."""
        return self.ledger(run.files[split]).figures(
            _key(run, trial), lambda: precisions(self._ranked(run, split, trial), self.objects(split))
        )

    def known(self, run: Run, split: Split, trial: Trial) -> Measured | None:
        """Returns the stored AP and its parts; None if they are not measured."""
        measured = _key(run, trial) in self.ledger(run.files[split])
        return self.measure(run, split, trial) if measured else None

    def _ranked(self, run: Run, split: Split, trial: Trial) -> Ranked:
        return Ranked(self.candidates(run, split), trial, run.max_detections)

    def spread(self, gain: Gain) -> Measured:
        """Returns the standard deviation of a gain over pictures, and measures it if it is not stored."""
        return self.ledger(gain.run.files["report"]).figures(
            gain.key,
            lambda: spread_of_gain(
                self._ranked(gain.run, "report", gain.trial),
                self._ranked(gain.over, "report", gain.by),
                self.objects("report"),
            ),
        )

    def known_spread(self, gain: Gain) -> Measured:
        """Returns the stored standard deviation of a gain over pictures; empty if it is not measured."""
        return self.spread(gain) if gain.key in self.ledger(gain.run.files["report"]) else {}

    def correlate(self, run: Run) -> Measured:
        """Returns the correlations on the reported split, and measures them if they are not stored."""
        return self.ledger(run.files["report"]).figures(
            CORRELATIONS, lambda: correlations(self.candidates(run, "report"))
        )

    def known_correlations(self, run: Run) -> Measured:
        """Returns the stored correlations on the reported split; empty if they are not measured."""
        return self.correlate(run) if CORRELATIONS in self.ledger(run.files["report"]) else {}


def _key(run: Run, trial: Trial) -> str:
    return f"{trial!r} at most {run.max_detections}"


def _can(candidates: Candidates, trial: Trial) -> bool:
    try:
        trial.suppression(candidates, trial.iou_threshold)
    except MissingHeadError:
        return False
    return True
