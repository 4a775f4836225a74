"""The data sets that a config names: checked before anything starts, and cleaned where that was asked for."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmdet.registry import DATASETS
from mmengine.config import Config

from dirdet.errors import DirdetError
from dirdet_training.annotations.check import check_file
from dirdet_training.annotations.errors import AnnotationError, ClassesError
from dirdet_training.annotations.findings import Report, lines, summary
from dirdet_training.annotations.skip import write_skipped


class DataError(DirdetError):
    """Pictures or annotations that a config names and that are not there, or are broken."""


def datasets(node: Any) -> Iterator[Any]:  # noqa: ANN401
    """The data sets with an annotation file inside a dataloader's config, through wrappers such as RepeatDataset."""
    if isinstance(node, dict):
        if "ann_file" in node:
            yield node
        for key in ("dataset", "datasets"):
            yield from datasets(node.get(key))
    elif isinstance(node, list | tuple):
        for part in node:
            yield from datasets(part)


def require_data(cfg: Config, part: str, *, skip_broken: bool) -> dict[Path, Path]:
    """Checks the annotation files that a dataloader names, and says on standard error what will be left out.

    Args:
        cfg: with work_dir; with skip_broken its data sets are pointed at files without what is broken, which are
            written there beside lists of what they lack.
        part: `train`, `val` or `test`: whose dataloader.
        skip_broken: leave broken entries out instead of refusing the file.

    Returns:
        The file to read in place of each that had broken entries; empty without skip_broken.

    Raises:
        DataError: a file is missing, is broken, or does not fit the config's classes.
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
        if report.broken:
            if not skip_broken:
                raise DataError(f"{summary(report)}\n{_ADVICE}")
            copy = _clean_copy(report, Path(cfg.work_dir) / "annotations" / f"{part}_{path.name}")
            dataset["ann_file"] = str(copy.resolve())
            replaced[path] = copy
        elif report.notes:
            _say([f"{path}:", *lines(report.notes, shown=0)])
    return replaced


_ADVICE = (
    "--skip-broken leaves these out and lists them in the work directory; `dirdet annotations check` shows more of them"
)


def annotation_file(dataset: Any) -> Path:  # noqa: ANN401
    """Where a data set's annotation file is."""
    return Path(dataset.get("data_root") or "") / dataset["ann_file"]


def pictures_folder(dataset: Any) -> Path:  # noqa: ANN401
    """What the file names in a data set's annotation file are relative to."""
    prefix = dataset.get("data_prefix") or {}
    return Path(dataset.get("data_root") or "") / (prefix.get("img") or prefix.get("img_path") or "")


def dataset_class(dataset: Any) -> Any:  # noqa: ANN401
    """The class that a data set's config names; None if nothing is registered by that name."""
    kind = dataset.get("type")
    return DATASETS.get(kind) if isinstance(kind, str) else kind


def _reads_coco(dataset: Any) -> bool:  # noqa: ANN401
    """Whether MMDetection's CocoDataset itself reads the file: LVIS and others derive from it and read differently."""
    from mmdet.datasets import CocoDataset

    kind = dataset_class(dataset)
    return kind is not None and getattr(kind, "load_data_list", None) is CocoDataset.load_data_list


def _checked(dataset: Any, path: Path) -> Report:  # noqa: ANN401
    metainfo = dataset.get("metainfo") or {}
    classes = metainfo.get("classes") or dataset_class(dataset).METAINFO["classes"]
    learning = not dataset.get("test_mode", False)
    min_size = (dataset.get("filter_cfg") or {}).get("min_size", 0) if learning else 0
    try:
        return check_file(path, pictures_folder(dataset), classes=classes, min_size=min_size)
    except ClassesError as exc:
        raise DataError(f"{exc}; `dirdet train --classes-from FILE` learns the classes of FILE instead") from exc
    except AnnotationError as exc:
        raise DataError(str(exc)) from exc


def _clean_copy(report: Report, copy: Path) -> Path:
    if copy.resolve() == report.path.resolve():
        raise DataError(f"{report.path} is broken and lies where its clean copy would be written")
    skipped = copy.with_suffix(".skipped.csv")
    write_skipped(report, copy=copy, skipped=skipped)
    _say([summary(report), f"  these are skipped and listed in {skipped}"])
    return copy


def _say(text: list[str]) -> None:
    if os.environ.get("RANK", "0") == "0":  # of torchrun's processes only the first speaks
        print("\n".join(text), file=sys.stderr)
