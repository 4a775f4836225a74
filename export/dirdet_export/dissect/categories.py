"""The categories of a detector: names of its classes and their numbers, and where both are from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmdet.registry import DATASETS
from mmengine.config import Config

from dirdet.bundle.bundle import Category
from dirdet.files import MOST_ANNOTATIONS_BYTES, read_regular
from dirdet_export.errors import UnsupportedError


class Categories(NamedTuple):
    """Categories in the order of a detector's outputs, and a line for the user about where they are from."""

    listed: list[Category]
    source: str


def read_dataset(cfg: Config) -> Mapping[str, Any]:
    """The config of the test data set, without wrappers; of several data sets the first, as MMDetection takes it."""
    dataset = cfg.get("test_dataloader", {}).get("dataset", {})
    while inner := dataset.get("dataset") or dataset.get("datasets"):
        dataset = inner[0] if isinstance(inner, list | tuple) else inner
    return dataset


def read_categories(cfg: Config, *, classes: int, dataset_meta: object = None, file: Path | None = None) -> Categories:
    """The categories of a detector; they never depend on a data set's files.

    The names are those of `file`, else those in the checkpoint, else the config's, else those that MMDetection has for
    the config's data set. Without a file the numbers are COCO's if all names are COCO's, else 1, 2, ...

    Args:
        cfg: the detector's config.
        classes: number of the detector's classes.
        dataset_meta: what the checkpoint says of its data set.
        file: COCO JSON with the categories, or text with one name to a line.

    Raises:
        UnsupportedError: there are no names, or another number of them, or the file does not have them.
    """
    names, source = _names(cfg, classes, dataset_meta)
    if file is not None:
        return _from_file(file, names, classes)
    if len(names) != classes:
        raise UnsupportedError(
            f"export expects the names of {classes} classes in the checkpoint's dataset_meta or in "
            f"test_dataloader.dataset.metainfo; found {len(names)}; --categories FILE gives them"
        )
    coco = _coco_numbers()
    if set(names) <= set(coco):
        return Categories([Category(name=name, category_id=coco[name]) for name in names], f"{source}, COCO's numbers")
    counted = [Category(name=name, category_id=number) for number, name in enumerate(names, start=1)]
    return Categories(counted, f"{source}, numbered from 1; --categories FILE gives other numbers")


def _names(cfg: Config, classes: int, dataset_meta: object) -> tuple[tuple[str, ...], str]:
    dataset = read_dataset(cfg)
    sources = {
        "names in the checkpoint": dataset_meta,
        "names in the config": dataset.get("metainfo"),
        "names of the config's data set": _own_metainfo(dataset.get("type")),
    }
    found: dict[str, tuple[str, ...]] = {}
    for source, meta in sources.items():
        names = (meta.get("classes") or meta.get("CLASSES") or ()) if isinstance(meta, Mapping) else ()
        names = (names,) if isinstance(names, str) else names
        if isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names):
            found[source] = tuple(names)
    fitting = next(((names, source) for source, names in found.items() if len(names) == classes), None)
    return fitting or next(((names, source) for source, names in found.items()), ((), ""))


def _own_metainfo(data_set: object) -> object:
    """What a class of data sets says of itself; None if there is no such class."""
    try:
        return getattr(DATASETS.get(data_set) if isinstance(data_set, str) else data_set, "METAINFO", None)
    except RuntimeError:  # MMEngine raises it for an unregistered name
        return None


def _coco_numbers() -> dict[str, int]:
    """COCO's category numbers, which have gaps, by name."""
    from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights

    names: list[str] = FasterRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    return {name: number for number, name in enumerate(names) if name not in ("N/A", "__background__")}


def _from_file(file: Path, names: tuple[str, ...], classes: int) -> Categories:
    numbers = _numbers_in(file)
    source = f"--categories {file}"
    if len(names) != classes and len(numbers) == classes:
        return Categories([Category(name=name, category_id=number) for name, number in numbers.items()], source)
    missing = [name for name in names if name not in numbers]
    if len(names) != classes or missing:
        detail = f"has no {missing[0]!r}" if missing else f"has {len(numbers)}"
        raise UnsupportedError(f"{source}: expected the detector's {classes} classes; the file {detail}")
    return Categories([Category(name=name, category_id=numbers[name]) for name in names], source)


def _numbers_in(file: Path) -> dict[str, int]:
    try:
        text = read_regular(file, most_bytes=MOST_ANNOTATIONS_BYTES).decode()
        if file.suffix.lower() != ".json":
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            return {name: number for number, name in enumerate(lines, start=1)}
        return {str(category["name"]): int(category["id"]) for category in json.loads(text)["categories"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
        raise UnsupportedError(
            f"--categories {file}: expected COCO JSON with categories, or text with one name to a line: {exc}"
        ) from exc
