"""The MMDetection plug-in: importing it registers dirdet's heads, backbone and metrics with mmdet."""

import contextlib
import importlib
import io
import warnings

from dirdet_training.mm import ops

ops.install()

# On import mmdet prints and warns about optional packages that nothing here uses.
with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for _part in ("datasets", "evaluation", "models"):
        importlib.import_module(f"mmdet.{_part}")

# Only now: these import mmcv.ops.
from dirdet_training.mm import backbone, candidates_file, metric, roi_heads  # noqa: E402

__all__ = ["backbone", "candidates_file", "metric", "ops", "roi_heads"]
