"""Runs a checkpoint over a split once and stores the result in a file that is named after both."""

import contextlib
import hashlib
import sys
from pathlib import Path
from typing import Any, cast

from mmengine.config import Config

from dirdet.bundle.bundle import sha256_of
from dirdet_training.mm.refused_settings import naming_refused_settings
from dirdet_training.mm.runner import ready_runner, ready_to_test
from dirdet_training.study.errors import StudyError

HASH_DIGITS = 12


def file_hash(path: Path) -> str:
    """Returns the beginning of a file's sha256.

    Raises:
        StudyError: the file cannot be read.
    """
    try:
        return sha256_of(path)[:HASH_DIGITS]
    except OSError as exc:
        raise StudyError(f"{path} cannot be read: {exc.strerror or exc}") from exc


def candidates_path(folder: Path, cfg: Config, checkpoint: Path, ann_file: Path) -> Path:
    """Returns the path of a checkpoint's candidates on a split; its name is made of everything that they depend on.

    Raises:
        StudyError: the checkpoint or the annotation file cannot be read.
    """
    settings = f"{cfg.model!r}{cfg.test_dataloader!r}{file_hash(ann_file)}".encode()
    return folder / f"{file_hash(checkpoint)}-{hashlib.sha256(settings).hexdigest()[:HASH_DIGITS]}-{ann_file.stem}.npz"


@naming_refused_settings()
def collect(
    cfg: Config,
    checkpoint: Path,
    *,
    ann_file: Path,
    folder: Path,
    trust_checkpoint: bool = False,
    skip_broken: bool = False,
) -> Path:
    """Stores all candidates of a checkpoint on a split, with the predictions of every judge at both sights.

    Args:
        cfg: the detector's config, with work_dir.
        checkpoint: its weights.
        ann_file: COCO JSON; its file names are relative to the config's data_root and data_prefix.
        folder: the folder for the file; an existing file is used as it is.
        trust_checkpoint: allow pickled objects in the checkpoint.
        skip_broken: leave broken annotations out instead of refusing them.

    Returns:
        The path of the file; `dirdet_training.study.collected.load` reads it.

    Raises:
        DataError: the annotation file is missing, is broken, or has other classes.
        CheckpointError: the checkpoint cannot be read, or is not this detector's.
        StudyError: a file cannot be read.
    """
    path = candidates_path(folder, cfg, checkpoint, ann_file)
    if path.is_file():
        return path
    ready, _, nms = ready_to_test(cfg, ann_file=ann_file, skip_broken=skip_broken)
    ready.model.test_cfg.rcnn.all_judges = True
    ready.test_evaluator = [{"type": "CandidatesKeeper", "out": str(path.resolve()), **nms}]
    # MMEngine and pycocotools print to standard output, which is reserved for the tables.
    with contextlib.redirect_stdout(sys.stderr):
        runner = ready_runner(ready, checkpoint, trust_checkpoint=trust_checkpoint)
        # No measure here uses masks, and predicting a mask for every candidate before NMS would take most of the time.
        cast("Any", runner.model).roi_head.mask_head = None
        runner.test()
    return path
