"""Builds a data set: whole or not at all, and never over something else."""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dirdet_training.scenes.annotations import write_annotations
from dirdet_training.scenes.backgrounds import BACKGROUND_FOLDERS
from dirdet_training.scenes.difficulty import DIFFICULTIES
from dirdet_training.scenes.errors import ScenesError
from dirdet_training.scenes.fingerprint import generator_hash, library_versions, tree_sha256
from dirdet_training.scenes.library import load_library
from dirdet_training.scenes.plan import Plan
from dirdet_training.scenes.sources import describe_sources
from dirdet_training.scenes.stamps import STAMPS_FOLDER
from dirdet_training.scenes.taxonomy import SPLITS
from dirdet_training.scenes.workers import Made, Maker, make_all

REPORT: Final = "scenes.json"


@dataclass(frozen=True)
class Built:
    """A finished data set.

    Attributes:
        report: scenes.json.
        was_there: the folder held exactly this data set already.
    """

    report: dict[str, Any]
    was_there: bool


def _ignore() -> None:
    return None


def build_scenes(
    out: Path,
    plan: Plan,
    *,
    stamps: Path = STAMPS_FOLDER,
    backgrounds: Sequence[Path] = BACKGROUND_FOLDERS,
    processes: int = 2,
    on_scene: Callable[[], None] = _ignore,
) -> Built:
    """Makes the data set `out`, or finds it made.

    Args:
        out: the folder; absent, empty, or this very data set.
        plan: seed and size.
        stamps: the stamps folder.
        backgrounds: folders of wallpapers.
        processes: how many work; the result is the same to the byte.
        on_scene: called after each scene.

    Raises:
        ScenesError: a source is missing or broken, or `out` holds something else; nothing is written then.
    """
    before = _report_in(out)
    library = load_library(stamps, backgrounds)
    recipe = {
        "generator_sha256": generator_hash(),
        "versions": library_versions(),
        "settings": plan.settings(),
        "sources": describe_sources(library, stamps=stamps, backgrounds=backgrounds),
    }
    if before is not None:
        _check_same(out, before, recipe)
        return Built(before, was_there=True)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.part-", dir=out.parent) as temporary:
            folder = Path(temporary) / out.name
            for split in SPLITS:
                for difficulty in DIFFICULTIES:
                    (folder / split / difficulty.name).mkdir(parents=True)
            jobs, made = plan.jobs(), list[Made]()
            for one in make_all(Maker(library, plan.seed, folder), jobs, processes=processes):
                made.append(one)
                on_scene()
            counts = write_annotations(folder, jobs, made)
            report = {"recipe": recipe, "counts": counts, "content_sha256": _content_sha256(folder)}
            (folder / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
            folder.replace(out)
    except OSError as exc:
        raise ScenesError(f"{out}: the data set cannot be written there: {exc.strerror or exc}") from exc
    return Built(report, was_there=False)


def _content_sha256(folder: Path) -> str:
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    files.pop(REPORT, None)
    return tree_sha256(files)


def _report_in(out: Path) -> dict[str, Any] | None:
    """The scenes.json of an earlier run, None if the folder is absent or empty."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    try:
        report = json.loads((out / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ScenesError(f"{out}: expected an absent or empty folder, found one without a {REPORT} of ours") from exc
    return report if isinstance(report, dict) else {}


def _check_same(out: Path, before: dict[str, Any], recipe: dict[str, Any]) -> None:
    """Refuses a folder that holds another data set than the recipe's, or one that was changed since."""
    theirs = before.get("recipe")
    differing = [
        key for key, value in recipe.items() if not isinstance(theirs, dict) or theirs.get(key) != _as_json(value)
    ]
    if differing:
        raise ScenesError(
            f"{out}: holds another data set, which differs in {', '.join(differing)}; choose another folder"
        )
    if before.get("content_sha256") != _content_sha256(out):
        raise ScenesError(f"{out}: holds this data set, but its files were changed since; choose another folder")


def _as_json(value: object) -> object:
    """What a value becomes when it is written and read."""
    return json.loads(json.dumps(value))
