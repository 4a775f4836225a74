"""The MMDetection plug-in: importing it registers dirdet's heads, backbone and metrics with mmdet."""

import contextlib
import importlib
import io
import os
import warnings

from dirdet.pictures.reading import DEFAULT_LIMITS
from dirdet_training.mm import ops
from dirdet_training.mm.yapf_cache import load_yapf

# Before OpenCV is imported, which reads the pictures of MMDetection's pipelines: its own limit is a gigapixel.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(DEFAULT_LIMITS.max_pixels))
ops.install()
load_yapf()

# On import mmdet prints and warns about optional packages that nothing here uses.
with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for _part in ("datasets", "evaluation", "models"):
        importlib.import_module(f"mmdet.{_part}")

# Only now: these import mmcv.ops.
ops.pool_over_threads()
ops.convolve_everywhere()
from dirdet_training.mm import (  # noqa: E402
    backbone,
    cached_training,
    candidates_file,
    loading,
    metric,
    retrofit,
    roi_heads,
    sabl,
    semantic,
    study_metric,
    tiles,
    tsd_head,
)

__all__ = [
    "backbone",
    "cached_training",
    "candidates_file",
    "loading",
    "metric",
    "ops",
    "retrofit",
    "roi_heads",
    "sabl",
    "semantic",
    "study_metric",
    "tiles",
    "tsd_head",
]
