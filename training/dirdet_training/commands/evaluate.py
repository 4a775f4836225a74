"""Measure a checkpoint: AP under each NMS, and how well its confidences tell the true IoU."""

import contextlib
import json
import math
import sys
from pathlib import Path
from typing import Any

import click

from dirdet_training.commands._options import cfg_options, skip_broken, trust_checkpoint
from dirdet_training.mm.configs import read_config
from dirdet_training.mm.running import evaluate, point_at_data
from dirdet_training.suppression import SUPPRESSIONS

# What is measured unless told: the plain detector, DIR and the ceiling.
DEFAULT_RANKS = ("score", "dir", "oracle")


@click.command()
@click.argument("config")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Where the data set is [the config's data_root].")
@click.option("--ann", multiple=True, help="COCO JSON below the data set's folder [the config's]; repeatable.")
@click.option(
    "--rank", "ranks", multiple=True, type=click.Choice(list(SUPPRESSIONS)), help="Repeatable [score, dir, oracle]."
)
@click.option(
    "--candidates", type=click.Path(path_type=Path),
    help="Write all candidates before NMS to this file, for `dirdet quality` and `dirdet calibrate`.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--work-dir", type=click.Path(path_type=Path), default=Path("work_dirs/evaluate"), show_default=True)
@skip_broken
@trust_checkpoint
@cfg_options
def command(
    config: str,
    checkpoint: Path,
    data: Path | None,
    ann: tuple[str, ...],
    ranks: tuple[str, ...],
    candidates: Path | None,
    as_json: bool,
    work_dir: Path,
    skip_broken: bool,
    trust_checkpoint: bool,
    cfg_options: dict[str, Any],
) -> None:
    """Measure CHECKPOINT, a detector of CONFIG, on COCO-format pictures."""
    cfg = read_config(config)
    if data is not None:
        point_at_data(cfg, data)
    cfg.merge_from_dict(cfg_options)
    cfg.work_dir = str(work_dir)
    has_dir = "dir_head" in cfg.model.roi_head
    chosen = list(ranks) or [name for name in DEFAULT_RANKS if has_dir or name != "dir"]
    if "dir" in chosen and not has_dir:
        raise click.BadParameter(f"{config} has no DIR head, so rank 'dir' does not apply", param_hint="--rank")
    root = Path(cfg.test_dataloader.dataset.get("data_root", "") or "")
    files = ann or (cfg.test_dataloader.dataset.ann_file,)
    if candidates is not None and len(files) > 1:
        raise click.BadParameter(f"holds one file's pictures, --ann names {len(files)}", param_hint="--candidates")
    if candidates is not None and not candidates.parent.is_dir():
        raise click.BadParameter(f"there is no folder {candidates.parent}", param_hint="--candidates")
    # MMEngine and pycocotools talk on standard output, which belongs to the figures.
    with contextlib.redirect_stdout(sys.stderr):
        measured = {
            name: evaluate(
                cfg,
                checkpoint,
                ann_file=root / name,
                ranks=chosen,
                trust_checkpoint=trust_checkpoint,
                skip_broken=skip_broken,
                candidates_out=candidates,
            )
            for name in files
        }
    click.echo(json.dumps(without_nan(measured), indent=2) if as_json else table(measured, chosen))


def without_nan(measured: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    """What could not be measured becomes null: JSON has no NaN."""
    return {
        name: {key: None if math.isnan(value) else value for key, value in figures.items()}
        for name, figures in measured.items()
    }


COLUMNS = ("AP", "AP50", "AP75", "AP90", "AP_agnostic", "AP_small", "AP_medium", "AP_large")


def table(measured: dict[str, dict[str, float]], ranks: list[str]) -> str:
    """Markdown: a row for each file and rank, and the correlations below."""
    lines = ["| pictures | ranked by | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    for name, figures in measured.items():
        for rank in ranks:
            cells = (f"{figures[f'{rank}/{column}']:.1f}" for column in COLUMNS)
            lines.append(f"| {name} | {rank} | " + " | ".join(cells) + " |")
    lines += ["", "| pictures | Pearson of score | Pearson of iou | boxes |", "|---|---|---|---|"]
    for name, figures in measured.items():
        score, iou, boxes = (figures[f"pearson/{key}"] for key in ("score", "iou", "boxes"))
        lines.append(f"| {name} | {score:.3f} | {iou:.3f} | {boxes:.0f} |")
    return "\n".join(lines)
