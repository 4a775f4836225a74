"""Loads checkpoints: only weights, unless the user declares the file trusted."""

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import torch
from mmengine.config import Config
from mmengine.dist import barrier, get_rank
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import get_torchvision_models
from torch import Tensor

from dirdet.errors import DirdetError
from dirdet.untrusted_text import portable
from dirdet_training.mm.download import download
from dirdet_training.mm.saved_objects import only_saved_objects, without_stand_ins

# The address schemes that MMEngine has loaders for, as its patterns; the first pattern that matches is used.
SCHEMES = (
    *("http://", "https://", "torchvision://", "modelzoo://", "open-mmlab://", "openmmlab://", "mmcls://", "pavi://"),
    *(r"(\S+\:)?s3://", r"(\S+\:)?petrel://"),
)


class CheckpointError(DirdetError):
    """The checkpoint is missing, is broken, or would run code when it is read."""


def read_checkpoint(path: Path, *, trust_checkpoint: bool = False) -> dict[str, Any]:
    """Reads a checkpoint's content to the CPU.

    Args:
        path: a file that MMEngine or torch.save wrote.
        trust_checkpoint: allow pickled objects, which can run any code when they are read.

    Returns:
        The saved content; for MMEngine's checkpoints a dict with `state_dict` and `meta`.

    Raises:
        CheckpointError: the file is missing or broken, holds no weights by name, or needs pickle and is not trusted.
    """
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path}: no such file")
    content = _load(path, trust_checkpoint=trust_checkpoint)
    if not isinstance(content, dict):
        raise CheckpointError(f"checkpoint {path} is a {type(content).__name__}; expected a dict of weights by name")
    if not isinstance(content.get("state_dict", content), Mapping):
        kind = type(content["state_dict"]).__name__
        raise CheckpointError(f"checkpoint {path}: its state_dict is a {kind}; expected a dict of weights by name")
    return content


def _load(path: Path, *, trust_checkpoint: bool) -> object:
    try:
        if trust_checkpoint:
            return torch.load(path, map_location="cpu", weights_only=False)  # nosec B614: the user said so
        with only_saved_objects(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            return without_stand_ins(torch.load(path, map_location="cpu", weights_only=True))
    except pickle.UnpicklingError as exc:
        raise CheckpointError(
            f"checkpoint {path} contains other objects than weights ({_reason(exc)}); reading it as pickle can run any "
            "code: give --trust-checkpoint if you trust its source"
        ) from exc
    except Exception as exc:  # torch may raise any exception on an untrusted file.
        raise CheckpointError(f"checkpoint {path} is broken: {_first_line(exc)}") from exc


def lend_to_mmengine(*, trust_checkpoint: bool = False, last_step_of: str | None = None) -> None:
    """Makes MMEngine read weights by `read_checkpoint` from now on, also weights that a config names by an address.

    MMEngine's own loaders silently fall back to pickle.

    Args:
        trust_checkpoint: allow pickled objects in checkpoints.
        last_step_of: the checkpoint of which the weights of the last step are read, not the averages.
    """

    def load_from_checked(filename: str, map_location: object = None) -> dict[str, Any]:  # noqa: ARG001
        # The content stays on the CPU: the code that loads weights or an optimiser's state copies them to the device.
        content = read_checkpoint(fetched(filename), trust_checkpoint=trust_checkpoint)
        if not trust_checkpoint and isinstance(meta := content.get("meta"), dict):
            # Runner.resume would execute this text as Python to compare the number of GPUs.
            meta.pop("config", None)
        if filename == last_step_of:
            content = {**content, "state_dict": weights_in(content, averaged=False)}
        return content

    CheckpointLoader.register_scheme(prefixes=["", *SCHEMES], loader=load_from_checked, force=True)


def fetched(name: str) -> Path:
    """Returns the file of weights that a config names by a path, or by an address that is downloaded to torch's cache.

    Raises:
        CheckpointError: the address has an unsupported scheme.
        DownloadError: the file cannot be downloaded, or is not the one that its name promises.
    """
    scheme, separator, rest = name.partition("://")
    if not separator:
        return Path(name).expanduser()
    address = name if scheme in ("http", "https") else None
    if scheme in ("torchvision", "modelzoo"):
        address = get_torchvision_models().get(rest)
    file = portable(unquote(urlsplit(address or "").path).rpartition("/")[2])
    if address is None or not file:
        raise CheckpointError(
            f"weights {name}: expected a file, http(s)://... or torchvision://MODEL; download it first"
        )
    path = Path(torch.hub.get_dir(), "checkpoints", file)
    if get_rank() == 0:
        download(address, path)
    barrier()
    return path


def load_detector(
    config: str | Path, checkpoint: Path, *, trust_checkpoint: bool = False, averaged: bool = True
) -> tuple[torch.nn.Module, Config]:
    """Builds the detector of an MMDetection config and loads a checkpoint's weights into it.

    Args:
        config: an MMDetection 3 config, as `read_config` takes it.
        checkpoint: its checkpoint.
        trust_checkpoint: allow pickled objects in the checkpoint.
        averaged: as in `weights_in`.

    Returns:
        The detector in evaluation mode on the CPU, with the checkpoint's `dataset_meta`, and its config.

    Raises:
        CheckpointError: the checkpoint cannot be read, or its weights do not fit this detector.
        ConfigError: the config cannot be read.
    """
    from dirdet_training.mm.configs import build_model, read_config

    cfg = read_config(config)
    model = build_model(cfg)
    content = read_checkpoint(checkpoint, trust_checkpoint=trust_checkpoint)
    load_weights(model, content, checkpoint, averaged=averaged)
    meta = content.get("meta")
    # As MMDetection's init_detector; MMDetection 2 wrote CLASSES into meta itself.
    model.dataset_meta = meta.get("dataset_meta", meta) if isinstance(meta, dict) else None  # pyright: ignore
    return model.eval(), cfg


def weights_in(content: Mapping[str, Any], *, averaged: bool = True) -> dict[str, Tensor]:
    """Returns a checkpoint's weights by the detector's own names.

    DistributedDataParallel writes `module.` before each name. Where a training averaged its weights, MMEngine's
    state_dict has the averages and its ema_state_dict the weights of the last step; MMDetection 2 stores the latter as
    `ema_*` beside the averages, which have the detector's names.

    Args:
        content: the result of `read_checkpoint`.
        averaged: take the averaged weights where there are any, else those of the last step.

    Raises:
        CheckpointError: the weights of the last step are wanted of a checkpoint without averages.
    """
    stored = content.get("state_dict", content)
    weights = {str(name).removeprefix("module."): weight for name, weight in stored.items()}
    last = {name: f"ema_{name.replace('.', '_')}" for name in weights}
    found = {name: weight for name, weight in weights.items() if name not in set(last.values())}
    if averaged:
        return found
    others = content.get("ema_state_dict")
    if isinstance(others, Mapping):
        return {str(name).removeprefix("module."): weight for name, weight in others.items() if name != "steps"}
    if not any(name in weights for name in last.values()):
        raise CheckpointError("--no-ema: the checkpoint has no averaged weights, only those of the last step")
    return {name: weights.get(last[name], weight) for name, weight in found.items()}


def load_weights(
    model: torch.nn.Module,
    content: dict[str, Any],
    path: Path,
    *,
    without: tuple[str, ...] = (),
    averaged: bool = True,
) -> None:
    """Loads a checkpoint's weights into a detector.

    Args:
        model: the detector.
        content: the result of `read_checkpoint`.
        path: the checkpoint's file, for the message.
        without: prefixes of the names of weights that may be absent from the checkpoint.
        averaged: as in `weights_in`.

    Raises:
        CheckpointError: the weights do not fit this detector, or are not there.
    """
    try:
        problems = model.load_state_dict(weights_in(content, averaged=averaged), strict=False)
    except RuntimeError as exc:  # the message has one line for each shape that differs
        first = str(exc).splitlines()[1].strip() if "\n" in str(exc) else str(exc)
        raise CheckpointError(f"checkpoint {path} is of another detector: {first}") from exc
    missing = (
        [key for key in problems.missing_keys if not key.startswith(without)] if without else problems.missing_keys
    )
    unexpected = problems.unexpected_keys
    if missing or unexpected:
        raise CheckpointError(
            f"checkpoint {path} is not of this config: {len(missing)} weights are missing{_first(missing)}, "
            f"{len(unexpected)} are unknown to the config's detector{_first(unexpected)}"
        )


def _reason(exc: Exception) -> str:
    """Takes the reason for a refused object from torch's message, without the advice around it."""
    refused = re.search(r"GLOBAL (\S+)", str(exc)) or re.search(r"WeightsUnpickler error:\s*(.+)", str(exc))
    return refused[1] if refused else _first_line(exc)


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0] or type(exc).__name__


def _first(keys: list[str]) -> str:
    return f" (first: {keys[0]})" if keys else ""
