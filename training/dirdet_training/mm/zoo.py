"""MMDetection's own configs, `mmdet::NAME`, and their trained weights, as its metafiles list them."""

import sys
from importlib import resources
from pathlib import Path
from typing import Any

import click
import torch
from mmengine.fileio import load

from dirdet.errors import DirdetError, ParameterError
from dirdet_training.mm.download import download

PREFIX = "mmdet::"


def config_folder() -> Path:
    """Returns the folder of MMDetection's configs in its installed package."""
    return Path(str(resources.files("mmdet"))) / ".mim" / "configs"


def zoo_name(config: str) -> str | None:
    """Returns the name below MMDetection's configs, without .py, if a config is given as `mmdet::NAME`."""
    return config.removeprefix(PREFIX).removesuffix(".py") if config.startswith(PREFIX) else None


def weights_by_config() -> dict[str, str]:
    """Reads the addresses of trained weights from the metafiles, by the config's name below MMDetection's configs."""
    found: dict[str, str] = {}
    for path in sorted(config_folder().rglob("metafile.yml")):
        content: Any = load(str(path))
        models = content.get("Models", []) if isinstance(content, dict) else content
        for model in models:
            if isinstance(model, dict) and model.get("Weights") and model.get("Config"):
                name = str(model["Config"]).removeprefix("configs/").removesuffix(".py")
                found.setdefault(name, str(model["Weights"]))
    return found


def trained_weights(config: str) -> Path:
    """Downloads the trained weights of one of MMDetection's configs to torch's cache, unless they are there.

    Args:
        config: `mmdet::NAME`.

    Raises:
        ParameterError: the config is not one of MMDetection's, or has no weights.
        DownloadError: the weights cannot be downloaded, or are not those that their name promises.
    """
    name = zoo_name(config)
    if name is None:
        raise ParameterError(
            "--download", f"takes a config as {PREFIX}FOLDER/NAME of MMDetection's own, not {config!r}"
        )
    address = weights_by_config().get(name)
    if address is None:
        raise ParameterError("--download", f"MMDetection's metafiles name no weights for {name!r}")
    return _shown(address, Path(torch.hub.get_dir(), "checkpoints", address.rpartition("/")[2]))


def _shown(address: str, path: Path) -> Path:
    """Downloads with a progress bar on standard error."""
    click.echo(f"{address}: {'is' if path.is_file() else 'goes to'} {path}", err=True)
    with click.progressbar(length=1, label="Downloading", file=sys.stderr, hidden=path.is_file()) as bar:

        def show(have: int, total: int | None) -> None:
            if total:
                bar.length = total
                bar.update(have - bar.pos)

        return download(address, path, on_bytes=show)


def checkpoint_of(config: str, checkpoint: Path | None, *, downloads: bool, option: str) -> Path:
    """Returns the checkpoint that a command was given, or downloads it.

    Args:
        config: as the command was given it.
        checkpoint: the given one, if any.
        downloads: whether --download was given.
        option: name of the checkpoint's option or argument, for the message.

    Raises:
        DirdetError: both or neither are given, or the download fails.
    """
    if downloads and checkpoint is not None:
        raise ParameterError("--download", f"replaces {option}; give one of them")
    if downloads:
        return trained_weights(config)
    if checkpoint is None:
        raise DirdetError(f"expected {option}, or --download for a config of MMDetection's own ({PREFIX}FOLDER/NAME)")
    return checkpoint
