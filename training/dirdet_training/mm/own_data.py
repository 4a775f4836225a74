"""Points a config at other folders, annotation files, pictures and classes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from dirdet_training.mm.data import DataError, annotation_file, datasets, only_dataset

_PARTS = ("train", "val", "test")
_HEADS = frozenset({"bbox_head", "mask_head"})
# The num_classes of these parts has another meaning: ImageNet's classes, RPN's objects, HTC's classes of stuff.
_OTHER_CLASSES = frozenset({"backbone", "neck", "rpn_head", "semantic_head"})


def set_classes(cfg: Config, classes: Sequence[str]) -> None:
    """Sets the classes of a config's detector and data sets, in place.

    The number of classes is set in every box and mask head, also in lists of stages, and in every other part of the
    model that has a num_classes.

    Raises:
        DataError: the model has no part to set it in.
    """
    for dataset in _datasets(cfg):
        dataset["metainfo"] = {"classes": tuple(classes)}
    if "metainfo" in cfg:
        cfg.metainfo = {"classes": tuple(classes)}
    heads = list(_heads(cfg.model))
    if not heads:
        raise DataError("the config's model has no head that learns classes")
    for head in heads:
        head["num_classes"] = len(classes)


def _heads(node: Any, *, is_head: bool = False) -> Iterator[Any]:  # noqa: ANN401
    """Finds the parts of a model that depend on the number of classes, whether or not they set num_classes."""
    if isinstance(node, dict):
        if is_head or "num_classes" in node:
            yield node
        for key, value in node.items():
            if key not in _OTHER_CLASSES:
                yield from _heads(value, is_head=key in _HEADS)
    elif isinstance(node, list | tuple):
        for part in node:
            yield from _heads(part, is_head=is_head)


def point_at_data(cfg: Config, data_root: Path) -> None:
    """Replaces the folder of the config's data everywhere, also in the evaluators' annotation paths, in place.

    The folder is the config's data_root or, if no data set uses that, the one data_root that all data sets share.

    Raises:
        DataError: a data set's files are not below a data_root that can be replaced.
    """
    new = f"{data_root}/"
    for old in (str(cfg.get("data_root") or ""), _shared_root(cfg)):
        if old:
            for key in [key for key in cfg if key != "model"]:
                cfg[key] = _moved(cfg[key], old, new)
    for dataset in _datasets(cfg):
        root = str(dataset.get("data_root") or "")
        if not root.startswith(new):
            raise DataError(
                f"--data cannot reach the config's annotation file {annotation_file(dataset)}: its data_root is "
                f"{root!r}, expected one below the config's; set it with -o"
            )
        if Path(dataset["ann_file"]).is_absolute() and not str(dataset["ann_file"]).startswith(new):
            raise DataError(f"--data cannot reach the config's annotation file {dataset['ann_file']}: it is absolute")
    _tell_evaluators(cfg)


def _shared_root(cfg: Config) -> str:
    roots = {str(dataset.get("data_root") or "") for dataset in _datasets(cfg)}
    return roots.pop() if len(roots) == 1 else ""


def _moved(node: Any, old: str, new: str) -> Any:  # noqa: ANN401
    if isinstance(node, dict):
        return {key: _moved(value, old, new) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(_moved(value, old, new) for value in node)
    if isinstance(node, str) and (node == old.rstrip("/") or node.startswith(old.rstrip("/") + "/")):
        return new + node[len(old.rstrip("/")) + 1 :]
    return node


def set_pictures(cfg: Config, folder: str | None, *, val: str | None = None) -> None:
    """Sets the pictures' folder, relative to the data's root, of all data sets, in place.

    Args:
        cfg: the config.
        folder: the folder; None leaves the config's.
        val: another folder for validation and test; by default the same.
    """
    for part in _PARTS:
        wanted = folder if part == "train" else val or folder
        if wanted is not None:
            for dataset in datasets((cfg.get(f"{part}_dataloader") or {}).get("dataset")):
                prefix = dataset.get("data_prefix") or {}
                key = "img_path" if "img_path" in prefix and "img" not in prefix else "img"
                dataset["data_prefix"] = {**prefix, key: wanted}


def set_annotations(cfg: Config, *, train: str | None, val: str | None) -> None:
    """Sets the annotation files, relative to the data's root, of training and validation, in place.

    Given a file for training and none for validation, validation is removed.

    Raises:
        DataError: the config has no data set, or several, to which the file could belong.
    """
    if train is not None:
        only_dataset(cfg, "train")["ann_file"] = train
    if val is not None:
        for part in ("val", "test"):
            if cfg.get(f"{part}_dataloader"):
                only_dataset(cfg, part)["ann_file"] = val
        if not cfg.get("val_dataloader") and not cfg.get("test_dataloader"):
            raise DataError("the config has no val_dataloader that a file to validate on could belong to")
        _tell_evaluators(cfg)
    elif train is not None:
        drop_validation(cfg)


def _tell_evaluators(cfg: Config) -> None:
    """Sets the annotation file of the metrics of val and test to that of their data sets, in place."""
    for part in ("val", "test"):
        found = list(datasets((cfg.get(f"{part}_dataloader") or {}).get("dataset")))
        if len(found) == 1:
            set_evaluator(cfg, part, annotation_file(found[0]))


def set_evaluator(cfg: Config, part: str, ann_file: Path) -> None:
    """Sets the annotation file of the metrics of `val` or `test`, in place."""
    evaluators = cfg.get(f"{part}_evaluator") or []
    for evaluator in evaluators if isinstance(evaluators, list | tuple) else [evaluators]:
        if evaluator.get("ann_file") is not None:
            evaluator["ann_file"] = str(ann_file)


def drop_validation(cfg: Config) -> None:
    """Removes validation from a config, in place."""
    for key in ("val_dataloader", "val_cfg", "val_evaluator"):
        cfg[key] = None
    if "val_interval" in (cfg.get("train_cfg") or {}):
        cfg.train_cfg.pop("val_interval")


def _datasets(cfg: Config) -> list[Any]:
    return [node for part in _PARTS for node in datasets((cfg.get(f"{part}_dataloader") or {}).get("dataset"))]
