"""An MMEngine metric that writes every candidate, with all judges' predictions, to one file; it computes no measure."""

from pathlib import Path
from typing import Any

from mmdet.registry import METRICS

from dirdet_training.mm.metric import RankingMetric
from dirdet_training.study.collected import Collected, store


@METRICS.register_module()
class CandidatesKeeper(RankingMetric):
    """Writes the file that `dirdet_training.study.collected` reads; as for RankingMetric, nothing may be suppressed."""

    default_prefix = "kept"

    def __init__(self, *, out: str, **settings: Any) -> None:  # noqa: ANN401
        """Takes RankingMetric's settings except ranks.

        Args:
            out: the file to write.
            **settings: RankingMetric's settings.
        """
        super().__init__(ranks=[], **settings)
        self.out = Path(out)

    def process(self, data_batch: Any, data_samples: list[dict[str, Any]]) -> None:  # noqa: ANN401, ARG002
        """Stores each picture's candidates."""
        for sample in data_samples:
            self.results.append({"picture_id": sample["img_id"], "candidates": self.candidates(sample)})

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Writes the file and returns the number of candidates in it."""
        candidates = tuple(result["candidates"] for result in results)
        picture_ids = tuple(int(result["picture_id"]) for result in results)
        store(self.out, Collected(picture_ids, candidates, tuple(self.category_ids)))
        return {"candidates": float(sum(len(picture.scores) for picture in candidates))}
