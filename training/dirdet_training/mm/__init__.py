"""The MMDetection plug-in: importing it registers dirdet's heads, backbone and metrics with mmdet."""

import contextlib
import importlib
import io
import warnings

from dirdet_training.mm import ops
from dirdet_training.yapf_cache import load_yapf

ops.install()
load_yapf()

# On import mmdet prints and warns about optional packages that nothing here uses.
with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for _part in ("datasets", "evaluation", "models"):
        importlib.import_module(f"mmdet.{_part}")

# Only now: these import mmcv.ops.
ops.pool_over_threads()
from dirdet_training.mm import (  # noqa: E402
    backbone,
    cached_training,
    candidates_file,
    metric,
    retrofit,
    roi_heads,
    semantic,
    study_metric,
    tsd_head,
)

__all__ = [
    "backbone",
    "cached_training",
    "candidates_file",
    "metric",
    "ops",
    "retrofit",
    "roi_heads",
    "semantic",
    "study_metric",
    "tsd_head",
]
