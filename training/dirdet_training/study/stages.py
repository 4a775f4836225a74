"""The stages of a study; each stage skips the work whose output exists."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mmengine.config import Config

from dirdet.files import MOST_ANNOTATIONS_BYTES, read_regular
from dirdet_training.mm.collecting import candidates_path, collect
from dirdet_training.mm.speed import frames_per_second
from dirdet_training.study.errors import StudyError
from dirdet_training.study.estimate import Left, left
from dirdet_training.study.gains import single_gains
from dirdet_training.study.measurements import SPLITS, Measurer, Run, Split
from dirdet_training.study.pictures import figure_5
from dirdet_training.study.plan import Plan, Training
from dirdet_training.study.plots import figure_2, figure_4
from dirdet_training.study.training import train
from dirdet_training.study.tune import jobs, tuned_jobs, ways_of
from dirdet_training.study.write import write

T = TypeVar("T")
# Shows progress over items with a label.
Progress = Callable[[Sequence[T], str], Iterable[T]]
STAGES = ("train", "collect", "measure", "speed", "tables", "plots")
# The judge of each way for which Table 3 has an FPS.
TIMED = {"score": None, "foresight_iou": "foresight_iou", "foresight": "foresight", "iou": "iou", "dir": "dir"}
TIMED_PICTURES = 20
FIGURE_5_PICTURES = 6


@dataclass(frozen=True)
class Study:
    """A study: a plan with the files of its splits.

    Attributes:
        plan: the plan of the study.
        annotations: COCO JSON of each split.
        trust_checkpoint: allow pickled objects in checkpoints.
        skip_broken: leave broken annotations out instead of refusing the file.
    """

    plan: Plan
    annotations: dict[Split, Path]
    trust_checkpoint: bool = False
    skip_broken: bool = False

    @property
    def work(self) -> Path:
        """The folder of all outputs of the study."""
        return self.plan.work

    def measurer(self) -> Measurer:
        """The measurer of the study's rows."""
        return Measurer(self.work / "figures", self.annotations)

    def _file(self, cfg: Config, checkpoint: Path, split: Split) -> Path:
        return candidates_path(self.work / "candidates", cfg, checkpoint, self.annotations[split])

    def runs(self) -> list[Run]:
        """Lists the checkpoints whose candidates on both splits are stored."""
        found: list[Run] = []
        for training in self.plan.trainings():
            if not training.done:
                continue
            cfg = self.plan.config(training.detector)
            files: dict[Split, Path] = {split: self._file(cfg, training.checkpoint, split) for split in SPLITS}
            if all(path.is_file() for path in files.values()):
                rcnn = cfg.model.test_cfg.rcnn
                found.append(
                    Run(
                        training.role,
                        training.detector.config,
                        training.seed,
                        training.checkpoint,
                        files,
                        float(rcnn.nms.iou_threshold),
                        int(rcnn.max_per_img),
                    )
                )
        return found

    def estimate(self, stages: Sequence[str]) -> list[Left]:
        """Estimates the remaining work of the stages and its time on this machine."""
        pictures: dict[Split, int] = {split: _pictures(self.annotations[split]) for split in SPLITS}
        passes: list[tuple[Training, int]] = []
        rankings = 0
        for training in self.plan.trainings():
            cfg = self.plan.config(training.detector)
            missing = {
                self.annotations[split]: number
                for split, number in pictures.items()
                if not training.done or not self._file(cfg, training.checkpoint, split).is_file()
            }
            if missing and "collect" in stages and (training.done or "train" in stages):
                passes.append((training, sum(missing.values())))
                rankings += sum(1 + len(way.trials) for way in ways_of(training.role).values())
        measurer = self.measurer()
        rankings += sum(measurer.known(*job) is None for job in jobs(measurer, self.runs()))
        parts = left(
            self.plan, passes=passes, rankings=rankings, ranked_pictures=max(pictures.values()), train="train" in stages
        )
        return [part for part in parts if part.stage != "measure" or "measure" in stages]

    def train(self, progress: Progress[Training]) -> None:
        """Makes the missing checkpoints, one after another."""
        trainings = list(self.plan.trainings())
        first = next((training for training in trainings if training.role == "faster"), None)
        for training in progress([training for training in trainings if not training.done], "train"):
            train(
                self.plan,
                training,
                keep_milestones=training == first,
                trust_checkpoint=self.trust_checkpoint,
            )

    def collect(self, progress: Progress[tuple[Training, Path]]) -> None:
        """Runs every trained checkpoint over both splits, and one training's milestones over the reported split."""
        wanted = [
            (training, path)
            for training in self.plan.trainings()
            if training.done
            for path in dict.fromkeys(self.annotations.values())
        ]
        for training, ann_file in progress(wanted, "collect"):
            self._collect(training, training.checkpoint, ann_file)
        for training, checkpoint in self._milestones():
            self._collect(training, checkpoint, self.annotations["report"])

    def _collect(self, training: Training, checkpoint: Path, ann_file: Path) -> None:
        collect(
            self.plan.config(training.detector),
            checkpoint,
            ann_file=ann_file,
            folder=self.work / "candidates",
            trust_checkpoint=self.trust_checkpoint,
            skip_broken=self.skip_broken,
        )

    def _milestones(self) -> list[tuple[Training, Path]]:
        """Lists the checkpoints of one training in order of their steps (Figure 2)."""
        for training in self.plan.trainings():
            if training.role == "faster" and training.done:
                kind = training.checkpoint.stem.partition("_")[0]
                beside = [path for path in training.checkpoint.parent.glob(f"{kind}_*.pth") if _number(path) >= 0]
                return [(training, path) for path in sorted(beside, key=_number)]
        return []

    def measure(self, progress: Progress[Any]) -> None:
        """Ranks the candidates in every way, chooses settings, and measures the chosen settings."""
        measurer, runs = self.measurer(), self.runs()
        for make, label in ((jobs, "measure"), (tuned_jobs, "measure what was chosen")):
            todo = [job for job in make(measurer, runs) if measurer.known(*job) is None]
            for run, split, trial in progress(todo, label):
                measurer.measure(run, split, trial)
        for run in runs:
            measurer.correlate(run)
        gains = [gain for gain in single_gains(measurer, runs) if not measurer.known_spread(gain)]
        for gain in progress(gains, "measure gains over pictures"):
            measurer.spread(gain)

    def time(self) -> None:
        """Times one checkpoint with each of its judges as the head that ranks."""
        path = self.work / "speed.json"
        run = next((run for run in self.runs() if run.role == "faster"), None)
        if path.is_file() or run is None:
            return
        cfg = self.plan.config(self.plan.preset.detectors["faster"])
        judges = cfg.model.roi_head.get("judges", {})
        there = {way: judge for way, judge in TIMED.items() if judge in (None, "dir") or judge in judges}
        measured = frames_per_second(
            cfg, run.checkpoint, there, pictures=TIMED_PICTURES, trust_checkpoint=self.trust_checkpoint
        )
        path.write_text(json.dumps(measured, indent=1), encoding="utf-8")

    def tables(self) -> Path:
        """Writes study.json and study.md from the measured figures; returns the path of study.md."""
        return write(self.work, self.measurer(), self.runs())

    def plots(self, *, outlines: bool = False) -> list[Path]:
        """Draws Figures 2, 4 and 5 of the first checkpoint with DIR; returns the written files.

        Args:
            outlines: draw Figure 5 without the pictures.
        """
        measurer = self.measurer()
        run = next((run for run in self.runs() if run.role == "faster"), None)
        if run is None:
            return []
        written: list[Path] = []
        if figure_4(self.work / "figure_4.svg", measurer.candidates(run, "report")):
            written.append(self.work / "figure_4.svg")
        stages = {
            checkpoint.stem: measurer.collected(file)
            for training, checkpoint in self._milestones()
            if (file := self._file(self.plan.config(training.detector), checkpoint, "report")).is_file()
        }
        if moments := figure_2(self.work / "figure_2.svg", stages):
            path = self.work / "figure_2.json"
            rows = {name: {"mean": mean, "deviation": deviation} for name, (mean, deviation) in moments.items()}
            path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
            written += [self.work / "figure_2.svg", path]
        pictures = self._picture_files(measurer)
        tuned_on = measurer.candidates(run, "tune")
        threshold = run.nms_iou_threshold
        return written + figure_5(
            self.work, tuned_on, pictures, count=FIGURE_5_PICTURES, iou_threshold=threshold, outlines=outlines
        )

    def _picture_files(self, measurer: Measurer) -> dict[int, Path]:
        from dirdet_training.mm.data import pictures_folder

        cfg = self.plan.config(self.plan.preset.detectors["faster"])
        folder = pictures_folder(cfg.test_dataloader.dataset)
        return {number: folder / image["file_name"] for number, image in measurer.objects("tune").imgs.items()}


def _number(path: Path) -> int:
    digits = path.stem.partition("_")[2]
    return int(digits) if digits.isdecimal() else -1


def _pictures(ann_file: Path) -> int:
    try:
        return len(json.loads(read_regular(ann_file, most_bytes=MOST_ANNOTATIONS_BYTES))["images"])
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise StudyError(f"annotations {ann_file} cannot be read ({type(exc).__name__}: {exc})") from exc
