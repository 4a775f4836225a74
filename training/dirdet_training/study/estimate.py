"""Estimates the time of the remaining work on this machine: a few steps are timed and extrapolated."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from dirdet_training.study.errors import StudyError
from dirdet_training.study.plan import Plan, Training
from dirdet_training.study.training import train_command

TIMED_STEPS = 6
# The first steps are slower, because they allocate and compile.
SKIPPED_STEPS = 2
# A step is a forward and a backward pass over a batch; a backward pass costs about two forward passes.
PASSES_IN_A_STEP = 3
# The approximate time of COCO's evaluation of one ranking on one core.
SECONDS_PER_RANKED_PICTURE = 0.01


@dataclass(frozen=True)
class Left:
    """One stage's remaining work and its time."""

    stage: str
    amount: str
    seconds: float


def step_seconds(plan: Plan, training: Training) -> float:
    """Returns the seconds per training step of a detector on this machine, which are timed once and stored.

    Raises:
        StudyError: the detector cannot be trained.
    """
    path = plan.work / "step_seconds.json"
    known: dict[str, float] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    name = training.detector.config
    if name not in known:
        known[name] = _time_steps(plan, training)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return known[name]


def _time_steps(plan: Plan, training: Training) -> float:
    with tempfile.TemporaryDirectory(prefix="dirdet-study-") as folder:
        short = replace(training, checkpoint=Path(folder) / "iter_0.pth", start=None, detector=training.detector)
        command = train_command(plan, short, keep_milestones=False)
        loop = "{'type':'IterBasedTrainLoop','max_iters':%d,'val_interval':1000}" % TIMED_STEPS  # noqa: UP031 - braces
        settings = [f"train_cfg={loop}", "default_hooks.logger.interval=1", "default_hooks.checkpoint.interval=1000"]
        command += [part for setting in settings for part in ("-o", setting)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        logs = sorted(Path(folder).glob("*/vis_data/scalars.json"))
        if ended.returncode or not logs:
            last = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise StudyError(f"a few steps of {training.detector.config} could not be timed: {last}")
        told = [json.loads(line) for line in logs[-1].read_text(encoding="utf-8").splitlines()]
    times = [row["time"] for row in told if "time" in row][SKIPPED_STEPS:]
    if not times:
        raise StudyError(f"a few steps of {training.detector.config} left no times in their log")
    return median(times)


def left(
    plan: Plan, *, passes: Sequence[tuple[Training, int]], rankings: int, ranked_pictures: int, train: bool = True
) -> list[Left]:
    """Estimates the remaining work of each stage.

    Args:
        plan: the study.
        passes: detectors that still have to process a number of pictures.
        rankings: the number of rows that still have to be measured.
        ranked_pictures: the number of pictures in each of them.
        train: whether trainings are included.

    Raises:
        StudyError: a detector cannot be trained.
    """
    found: list[Left] = []
    for training in plan.trainings() if train else ():
        steps = training.steps_left()
        if training.done:
            continue
        cfg = plan.config(training.detector)
        seconds = step_seconds(plan, training)
        steps = steps or _steps_of_epochs(plan, training)
        amount = f"{steps} steps of {cfg.train_dataloader.batch_size} pictures, {seconds:.2f} s each"
        found.append(Left(f"train {training.detector.config}, seed {training.seed}", amount, steps * seconds))
    pictures = sum(number for _, number in passes)
    if pictures:
        seconds = sum(
            number
            * step_seconds(plan, training)
            / PASSES_IN_A_STEP
            / plan.config(training.detector).train_dataloader.batch_size
            for training, number in passes
        )
        found.append(Left("collect candidates", f"{pictures} pictures, roughly", seconds))
    if rankings:
        amount = f"{rankings} rankings, roughly"
        found.append(Left("measure", amount, rankings * ranked_pictures * SECONDS_PER_RANKED_PICTURE))
    return found


def _steps_of_epochs(plan: Plan, training: Training) -> int:
    """Returns the steps of a schedule that is given in epochs."""
    from dirdet_training.mm.data import annotation_file, datasets

    cfg = plan.config(training.detector)
    pictures = sum(
        len(json.loads(annotation_file(dataset).read_text(encoding="utf-8"))["images"])
        for dataset in datasets(cfg.train_dataloader.dataset)
    )
    return -(-pictures // cfg.train_dataloader.batch_size) * int(cfg.train_cfg.max_epochs)


def shown(parts: Sequence[Left]) -> str:
    """Formats the estimate as text."""
    if not parts:
        return "Nothing is left to train, collect or measure."
    lines = [f"{part.stage}: {part.amount}: {_duration(part.seconds)}" for part in parts]
    return "\n".join([*lines, f"In all about {_duration(sum(part.seconds for part in parts))} on this machine."])


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min" if minutes else f"{seconds:.0f} s"
