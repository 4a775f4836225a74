"""Average precision, where training looks for it; `dirdet.quality` owns it."""

from dirdet.quality.average_precision import average_precisions

__all__ = ["average_precisions"]
