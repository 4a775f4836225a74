"""Runs trainings as separate processes; a stopped training is resumed."""

import subprocess
import sys
from pathlib import Path

import torch

from dirdet_training.study.errors import StudyError
from dirdet_training.study.initial_weights import begin_with
from dirdet_training.study.plan import Plan, Training

# The number of points of a training in Figure 2.
MILESTONES = 4
# The file of a training's initial weights, in the folder of its checkpoints.
BEGINNING = "beginning.pth"


def train_command(plan: Plan, training: Training, *, keep_milestones: bool) -> list[str]:
    """Returns the `dirdet train` command that makes a checkpoint or resumes its training; torchrun for several GPUs."""
    settings = [f"{name}={value!r}" for name, value in training.detector.settings.items()]
    steps = training.detector.steps
    if steps is not None:
        # Warm-up, then one cosine, as in the scenes configs.
        settings += [f"train_cfg.max_iters={steps}", f"train_cfg.val_interval={steps + 1}"]
        settings += [f"param_scheduler.1.end={steps}"]
    if training.start is not None:
        settings.append(f"load_from={training.checkpoint.with_name(BEGINNING)}")
    if keep_milestones and training.total_steps:
        every = max(1, training.total_steps // MILESTONES)
        settings += [f"default_hooks.checkpoint.interval={every}", "default_hooks.checkpoint.max_keep_ckpts=-1"]
    gpus = torch.cuda.device_count()
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={gpus}"] if gpus > 1 else []
    command = [sys.executable, *launcher, "-m", "dirdet", "train", training.detector.config, "--resume"]
    command += ["--work-dir", str(training.checkpoint.parent), "--seed", str(training.seed)]
    if plan.data is not None:
        command += ["--data", str(plan.data)]
    if plan.classes_from is not None:
        command += ["--classes-from", str(plan.classes_from)]
    return command + [part for setting in settings for part in ("-o", setting)]


def train(plan: Plan, training: Training, *, keep_milestones: bool, trust_checkpoint: bool = False) -> Path:
    """Makes a checkpoint; the training's output is written to train.log in the same folder.

    Raises:
        CheckpointError: the initial weights cannot be read.
        StudyError: the training failed, or wrote no checkpoint.
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
