"""The checkpoints of a study: those that exist and those that it still has to train."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from dirdet.errors import ParameterError
from dirdet_training.annotations.classes import class_names
from dirdet_training.mm.checkpoints import read_checkpoint
from dirdet_training.mm.configs import read_config
from dirdet_training.mm.own_data import point_at_data, set_classes
from dirdet_training.study.errors import StudyError
from dirdet_training.study.presets import Detector, Preset, with_config

USED = "used.json"


@dataclass(frozen=True)
class Training:
    """One checkpoint that the study needs.

    Attributes:
        role: the role of its detector.
        detector: the detector.
        seed: the seed of the training.
        checkpoint: the path of the checkpoint, whether it exists or not.
        start: the initial weights of the training; None for the config's.
        total_steps: the number of steps of the training.
        elsewhere: whether it was trained outside this study.
    """

    role: str
    detector: Detector
    seed: int
    checkpoint: Path
    start: Path | None
    total_steps: int
    elsewhere: bool = False

    @property
    def done(self) -> bool:
        """Whether the checkpoint exists."""
        return self.checkpoint.is_file()

    def steps_left(self) -> int:
        """The steps after the newest checkpoint; all steps if the schedule is in epochs."""
        if self.done:
            return 0
        made = [int(path.stem.removeprefix("iter_")) for path in self.checkpoint.parent.glob("iter_*.pth")]
        return self.total_steps - max(made, default=0)


@dataclass
class Plan:
    """A preset with its data folder and its work folder.

    Attributes:
        preset: the preset.
        work: the folder of all outputs of the study.
        data: the data set's folder; None for the configs' own.
        used: checkpoints trained elsewhere, by role and seed.
        start: the initial weights of the trainings that do not start from another training; None for the configs' own.
        classes_from: COCO JSON or text file with the classes of the data; None for the configs' own.
    """

    preset: Preset
    work: Path
    data: Path | None = None
    used: dict[str, dict[int, Path]] = field(default_factory=dict[str, dict[int, Path]])
    start: Path | None = None
    classes_from: Path | None = None

    def with_seeds(self, number: int | None) -> "Plan":
        """Returns the plan with seeds 0 to number - 1; the same plan if number is None."""
        return self if number is None else replace(self, preset=replace(self.preset, seeds=tuple(range(number))))

    def config(self, detector: Detector) -> Config:
        """Returns a detector's config, pointed at the data."""
        cfg = read_config(detector.config)
        if self.data is not None:
            point_at_data(cfg, self.data)
        if self.classes_from is not None:
            set_classes(cfg, class_names(self.classes_from))
        cfg.merge_from_dict(dict(detector.settings))
        cfg.work_dir = str(self.work / "mmengine")
        return cfg

    def trainings(self) -> Iterator[Training]:
        """Lists all checkpoints in an order in which they can be trained."""
        detectors = self.preset.detectors
        roles = sorted(detectors, key=lambda role: detectors[role].begins_with is not None)
        made: dict[tuple[str, int], Path] = {}
        for role in roles:
            detector = detectors[role]
            seeds = self.preset.seeds[: detector.seeds]
            length, unit, steps = _schedule(self.config(detector), detector.steps)
            used = self.used.get(role, {})
            for seed in dict.fromkeys((*used, *(() if used else seeds))):
                # Equal trainings of several roles are one training.
                changed = f"_{role}" if detector.settings else ""
                folder = self.work / "trained" / f"{Path(detector.config).stem}{changed}_seed{seed}"
                checkpoint = used.get(seed, folder / f"{unit}_{length}.pth")
                start = made.get((detector.begins_with, seed)) if detector.begins_with else self.start
                training = Training(role, detector, seed, checkpoint, start, steps, elsewhere=seed in used)
                made[role, seed] = checkpoint
                yield training


def _schedule(cfg: Config, steps: int | None) -> tuple[int, str, int]:
    """Returns a training's length, its unit in the checkpoints' names (iter or epoch), and its steps (0 if unknown)."""
    train = cfg.train_cfg
    if steps is not None:
        return steps, "iter", steps
    if "max_iters" in train:
        return int(train.max_iters), "iter", int(train.max_iters)
    return int(train.max_epochs), "epoch", 0


def use_checkpoints(plan: Plan, given: list[tuple[str, Path]], *, trust_checkpoint: bool) -> None:
    """Adds checkpoints that were trained elsewhere to the plan, with those that an earlier run added.

    A checkpoint's seed is the recorded one; if none is recorded, or the seed is in use, it is the next free number.

    Raises:
        ParameterError: no detector of the preset has that config.
        CheckpointError: a checkpoint cannot be read.
        StudyError: the file that an earlier run wrote is broken.
    """
    path = plan.work / USED
    others: list[dict[str, Any]] = []
    for config, seed, checkpoint in _earlier(path):
        try:
            plan.preset, role = with_config(plan.preset, config)
        except ParameterError:  # this run leaves its detector out
            others.append({"config": config, "seed": seed, "checkpoint": str(checkpoint)})
        else:
            plan.used.setdefault(role, {})[seed] = checkpoint
    for config, checkpoint in given:
        plan.preset, role = with_config(plan.preset, config)
        taken = plan.used.setdefault(role, {})
        if checkpoint.resolve() in taken.values():
            continue
        meta = read_checkpoint(checkpoint, trust_checkpoint=trust_checkpoint).get("meta") or {}
        taken[_seed(meta, taken)] = checkpoint.resolve()
    if plan.used:
        rows = [
            {"config": plan.preset.detectors[role].config, "seed": seed, "checkpoint": str(checkpoint)}
            for role, checkpoints in plan.used.items()
            for seed, checkpoint in checkpoints.items()
        ]
        plan.work.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(others + rows, indent=1), encoding="utf-8")


def _earlier(path: Path) -> list[tuple[str, int, Path]]:
    if not path.is_file():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [(row["config"], int(row["seed"]), Path(row["checkpoint"])) for row in rows]
    except (ValueError, KeyError, TypeError) as exc:
        raise StudyError(f"{path} is broken ({type(exc).__name__}: {exc}); delete it and name --use again") from exc


def _seed(meta: Mapping[str, Any], taken: Mapping[int, Path]) -> int:
    told = meta.get("seed")
    if isinstance(told, int) and told not in taken:
        return told
    return next(number for number in range(len(taken) + 1) if number not in taken)
