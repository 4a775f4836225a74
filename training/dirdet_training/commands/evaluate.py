"""Measure a checkpoint: AP under each NMS, and how well its confidences predict the true IoU."""

import contextlib
import json
import math
import sys
from pathlib import Path
from typing import Any

import click

from dirdet.terminal import markdown
from dirdet_training.annotations.classes import class_names
from dirdet_training.commands._options import cfg_options, classes_from, ema, skip_broken, trust_checkpoint
from dirdet_training.mm.configs import read_config
from dirdet_training.mm.data import only_dataset
from dirdet_training.mm.overrides import override
from dirdet_training.mm.own_data import point_at_data, set_classes, set_pictures
from dirdet_training.mm.runner import evaluate
from dirdet_training.rivals import SUPPRESSIONS

# The default: the plain detector, DIR and the ceiling.
DEFAULT_RANKS = ("score", "dir", "oracle")


@click.command()
@click.argument("config")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data set [the config's data_root].")
@click.option("--pictures", help="Folder of the pictures, below the data set's folder [the config's].")
@click.option("--ann", multiple=True, help="COCO JSON below the data set's folder [the config's]; repeatable.")
@classes_from
@click.option(
    "--rank",
    "ranks",
    multiple=True,
    type=click.Choice(list(SUPPRESSIONS)),
    help="What NMS ranks by; repeatable [score, dir, oracle].",
)
@click.option(
    "--candidates", type=click.Path(path_type=Path),
    help="Write all candidates before NMS to this file, for `dirdet quality` and `dirdet calibrate`.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--work-dir",
    type=click.Path(path_type=Path),
    default=Path("work_dirs/evaluate"),
    show_default=True,
    help="For logs.",
)
@skip_broken
@ema
@trust_checkpoint
@cfg_options
def command(
    config: str,
    checkpoint: Path,
    data: Path | None,
    pictures: str | None,
    ann: tuple[str, ...],
    classes_from: Path | None,
    ranks: tuple[str, ...],
    candidates: Path | None,
    as_json: bool,
    work_dir: Path,
    skip_broken: bool,
    averaged: bool,
    trust_checkpoint: bool,
    cfg_options: dict[str, Any],
) -> None:
    """Measure CHECKPOINT, a detector of CONFIG, on COCO-format pictures."""
    cfg = read_config(config)
    if data is not None:
        point_at_data(cfg, data)
    set_pictures(cfg, pictures)
    if classes_from is not None:
        set_classes(cfg, class_names(classes_from))
    override(cfg, cfg_options)
    cfg.work_dir = str(work_dir)
    has_dir = "dir_head" in cfg.model.roi_head
    chosen = list(ranks) or [name for name in DEFAULT_RANKS if has_dir or name != "dir"]
    if "dir" in chosen and not has_dir:
        raise click.BadParameter(f"{config} has no DIR head, so rank 'dir' does not apply", param_hint="--rank")
    dataset = only_dataset(cfg, "test")
    root = Path(dataset.get("data_root") or "")
    files = ann or (dataset.ann_file,)
    if candidates is not None and len(files) > 1:
        raise click.BadParameter(f"needs exactly one --ann, found {len(files)}", param_hint="--candidates")
    if candidates is not None and not candidates.parent.is_dir():
        raise click.BadParameter(f"there is no folder {candidates.parent}", param_hint="--candidates")
    # MMEngine and pycocotools print to standard output, which belongs to the table.
    with contextlib.redirect_stdout(sys.stderr):
        measured = {
            name: evaluate(
                cfg,
                checkpoint,
                ann_file=root / name,
                ranks=chosen,
                trust_checkpoint=trust_checkpoint,
                averaged=averaged,
                skip_broken=skip_broken,
                candidates_out=candidates,
            )
            for name in files
        }
    click.echo(json.dumps(without_nan(measured), indent=2) if as_json else table(measured, chosen))


def without_nan(measured: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    """Replaces NaN by None, since JSON has no NaN."""
    return {
        name: {key: None if math.isnan(value) else value for key, value in figures.items()}
        for name, figures in measured.items()
    }


FITS = (
    "mean", "lowest", "pearson", "pearson_fitting", "kendall", "kendall_fitting", "regret", "regret_fitting",
    "auroc_fitting",
)  # fmt: skip
COLUMNS = ("AP", "AP50", "AP75", "AP90", "AP_agnostic", "AP_small", "AP_medium", "AP_large")


def table(measured: dict[str, dict[str, float]], ranks: list[str]) -> str:
    """Markdown: AP by file and rank, the correlations with the true IoU, and a column for each prediction's fit."""
    precisions = [
        [name, rank, *(f"{figures[f'{rank}/{column}']:.1f}" for column in COLUMNS)]
        for name, figures in measured.items()
        for rank in ranks
    ]
    correlations: list[list[str]] = []
    for name, figures in measured.items():
        score, iou, boxes = (figures[f"pearson/{key}"] for key in ("score", "iou", "boxes"))
        correlations.append([name, f"{score:.3f}", f"{iou:.3f}", f"{boxes:.0f}"])
    judged = [
        (name, said)
        for name, figures in measured.items()
        for said in ("score", "iou")
        if f"distinct/{said}/mean" in figures
    ]
    fits = [[fit, *(f"{measured[name][f'distinct/{said}/{fit}']:.3f}" for name, said in judged)] for fit in FITS]
    tables = [
        markdown(["pictures", "ranked by", *COLUMNS], precisions, names=2),
        markdown(["pictures", "Pearson of score", "Pearson of iou", "boxes"], correlations),
        markdown(["each box once", *(f"{said}, {name}" for name, said in judged)], fits),
    ]
    return "\n\n".join(tables if judged else tables[:2])
