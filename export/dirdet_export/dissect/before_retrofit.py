"""Checks before a retrofit that the detector can be exported after it."""

from mmengine.config import Config
from torch import nn

from dirdet_export.dissect.anatomy import dissect
from dirdet_export.dissect.input_pipeline import read_pipeline


def check_exportable(model: nn.Module, cfg: Config) -> None:
    """Raises UnsupportedError, which names the reason, if a detector or its test pipeline cannot be exported."""
    dissect(model, read_pipeline(cfg))
