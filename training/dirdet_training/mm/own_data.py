"""Points a config at somebody's own annotation files, pictures and classes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from dirdet_training.mm.data import DataError, datasets

_LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")
_HEADS = frozenset({"bbox_head", "mask_head"})
# Backbones count ImageNet's classes, RPN counts objects, HTC's semantic branch counts stuff.
_OTHER_CLASSES = frozenset({"backbone", "neck", "rpn_head", "semantic_head"})


def set_classes(cfg: Config, classes: Sequence[str]) -> None:
    """Makes a config's detector and data sets know these classes, in place.

    Every box and mask head gets their number, also in lists of stages, and so does every other part of the model that
    states a num_classes.

    Raises:
        DataError: the model has no such part.
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
    """The parts of a model that count the objects' classes, whether they say so or leave it to a default."""
    if isinstance(node, dict):
        if is_head or "num_classes" in node:
            yield node
        for key, value in node.items():
            if key not in _OTHER_CLASSES:
                yield from _heads(value, is_head=key in _HEADS)
    elif isinstance(node, list | tuple):
        for part in node:
            yield from _heads(part, is_head=is_head)


def set_pictures(cfg: Config, folder: str) -> None:
    """Makes all data sets look for their pictures in this folder below the data's root, in place."""
    for dataset in _datasets(cfg):
        dataset["data_prefix"] = {**(dataset.get("data_prefix") or {}), "img": folder}


def set_annotations(cfg: Config, *, train: str | None, val: str | None) -> None:
    """Makes a config train and validate on these files below the data's root, in place.

    With a file to train on and none to validate on, training goes without validation.
    """
    if train is not None:
        for dataset in datasets(cfg.train_dataloader.dataset):
            dataset["ann_file"] = train
    if val is not None:
        for part in ("val", "test"):
            for dataset in datasets((cfg.get(f"{part}_dataloader") or {}).get("dataset")):
                dataset["ann_file"] = val
                set_evaluator(cfg, part, Path(dataset.get("data_root") or "") / val)
    elif train is not None:
        drop_validation(cfg)


def set_evaluator(cfg: Config, part: str, ann_file: Path) -> None:
    """Makes the metrics of `val` or `test` read this annotation file, in place."""
    evaluators = cfg.get(f"{part}_evaluator") or []
    for evaluator in evaluators if isinstance(evaluators, list | tuple) else [evaluators]:
        if "ann_file" in evaluator:
            evaluator["ann_file"] = str(ann_file)


def drop_validation(cfg: Config) -> None:
    """Takes validation out of a config, in place."""
    for key in ("val_dataloader", "val_cfg", "val_evaluator"):
        cfg[key] = None
    if "val_interval" in (cfg.get("train_cfg") or {}):
        cfg.train_cfg.pop("val_interval")


def _datasets(cfg: Config) -> list[Any]:
    return [dataset for loader in _LOADERS for dataset in datasets((cfg.get(loader) or {}).get("dataset"))]
