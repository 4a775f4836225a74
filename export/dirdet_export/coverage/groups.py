"""Groups of configs whose detectors consist of the same parts, so that one proof tells about all of a group."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from dirdet_export.coverage.outcome import Outcome
from dirdet_export.dissect.categories import read_dataset

# Parts of a model that only a training uses.
TRAINING = ("train_cfg", "init_cfg", "pretrained", "loss_", "batch_augments", "pad_mask", "pad_seg")
# Settings that change no part: what is frozen, which of two layers has the stride, which member of a family it is, and
# the order of a picture's channels, which both kinds of proven configs have.
UNSEEN = ("frozen_stages", "norm_eval", "style", "requires_grad", "with_cp", "arch", "bgr_to_rgb")


# The parts of a model that are its trunk; all others are its heads.
TRUNK = ("backbone", "neck", "data_preprocessor")
# A type whose layers are another's, with grouped convolutions.
ALIKE = {"SyncBN": "BN", "MMSyncBN": "BN", "ResNeXt": "ResNet"}


class Structure(NamedTuple):
    """The parts of a config's detector: types, switches and how many levels; without numbers such as depth and width.

    Attributes:
        trunk: the test pipeline's steps, backbone and neck, which make feature maps.
        heads: the rest.
    """

    trunk: str
    heads: str


def read_structures(names: Iterable[str], folder: Path) -> dict[str, Structure]:
    """Structures of configs by name; one that cannot be read has a structure of its own."""
    found: dict[str, Structure] = {}
    for name in names:
        try:
            found[name] = _structure(folder / f"{name}.py")
        except Exception:
            found[name] = Structure(name, name)  # its trial says why
    return found


def _structure(config: Path) -> Structure:
    # What a config imports need not be installed to compare its parts.
    cfg = Config.fromfile(config, import_custom_modules=False)
    steps = read_dataset(cfg).get("pipeline") or cfg.get("test_pipeline") or []
    parts: dict[str, Any] = _parts(dict(cfg.model))
    trunk: dict[str, Any] = {name: parts.pop(name) for name in TRUNK if name in parts}
    trunk["pipeline"] = [str(step.get("type")) for step in steps if "Load" not in str(step.get("type"))]
    parts["loss"] = _losses(cfg.model.get("roi_head") or {})
    return Structure(*(json.dumps(each, sort_keys=True, default=str) for each in (trunk, parts)))


def _parts(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        kept = {
            str(key): _parts(each)
            for key, each in value.items()
            if str(key) not in UNSEEN and not str(key).startswith(TRAINING)
        }
        if "type" in kept:
            kept["type"] = ALIKE.get(kept["type"], kept["type"])
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


def group(structures: Mapping[str, Structure]) -> list[list[str]]:
    """Configs by structure, the largest group first; first in a group the detector that is likely the smallest."""
    groups: dict[Structure, list[str]] = defaultdict(list)
    for name, structure in structures.items():
        groups[structure].append(name)
    return sorted((sorted(members, key=_size) for members in groups.values()), key=len, reverse=True)


def _size(name: str) -> tuple[bool, int, str]:
    """The order within a group: shallow before deep, short names before long ones."""
    deep = any(part in name for part in ("r101", "r152", "x101", "x152", "s101", "-l-", "-b-", "-m-", "w40", "w32"))
    return deep, len(name), name


def untried(
    groups: Iterable[Sequence[str]], tried: Mapping[str, Outcome], structures: Mapping[str, Structure]
) -> list[str]:
    """The first config of each group of which none was exported, unless all its configs are refused.

    First those whose proof tells about the most configs, of their group or by their parts, if all proofs succeed.
    One that lacked a package is tried again: it fails within a second, and the package may be there now.
    """
    chosen: list[str] = []
    weights: dict[str, int] = {}
    for members in groups:
        if not any(tried[name].exported for name in members if name in tried):
            left = [name for name in members if name not in tried or tried[name].open]
            chosen += left[:1]
            weights.update({name: len(left) for name in left[:1]})
    proven = [structures[name] for name, outcome in tried.items() if outcome.works and name in structures]
    ordered: list[str] = []
    while chosen:
        trunks, heads = {each.trunk for each in proven}, {each.heads for each in proven}

        def gain(name: str, trunks: set[str] = trunks, heads: set[str] = heads) -> tuple[int, int]:
            own = structures[name]
            told = [
                weights[other]
                for other in chosen
                if other == name
                or (
                    not (structures[other].trunk in trunks and structures[other].heads in heads)
                    and (structures[other].trunk in trunks or structures[other].trunk == own.trunk)
                    and (structures[other].heads in heads or structures[other].heads == own.heads)
                )
            ]
            already = own.trunk in trunks and own.heads in heads
            return (0 if already else sum(told), weights[name])

        best = max(chosen, key=gain)
        ordered.append(best)
        proven.append(structures[best])
        chosen.remove(best)
    return ordered
