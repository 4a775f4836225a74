"""Loading checkpoints: weights only, unless the user says that the file is trusted."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import get_torch_safe_globals

from dirdet.errors import DirdetError


class CheckpointError(DirdetError):
    """A checkpoint that is missing, broken, or would run code when it is read."""


def read_checkpoint(path: Path, *, trust_checkpoint: bool = False) -> dict[str, Any]:
    """A checkpoint's content, on the CPU.

    Args:
        path: the file that MMEngine or torch.save wrote.
        trust_checkpoint: allow pickled objects, which can run any code when read.

    Returns:
        What was saved: for MMEngine's checkpoints a dict with `state_dict` and `meta`.

    Raises:
        CheckpointError: the file is missing or broken, or needs pickle and is not trusted.
    """
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path}: no such file")
    try:
        if trust_checkpoint:
            return torch.load(path, map_location="cpu", weights_only=False)
        # MMEngine's own checkpoints hold its log history beside the weights: plain numbers in known classes.
        with torch.serialization.safe_globals(get_torch_safe_globals()), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as exc:
        if "weights_only" in str(exc).lower() or "Unsupported" in str(exc):
            message = (
                f"checkpoint {path} holds pickled objects, which can run any code when read; "
                "say --trust-checkpoint if you trust where it comes from"
            )
            raise CheckpointError(message) from exc
        raise CheckpointError(f"checkpoint {path} is broken: {_first_line(exc)}") from exc
    except (RuntimeError, EOFError, OSError, ValueError) as exc:
        raise CheckpointError(f"checkpoint {path} is broken: {_first_line(exc)}") from exc


def load_detector(config: Path, checkpoint: Path, *, trust_checkpoint: bool = False) -> tuple[torch.nn.Module, Config]:
    """Builds the detector of an MMDetection config and gives it a checkpoint's weights.

    Args:
        config: an MMDetection 3 config file.
        checkpoint: its checkpoint.
        trust_checkpoint: allow pickled objects in the checkpoint.

    Returns:
        The detector in evaluation mode on the CPU, and its config.

    Raises:
        CheckpointError: the checkpoint cannot be read, or its weights are not this detector's.
        ConfigError: the config cannot be read.
    """
    from dirdet_training.mm.configs import build_model, read_config

    cfg = read_config(config)
    model = build_model(cfg)
    load_weights(model, read_checkpoint(checkpoint, trust_checkpoint=trust_checkpoint), checkpoint)
    return model.eval(), cfg


def load_weights(model: torch.nn.Module, content: dict[str, Any], path: Path, *, without: tuple[str, ...] = ()) -> None:
    """Gives a detector a checkpoint's weights.

    Args:
        model: the detector.
        content: what `read_checkpoint` gave.
        path: where it came from, for the message.
        without: prefixes of weights that the checkpoint need not have.

    Raises:
        CheckpointError: the weights are not this detector's.
    """
    try:
        problems = model.load_state_dict(content.get("state_dict", content), strict=False)
    except RuntimeError as exc:  # shapes that differ, one a line
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


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0] or type(exc).__name__


def _first(keys: list[str]) -> str:
    return f" (first: {keys[0]})" if keys else ""
