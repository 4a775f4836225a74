"""Compose the scenes data set from cut-outs and photographs that Debian packages install."""

import sys
from pathlib import Path

import click

from dirdet_training.scenes.backgrounds import BACKGROUND_FOLDERS
from dirdet_training.scenes.build import build_scenes
from dirdet_training.scenes.difficulty import DIFFICULTIES
from dirdet_training.scenes.plan import Plan
from dirdet_training.scenes.stamps import STAMPS_FOLDER

_COUNT = click.IntRange(min=0)
_FOLDER = click.Path(path_type=Path)


@click.command("scenes")
@click.option("--out", type=_FOLDER, required=True, help="Folder of the data set; it must be empty or not exist.")
@click.option("--seed", type=_COUNT, default=Plan.seed, show_default=True, help="Random seed.")
@click.option("--train", type=_COUNT, default=Plan.train, show_default=True, help="Scenes of each difficulty.")
@click.option("--val", type=_COUNT, default=Plan.val, show_default=True, help="Scenes of each difficulty.")
@click.option("--test", type=_COUNT, default=Plan.test, show_default=True, help="Scenes of each difficulty.")
@click.option("--stamps", type=_FOLDER, default=STAMPS_FOLDER, show_default=True, help="Folder of tuxpaint's stamps.")
@click.option(
    "--backgrounds",
    type=_FOLDER,
    multiple=True,
    default=BACKGROUND_FOLDERS,
    show_default=True,
    help="Folder of wallpapers; repeatable.",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Number of processes; it does not change the result.",
)
def command(
    out: Path,
    seed: int,
    train: int,
    val: int,
    test: int,
    stamps: Path,
    backgrounds: tuple[Path, ...],
    processes: int,
) -> None:
    """Compose the scenes data set: COCO-format pictures of twelve kinds of cut-outs, easy and hard.

    The same seed gives the same bytes. Needs the Debian packages tuxpaint-stamps-default, plasma-workspace-wallpapers
    and mate-backgrounds.
    """
    plan = Plan(seed=seed, train=train, val=val, test=test)
    total = len(plan.jobs())
    click.echo(f"{out}: {total} scenes; reading cut-outs and photographs first", err=True)
    with click.progressbar(length=total, label="scenes", show_pos=True, file=sys.stderr) as progress:

        def advance() -> None:
            progress.update(1)
            if not sys.stderr.isatty() and progress.pos % max(total // 20, 1) == 0:  # no bar is shown
                click.echo(f"{progress.pos} of {total} scenes", err=True)

        built = build_scenes(
            out,
            plan,
            stamps=stamps,
            backgrounds=backgrounds,
            processes=processes,
            on_scene=advance,
        )
    recipe, counts = built.report["recipe"], built.report["counts"]
    click.echo(f"{out}: {'was made already' if built.was_there else 'made'}")
    for split in ("train", "val", "test"):
        of_split = [(difficulty.name, counts[f"{split}_{difficulty.name}"]) for difficulty in DIFFICULTIES]
        parts = (f"{count['scenes']} {name} scenes with {count['objects']} objects" for name, count in of_split)
        click.echo(f"  {split}: {', '.join(parts)}")
    click.echo(f"generator {recipe['generator_sha256']}")
    click.echo(f"content   {built.report['content_sha256']}")
