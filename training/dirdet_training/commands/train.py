"""Train a detector from an MMDetection config."""

import os
from pathlib import Path
from typing import Any

import click

from dirdet_training.annotations.classes import class_names
from dirdet_training.commands._options import cfg_options, skip_broken, trust_checkpoint
from dirdet_training.mm.cached_training import train_on_cache
from dirdet_training.mm.configs import read_config
from dirdet_training.mm.data import require_data
from dirdet_training.mm.own_data import set_annotations, set_classes, set_pictures
from dirdet_training.mm.retrofit import retrofit as set_up_retrofit
from dirdet_training.mm.running import point_at_data, train


@click.command()
@click.argument("config")
@click.option("--work-dir", type=click.Path(path_type=Path), help="For checkpoints and logs [work_dirs/CONFIG].")
@click.option("--data", type=click.Path(path_type=Path), help="Where the data set is [the config's data_root].")
@click.option("--ann", help="COCO JSON to train on, below the data set's folder [the config's].")
@click.option("--val-ann", help="COCO JSON to validate on [the config's; with --ann, no validation].")
@click.option("--pictures", help="Folder of the pictures, below the data set's folder [the config's].")
@click.option(
    "--classes-from",
    type=click.Path(path_type=Path),
    help="Learn the classes of this COCO JSON, or of a text file with one to a line [the config's].",
)
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint in the work directory.")
@click.option("--resume-from", type=click.Path(path_type=Path), help="Go on from this checkpoint.")
@click.option("--amp", is_flag=True, help="Automatic mixed precision.")
@click.option("--seed", type=int, help="Random seed [the config's].")
@click.option(
    "--retrofit",
    type=click.Path(path_type=Path),
    metavar="CHECKPOINT",
    help="Freeze this trained detector of CONFIG and train only a DIR head on it.",
)
@click.option(
    "--epochs", type=click.IntRange(min=1), default=1, show_default=True, help="With --retrofit: over the pictures."
)
@click.option("--cache-features", is_flag=True, help="With --retrofit: run the detector once for each picture.")
@click.option(
    "--boxes-per-picture",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="With --cache-features: positives kept of each picture.",
)
@skip_broken
@trust_checkpoint
@cfg_options
def command(
    config: str,
    work_dir: Path | None,
    data: Path | None,
    ann: str | None,
    val_ann: str | None,
    pictures: str | None,
    classes_from: Path | None,
    resume: bool,
    resume_from: Path | None,
    amp: bool,
    seed: int | None,
    retrofit: Path | None,
    epochs: int,
    cache_features: bool,
    boxes_per_picture: int,
    skip_broken: bool,
    trust_checkpoint: bool,
    cfg_options: dict[str, Any],
) -> None:
    """Train the detector of CONFIG: a file, or the name of a shipped config.

    On several GPUs: torchrun --nproc-per-node 8 -m dirdet train CONFIG.
    """
    if cache_features and retrofit is None:
        raise click.UsageError("--cache-features needs --retrofit CHECKPOINT: only a frozen detector's features stay")
    cfg = read_config(config)
    if data is not None:
        point_at_data(cfg, data)
    set_annotations(cfg, train=ann, val=val_ann)
    if pictures is not None:
        set_pictures(cfg, pictures)
    if classes_from is not None:
        set_classes(cfg, class_names(classes_from))
    if retrofit is not None:
        set_up_retrofit(cfg, retrofit, epochs=epochs, trust_checkpoint=trust_checkpoint)
    cfg.merge_from_dict(cfg_options)
    cfg.work_dir = str(work_dir or cfg.get("work_dir") or Path("work_dirs") / Path(config).stem)
    if seed is not None:
        cfg.randomness = {"seed": seed}
    if "TORCHELASTIC_RUN_ID" in os.environ:  # torchrun started this process
        cfg.launcher = "pytorch"
    if cache_features:
        if cfg.get("launcher") == "pytorch":
            raise click.UsageError("--cache-features trains small heads in one process: run it without torchrun")
        require_data(cfg, "train", skip_broken=skip_broken)
        path = train_on_cache(cfg, boxes_per_picture=boxes_per_picture, trust_checkpoint=trust_checkpoint)
        click.echo(path)
        return
    train(
        cfg,
        resume=resume_from or resume,
        amp=amp,
        trust_checkpoint=trust_checkpoint,
        skip_broken=skip_broken,
    )
