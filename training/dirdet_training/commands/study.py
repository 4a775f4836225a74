"""Regenerate the paper's tables and figures on COCO-format pictures, row by row."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import click

from dirdet.errors import ParameterError
from dirdet_training.commands._options import classes_from, skip_broken, trust_checkpoint
from dirdet_training.mm.checkpoints import read_checkpoint
from dirdet_training.study.estimate import shown
from dirdet_training.study.plan import Plan, use_checkpoints
from dirdet_training.study.presets import PRESETS, narrowed
from dirdet_training.study.stages import STAGES, Study

T = TypeVar("T")


def _pairs(option: str, texts: tuple[str, ...]) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in texts]
    for left, equals, right in pairs:
        if not (left and equals and right):
            raise ParameterError(option, f"expected NAME=VALUE, found {left + equals + right!r}")
    return [(left, right) for left, _, right in pairs]


@click.command()
@click.option(
    "--preset", type=click.Choice(list(PRESETS)), default="scenes-cpu", show_default=True, help="What is studied."
)
@click.option(
    "--work-dir",
    type=click.Path(path_type=Path),
    default=Path("work_dirs/study"),
    show_default=True,
    help="For checkpoints, measurements and the report.",
)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data set [the configs' data_root].")
@click.option("--tune-ann", help="COCO JSON to choose settings on, below the data set's folder [the preset's].")
@click.option("--ann", help="COCO JSON to report, below the data set's folder [the preset's].")
@classes_from
@click.option(
    "--detector", "detectors", multiple=True, metavar="ROLE[=CONFIG]",
    help="Study only this detector of the preset, by another config if one is named; repeatable.",
)  # fmt: skip
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    help="Number of trainings of each detector, with seeds 0, 1, ... [the preset's].",
)
@click.option(
    "--use", "uses", multiple=True, metavar="CONFIG=CHECKPOINT",
    help="Use a checkpoint trained elsewhere in place of training; repeatable, kept in the work directory.",
)  # fmt: skip
@click.option(
    "--start", type=click.Path(path_type=Path),
    help="Checkpoint of a trained detector from which the first training begins.",
)  # fmt: skip
@click.option("--only", "only", multiple=True, type=click.Choice(STAGES), help="Only this stage; repeatable.")
@click.option("--outlines", is_flag=True, help="Draw Figure 5 on a white background instead of the pictures.")
@click.option("--dry-run", is_flag=True, help="Estimate how long it takes on this machine, and stop.")
@skip_broken
@trust_checkpoint
def command(
    preset: str,
    work_dir: Path,
    data: Path | None,
    tune_ann: str | None,
    ann: str | None,
    classes_from: Path | None,
    detectors: tuple[str, ...],
    seeds: int | None,
    uses: tuple[str, ...],
    start: Path | None,
    only: tuple[str, ...],
    outlines: bool,
    dry_run: bool,
    skip_broken: bool,
    trust_checkpoint: bool,
) -> None:
    """Regenerate the paper's Tables 1-6 and Figures 2, 4 and 5.

    A study that was stopped continues with the same command: finished steps are skipped. It writes study.md,
    study.json and figure_*.svg into the work directory; figure_5_*.png show pictures of the data set.
    """
    chosen = PRESETS[preset]
    if detectors:
        chosen = narrowed(chosen, {role: config or None for role, _, config in (d.partition("=") for d in detectors)})
    if start is not None:
        read_checkpoint(start, trust_checkpoint=trust_checkpoint)
    plan = Plan(chosen, work_dir.resolve(), data, start=start, classes_from=classes_from)
    given = [(config, Path(checkpoint)) for config, checkpoint in _pairs("--use", uses)]
    use_checkpoints(plan, given, trust_checkpoint=trust_checkpoint)
    root = _data_root(plan)
    study = Study(
        plan.with_seeds(seeds),
        {"tune": root / (tune_ann or chosen.tune), "report": root / (ann or chosen.report)},
        trust_checkpoint=trust_checkpoint,
        skip_broken=skip_broken,
    )
    stages = only or STAGES
    if dry_run or {"train", "collect", "measure"} & set(stages):
        click.echo(shown(study.estimate(stages)), err=True)
    if dry_run:
        return
    _conduct(study, stages, outlines=outlines)


def _conduct(study: Study, stages: Sequence[str], *, outlines: bool) -> None:
    if "train" in stages:
        study.train(_progress)
    if "collect" in stages:
        study.collect(_progress)
    if "measure" in stages:
        study.measure(_progress)
    if "speed" in stages:
        study.time()
    if "tables" in stages:
        click.echo(study.tables().read_text(encoding="utf-8"))
    if "plots" in stages:
        for path in study.plots(outlines=outlines):
            click.echo(path, err=True)


def _progress(items: Sequence[T], label: str) -> Iterator[T]:
    """Yields the items and shows a progress bar on standard error."""
    with click.progressbar(items, label=label, file=sys.stderr, show_pos=True) as bar:
        yield from bar


def _data_root(plan: Plan) -> Path:
    detector = next(iter(plan.preset.detectors.values()))
    cfg = plan.config(detector)
    return Path(cfg.test_dataloader.dataset.get("data_root") or cfg.get("data_root", ""))
