"""Checks the data sets that a config names before a run starts, and cleans them on request."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmdet.registry import DATASETS
from mmengine.config import Config

from dirdet.errors import DirdetError
from dirdet.files import path_below
from dirdet_training.annotations.check import check_file
from dirdet_training.annotations.config_use import Use
from dirdet_training.annotations.errors import AnnotationError, ClassesError
from dirdet_training.annotations.findings import Report, lines, summary
from dirdet_training.annotations.pictures import are_there
from dirdet_training.annotations.records import has_mark, read_coco
from dirdet_training.annotations.without_broken import write_copy


class DataError(DirdetError):
    """Pictures or annotations that a config names are missing or broken."""


def datasets(node: Any) -> Iterator[Any]:  # noqa: ANN401
    """Finds data sets with an annotation file in a dataloader's config, also inside wrappers such as RepeatDataset."""
    if isinstance(node, dict):
        if "ann_file" in node:
            yield node
        for key in ("dataset", "datasets"):
            yield from datasets(node.get(key))
    elif isinstance(node, list | tuple):
        for part in node:
            yield from datasets(part)


def only_dataset(cfg: Config, part: str) -> Any:  # noqa: ANN401
    """Returns the one data set of `train`, `val` or `test`, whose annotation file can be set.

    Raises:
        DataError: the config has none or several, or its data set reads no COCO JSON.
    """
    found = list(datasets((cfg.get(f"{part}_dataloader") or {}).get("dataset")))
    if len(found) != 1:
        raise DataError(f"expected one annotation file in the config's {part}_dataloader, found {len(found)}")
    if not _reads_coco(found[0], derived=True):
        raise DataError(f"the config's {part}_dataloader has a {found[0].get('type')}, which reads no COCO JSON")
    return found[0]


def require_data(cfg: Config, part: str, *, skip_broken: bool) -> dict[Path, Path]:
    """Checks the annotation files that a dataloader names, and lists on standard error the entries that are left out.

    MMDetection cannot read every sound file: it refuses a byte order mark, and numbers classes by their order in the
    file. Copies that it reads are written to the config's work_dir, and the config's data sets then name the copies.

    Args:
        cfg: a config with work_dir.
        part: `train`, `val` or `test`, the part whose dataloader is checked.
        skip_broken: leave broken entries out of a copy, and list them beside it, instead of refusing the file.

    Returns:
        For each file that MMDetection is not to read, the copy that replaces it.

    Raises:
        DataError: a file is missing, is broken, does not fit the config's classes, or nothing of it is used.
    """
    replaced: dict[Path, Path] = {}
    for dataset in datasets(cfg[f"{part}_dataloader"].dataset):
        path = annotation_file(dataset)
        if not path.is_file():
            hint = "; `dirdet scenes --out data/scenes` makes it" if "scenes" in str(path) else ""
            raise DataError(f"the config's annotation file {path} does not exist{hint}")
        if not _reads_coco(dataset):
            continue
        report = _checked(dataset, path)
        if report.broken and not skip_broken:
            raise DataError(f"{summary(report)}\n{_elsewhere(dataset) or _ADVICE}")
        if not report.used[0]:
            raise DataError(f"no picture of {path} is left to use\n{summary(report, shown_notes=1)}")
        if report.notes and not report.broken:
            _say([f"{path}:", *lines(report.notes, shown=0)])
        if report.broken or report.order or has_mark(path):
            number = f"{len(replaced) + 1}_" if any(path.name == other.name for other in replaced) else ""
            copy = _copy(report, Path(cfg.work_dir) / "annotations" / f"{part}_{number}{path.name}")
            dataset["ann_file"] = str(copy.resolve())
            replaced[path] = copy
    return replaced


_ADVICE = (
    "--skip-broken leaves these out and lists them in the work directory; `dirdet annotations check` shows more of them"
)


def annotation_file(dataset: Any) -> Path:  # noqa: ANN401
    """Returns the path of a data set's annotation file."""
    return Path(dataset.get("data_root") or "") / dataset["ann_file"]


def pictures_folder(dataset: Any) -> Path:  # noqa: ANN401
    """Returns the folder that the file names in a data set's annotation file are relative to."""
    prefix = dataset.get("data_prefix") or {}
    return Path(dataset.get("data_root") or "") / (prefix.get("img") or prefix.get("img_path") or "")


def dataset_class(dataset: Any) -> Any:  # noqa: ANN401
    """Returns the class that a data set's config names; None if no class is registered under that name."""
    kind = dataset.get("type")
    return DATASETS.get(kind) if isinstance(kind, str) else kind


def _reads_coco(dataset: Any, *, derived: bool = False) -> bool:  # noqa: ANN401
    """Checks whether CocoDataset itself reads the file: derived classes such as LVIS's read it differently."""
    from mmdet.datasets import CocoDataset

    kind = dataset_class(dataset)
    if derived:
        return isinstance(kind, type) and issubclass(kind, CocoDataset)
    return kind is not None and getattr(kind, "load_data_list", None) is CocoDataset.load_data_list


def use_of(dataset: Any) -> Use:  # noqa: ANN401
    """Returns what a config's data set takes from its annotation file."""
    metainfo = dataset.get("metainfo") or {}
    filters = {} if dataset.get("test_mode", False) else dataset.get("filter_cfg") or {}
    loaders = [step for step in dataset.get("pipeline") or () if step.get("with_mask")]
    return Use(
        classes=metainfo.get("classes") or dataset_class(dataset).METAINFO["classes"],
        min_size=filters.get("min_size", 0),
        drops_empty=filters.get("filter_empty_gt", False),
        masks=bool(loaders),
        polygons_alone=any(not step.get("poly2mask", True) for step in loaders),
    )


def _checked(dataset: Any, path: Path) -> Report:  # noqa: ANN401
    try:
        report = check_file(path, pictures_folder(dataset), use_of(dataset))
    except ClassesError as exc:
        raise DataError(f"{exc}; --classes-from FILE takes the classes of FILE instead") from exc
    except AnnotationError as exc:
        raise DataError(str(exc)) from exc
    return report


def _elsewhere(dataset: Any) -> str:  # noqa: ANN401
    """Says where the pictures are if they are beside the annotation file instead of in the config's folder."""
    path = annotation_file(dataset)
    names = [image.file_name for image in read_coco(path).images if type(image.file_name) is str]

    def found_in(folder: Path) -> bool:
        return any(are_there(path_below(folder, name) or "" for name in names))

    if found_in(pictures_folder(dataset)) or not found_in(path.parent):
        return ""
    # The options take folders below the data set's.
    folder = os.path.relpath(path.parent, dataset.get("data_root") or ".")
    return f"its pictures are in {path.parent}: --pictures {folder}, or --val-pictures {folder} for validation"


def _copy(report: Report, copy: Path) -> Path:
    if copy.resolve() == report.path.resolve():
        raise DataError(f"{report.path} is broken and lies where its clean copy would be written")
    skipped = copy.with_suffix(".skipped.csv")
    write_copy(report, copy=copy, skipped=skipped)
    if report.broken:
        _say([summary(report), f"  these are skipped and listed in {skipped}"])
    if report.order:
        _say([f"{report.path} has the classes in another order than the config: {copy} has them in the config's"])
    return copy


def _say(text: list[str]) -> None:
    if os.environ.get("RANK", "0") == "0":  # only the first of torchrun's processes prints
        print("\n".join(text), file=sys.stderr)
