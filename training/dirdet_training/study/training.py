"""Trainings as processes of their own, each of which goes on where it was stopped."""

import subprocess
import sys
from pathlib import Path

from dirdet_training.study.begin import begin_with
from dirdet_training.study.errors import StudyError
from dirdet_training.study.plan import Plan, Training

# Figure 2 looks at a training at as many points.
MILESTONES = 4
# Beside a training's checkpoints: the weights that it began with.
BEGINNING = "beginning.pth"


def train_command(plan: Plan, training: Training, *, keep_milestones: bool) -> list[str]:
    """The `dirdet train` that makes a checkpoint, or goes on with it."""
    settings = [f"{name}={value!r}" for name, value in training.detector.settings.items()]
    steps = training.detector.steps
    if steps is not None:
        # Warm-up, then one cosine: the schedule of the scenes configs.
        settings += [f"train_cfg.max_iters={steps}", f"train_cfg.val_interval={steps + 1}"]
        settings += [f"param_scheduler.1.end={steps}"]
    if training.start is not None:
        settings.append(f"load_from={training.checkpoint.with_name(BEGINNING)}")
    if keep_milestones and training.total_steps:
        every = max(1, training.total_steps // MILESTONES)
        settings += [f"default_hooks.checkpoint.interval={every}", "default_hooks.checkpoint.max_keep_ckpts=-1"]
    command = [sys.executable, "-m", "dirdet", "train", training.detector.config, "--resume"]
    command += ["--work-dir", str(training.checkpoint.parent), "--seed", str(training.seed)]
    if plan.data is not None:
        command += ["--data", str(plan.data)]
    return command + [part for setting in settings for part in ("-o", setting)]


def train(plan: Plan, training: Training, *, keep_milestones: bool, trust_checkpoint: bool = False) -> Path:
    """Makes a checkpoint; what the training says goes to train.log beside it.

    Raises:
        CheckpointError: the weights that it begins with cannot be read.
        StudyError: the training failed, or left no checkpoint.
    """
    if training.done:
        return training.checkpoint
    if training.elsewhere:
        raise StudyError(f"checkpoint {training.checkpoint} is not there any more; --use named it")
    folder = training.checkpoint.parent
    folder.mkdir(parents=True, exist_ok=True)
    if training.start is not None:
        beginning = training.checkpoint.with_name(BEGINNING)
        begin_with(plan.config(training.detector), training.start, beginning, trust_checkpoint=trust_checkpoint)
    log = folder / "train.log"
    with log.open("ab") as file:
        process = subprocess.run(
            train_command(plan, training, keep_milestones=keep_milestones),
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if process.returncode or not training.done:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise StudyError(
            f"training {training.detector.config} with seed {training.seed} ended with status {process.returncode} "
            f"and {'a' if training.done else 'no'} {training.checkpoint.name}: {' '.join(last)}; see {log}"
        )
    return training.checkpoint
