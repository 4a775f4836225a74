"""Train a detector from an MMDetection config."""

import os
from pathlib import Path
from typing import Any

import click
from mmengine.config import Config

from dirdet.commands.option_groups import refuse_without_effect
from dirdet_training.annotations.classes import class_names
from dirdet_training.commands._options import cfg_options, classes_from, ema, skip_broken, trust_checkpoint
from dirdet_training.mm.cached_training import train_on_cache
from dirdet_training.mm.configs import read_config
from dirdet_training.mm.data import require_data
from dirdet_training.mm.learning_rate import scale_rate
from dirdet_training.mm.overrides import override
from dirdet_training.mm.own_data import point_at_data, set_annotations, set_classes, set_pictures
from dirdet_training.mm.retrofit import retrofit as set_up_retrofit
from dirdet_training.mm.retrofit import set_learns_from
from dirdet_training.mm.runner import leave_process_group, train
from dirdet_training.mm.tiles import set_tiles
from dirdet_training.mm.zoo import trained_weights


@click.command()
@click.argument("config", required=False)
@click.option("--work-dir", type=click.Path(path_type=Path), help="For checkpoints and logs [work_dirs/CONFIG].")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data set [the config's data_root].")
@click.option("--ann", help="COCO JSON to train on, below the data set's folder [the config's].")
@click.option("--val-ann", help="COCO JSON to validate on [the config's; none if --ann is given].")
@click.option("--pictures", help="Folder of the pictures, below the data set's folder [the config's].")
@click.option("--val-pictures", help="The same for validation [that of --pictures].")
@classes_from
@click.option("--resume", is_flag=True, help="Continue from the newest checkpoint in the work directory.")
@click.option("--resume-from", type=click.Path(path_type=Path), help="Continue from this checkpoint.")
@click.option("--amp", is_flag=True, help="Automatic mixed precision.")
@click.option(
    "--scale-lr/--no-scale-lr",
    default=True,
    show_default=True,
    help="Scale the learning rate if the batch of all processes is not the config's auto_scale_lr.base_batch_size.",
)
@click.option("--seed", type=int, help="Random seed [the config's].")
@click.option(
    "--retrofit",
    metavar="CHECKPOINT",
    help="Freeze this trained detector of CONFIG and train only a DIR head on it.",
)
@click.option(
    "--download",
    is_flag=True,
    help="With --retrofit mmdet::FOLDER/NAME: download the trained weights of this config of MMDetection's own.",
)
@click.option(
    "--epochs", type=click.IntRange(min=1), default=1, show_default=True, help="With --retrofit: number of epochs."
)
@click.option(
    "--cache-features",
    is_flag=True,
    help="With --retrofit: run the detector once on each picture and keep its features.",
)
@click.option(
    "--boxes-per-picture",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="With --cache-features: boxes to keep of each picture and pass.",
)
@click.option(
    "--passes",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="With --cache-features: runs over each picture, each with another augmentation.",
)
@click.option(
    "--learn-from",
    metavar="SOURCES",
    help="What the DIR head learns from: positives (the paper), candidates (what it judges in inference), jittered "
    "(boxes around objects), or a mixture such as jittered=2+positives=1 [the config's, or candidates=2+positives=1].",
)
@click.option(
    "--tiles", type=(click.IntRange(min=32), click.IntRange(min=32)), metavar="WIDTH HEIGHT",
    help="Train on tiles of this size in pixels of the picture, cut at random places and resized as the config resizes "
    "pictures; of an object that an edge cuts, the DIR head learns which share is seen.",
)  # fmt: skip
@ema
@skip_broken
@trust_checkpoint
@cfg_options
def command(
    config: str | None,
    work_dir: Path | None,
    data: Path | None,
    ann: str | None,
    val_ann: str | None,
    pictures: str | None,
    val_pictures: str | None,
    classes_from: Path | None,
    resume: bool,
    resume_from: Path | None,
    amp: bool,
    scale_lr: bool,
    seed: int | None,
    retrofit: str | None,
    download: bool,
    epochs: int,
    cache_features: bool,
    boxes_per_picture: int,
    passes: int,
    learn_from: str | None,
    tiles: tuple[int, int] | None,
    averaged: bool,
    skip_broken: bool,
    trust_checkpoint: bool,
    cfg_options: dict[str, Any],
) -> None:
    """Train the detector of CONFIG: a file, the name of a shipped config, or mmdet::FOLDER/NAME of MMDetection's own.

    On several GPUs: torchrun --nproc-per-node 8 -m dirdet train CONFIG.
    """
    refuse_without_effect(
        needs={
            **dict.fromkeys(("averaged", "cache_features", "epochs", "download"), "retrofit"),
            **dict.fromkeys(("boxes_per_picture", "passes"), "cache_features"),
        },
        excludes={
            "cache_features": ("resume", "resume_from", "amp", "scale_lr", "val_ann", "val_pictures"),
            "resume_from": ("resume",),
        },
    )
    config = _config_name(config, retrofit, download=download)
    cfg = read_config(config)
    _set_data(cfg, data, ann, val_ann, classes_from)
    set_pictures(cfg, pictures, val=val_pictures)
    if retrofit is not None:
        checkpoint = trained_weights(retrofit) if download else Path(retrofit)
        set_up_retrofit(
            cfg,
            checkpoint,
            epochs=epochs,
            trust_checkpoint=trust_checkpoint,
            averaged=averaged,
            learns_from=learn_from,
        )
    elif learn_from is not None:
        set_learns_from(cfg, learn_from)
    if tiles is not None:
        set_tiles(cfg, tiles)
    override(cfg, cfg_options)
    cfg.work_dir = str(work_dir or cfg.get("work_dir") or Path("work_dirs") / Path(config).stem)
    if seed is not None:
        cfg.randomness = {"seed": seed}
    if "TORCHELASTIC_RUN_ID" in os.environ:  # torchrun started it
        cfg.launcher = "pytorch"
    if cache_features:
        if cfg.get("launcher") == "pytorch":
            raise click.UsageError("--cache-features runs in one process: run it without torchrun")
        require_data(cfg, "train", skip_broken=skip_broken)
        path = train_on_cache(
            cfg,
            boxes_per_picture=boxes_per_picture,
            passes=passes,
            trust_checkpoint=trust_checkpoint,
            averaged=averaged,
        )
        click.echo(path)
        return
    if scale_lr:
        scale_rate(cfg)
    train(
        cfg,
        resume=resume_from or resume,
        amp=amp,
        trust_checkpoint=trust_checkpoint,
        averaged=averaged,
        skip_broken=skip_broken,
    )
    leave_process_group()


def _config_name(config: str | None, retrofit: str | None, *, download: bool) -> str:
    """Returns CONFIG; with --download it may be left out, since --retrofit names it."""
    name = config or (retrofit if download else None)
    if name is None:
        raise click.UsageError("Missing argument 'CONFIG'.")
    return name


def _set_data(cfg: Config, data: Path | None, ann: str | None, val_ann: str | None, classes_from: Path | None) -> None:
    if data is not None:
        point_at_data(cfg, data)
    set_annotations(cfg, train=ann, val=val_ann)
    if classes_from is not None:
        set_classes(cfg, class_names(classes_from))
