"""Detection with DIR against the same detector's without."""

from pathlib import Path
from statistics import mean
from typing import Any

import click

from dirdet.bench.report import Goal
from dirdet.bench.telling import shown
from dirdet_training.bench.detections import WARM_UP, time_detection
from dirdet_training.commands._bench import bench_options, report, set_up


@click.command("detector")
@bench_options
def command(config: str, rounds: int, out: Path | None, **settings: Any) -> None:  # noqa: ANN401
    """Time detection by CONFIG, a detector with DIR, and by the same without.

    Each round both detect on the same picture, which is in memory. With fresh weights no score passes the threshold;
    give --weights, or -o model.test_cfg.rcnn.score_thr=0 for the most that DIR can cost.
    """
    both = set_up(config, **settings)
    found = time_detection(both, shown(rounds + WARM_UP, "detect"))
    report(
        found.seconds,
        what=f"Detection by {config}, one picture",
        goal=Goal(at_most=1.03),
        facts={"candidates a picture": round(mean(found.candidates), 1)},
        out=out,
    )
