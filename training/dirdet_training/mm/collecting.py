"""One pass of a checkpoint over a split, kept in a file that is named after both and made only once."""

import contextlib
import hashlib
import sys
from pathlib import Path
from typing import Any, cast

from mmengine.config import Config
from mmengine.runner import Runner

from dirdet.bundle import sha256_of
from dirdet_training.mm.running import ready_to_test
from dirdet_training.study.errors import StudyError

HASH_DIGITS = 12


def file_hash(path: Path) -> str:
    """The beginning of a file's sha256.

    Raises:
        StudyError: it cannot be read.
    """
    try:
        return sha256_of(path)[:HASH_DIGITS]
    except OSError as exc:
        raise StudyError(f"{path} cannot be read: {exc.strerror or exc}") from exc


def candidates_path(folder: Path, cfg: Config, checkpoint: Path, ann_file: Path) -> Path:
    """Where a checkpoint's candidates on a split belong: named by what they depend on.

    Raises:
        StudyError: the checkpoint or the annotation file cannot be read.
    """
    settings = f"{cfg.model!r}{cfg.test_dataloader!r}{file_hash(ann_file)}".encode()
    return folder / f"{file_hash(checkpoint)}-{hashlib.sha256(settings).hexdigest()[:HASH_DIGITS]}-{ann_file.stem}.npz"


def collect(
    cfg: Config,
    checkpoint: Path,
    *,
    ann_file: Path,
    folder: Path,
    trust_checkpoint: bool = False,
    skip_broken: bool = False,
) -> Path:
    """Keeps all candidates of a checkpoint on a split, and what every judge says of them at both sights.

    Args:
        cfg: the detector's config, with work_dir.
        checkpoint: its weights.
        ann_file: COCO JSON; its file names are relative to the config's data_root and data_prefix.
        folder: for the file; a file that is there already is used.
        trust_checkpoint: allow pickled objects in the checkpoint.
        skip_broken: leave broken annotations out instead of refusing them.

    Returns:
        The file, which `dirdet_training.study.collected.load` reads.

    Raises:
        DataError: the annotation file is not there, is broken, or has other classes.
        CheckpointError: the checkpoint cannot be read.
        StudyError: a file cannot be read.
    """
    path = candidates_path(folder, cfg, checkpoint, ann_file)
    if path.is_file():
        return path
    ready, _, nms = ready_to_test(
        cfg, checkpoint, ann_file=ann_file, trust_checkpoint=trust_checkpoint, skip_broken=skip_broken
    )
    ready.model.test_cfg.rcnn.all_judges = True
    ready.test_evaluator = [{"type": "CandidatesKeeper", "out": str(path.resolve()), **nms}]
    # MMEngine and pycocotools talk on standard output, which belongs to the tables.
    with contextlib.redirect_stdout(sys.stderr):
        runner = Runner.from_cfg(ready)
        # Nothing here is measured on masks, and a mask for every candidate before NMS would take most of the time.
        cast("Any", runner.model).roi_head.mask_head = None
        runner.test()
    return path
