"""Groups of configs whose detectors consist of the same parts, so that one proof tells about all of a group."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from dirdet_export.coverage.outcome import Outcome
from dirdet_export.dissect.categories import read_dataset

# Parts of a model that only a training uses.
TRAINING = ("train_cfg", "init_cfg", "pretrained", "loss_")
# Settings that change no part: what is frozen, which of two layers has the stride, which member of a family it is.
UNSEEN = ("frozen_stages", "norm_eval", "style", "requires_grad", "with_cp", "arch")


def structure(config: Path) -> str:
    """The parts of a config's detector: types, switches and how many levels; without numbers such as depth and width.

    Raises:
        Exception: the config cannot be read.
    """
    cfg = Config.fromfile(config)
    steps = read_dataset(cfg).get("pipeline") or cfg.get("test_pipeline") or []
    seen = {
        "model": _parts(dict(cfg.model)),
        "loss": _losses(cfg.model.get("roi_head") or {}),
        "pipeline": [str(step.get("type")) for step in steps if "Load" not in str(step.get("type"))],
    }
    return json.dumps(seen, sort_keys=True, default=str)


def _parts(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        kept = {
            str(key): _parts(each)
            for key, each in value.items()
            if str(key) not in UNSEEN and not str(key).startswith(TRAINING)
        }
        if kept.get("type") in ("SyncBN", "MMSyncBN"):
            kept["type"] = "BN"
        return {key: each for key, each in kept.items() if each not in (None, [], {})}
    if isinstance(value, list | tuple):
        parts = [_parts(each) for each in value]
        parts = [part for part in parts if part is not None]
        # Stages of a cascade that are alike.
        return parts[:1] if all(part == parts[0] for part in parts[1:]) else parts
    return value if isinstance(value, str | bool) else None


def _losses(roi_head: Mapping[str, Any]) -> list[str]:
    heads = roi_head.get("bbox_head") or {}
    heads = heads if isinstance(heads, list | tuple) else [heads]
    return sorted({f"{head['loss_cls'].get('type')}" for head in heads if "loss_cls" in head})


def group(names: Iterable[str], folder: Path) -> list[list[str]]:
    """Configs by structure, the largest group first; first in a group the detector that is likely the smallest.

    Args:
        names: of the configs.
        folder: that they are in.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        try:
            key = structure(folder / f"{name}.py")
        except Exception:
            key = name  # alone: its trial says why
        groups[key].append(name)
    return sorted((sorted(members, key=_size) for members in groups.values()), key=len, reverse=True)


def _size(name: str) -> tuple[bool, int, str]:
    """The order within a group: shallow before deep, short names before long ones."""
    deep = any(part in name for part in ("r101", "r152", "x101", "x152", "s101", "-l-", "-b-", "-m-", "w40", "w32"))
    return deep, len(name), name


def untried(groups: Iterable[Sequence[str]], tried: Mapping[str, Outcome]) -> list[str]:
    """The first config of each group of which none was exported, unless all its configs are refused."""
    chosen: list[str] = []
    for members in groups:
        if not any(tried[name].exported for name in members if name in tried):
            chosen += next(([name] for name in members if name not in tried or tried[name].unproven), [])
    return chosen
