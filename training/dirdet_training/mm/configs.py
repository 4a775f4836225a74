"""Reads MMDetection configs by path, or by the name of a config that dirdet ships."""

import copy
from importlib import resources
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config

import dirdet_training.mm  # noqa: F401  # pyright: ignore[reportUnusedImport] - registers the plug-in
from dirdet.errors import DirdetError
from dirdet_training.mm.refused_settings import naming_refused_settings
from dirdet_training.mm.zoo import config_folder, zoo_name


class ConfigError(DirdetError):
    """The config is missing, or MMEngine cannot read it."""


def shipped_configs() -> dict[str, Path]:
    """Lists the configs in this package by name without .py; files whose names begin with _ are parts of configs."""
    folder = Path(str(resources.files("dirdet_training"))) / "configs"
    return {path.stem: path for path in sorted(folder.glob("[!_]*.py"))}


def read_config(config: str | Path) -> Config:
    """Reads the config at a path, the shipped config of that name, or MMDetection's own as `mmdet::FOLDER/NAME`.

    Raises:
        ConfigError: there is no such file or shipped config, or MMEngine cannot read it.
    """
    shipped = shipped_configs()
    own = zoo_name(str(config))
    if own is not None and not (config_folder() / f"{own}.py").is_file():
        raise ConfigError(f"MMDetection has no config {own!r}; `dirdet supported` lists those of two-stage detectors")
    path = shipped.get(str(config), Path(config)) if own is None else config_folder() / f"{own}.py"
    if not path.is_file():
        raise ConfigError(f"config {config}: no such file; shipped configs are {', '.join(shipped)}")
    try:
        cfg = Config.fromfile(path)
    except ModuleNotFoundError as exc:
        raise ConfigError(f"config {path} imports '{exc.name}' (custom_imports), which is not installed") from exc
    except ImportError as exc:
        missing = _missing_module(exc)
        if missing is not None:
            raise ConfigError(f"config {path} imports '{missing}' (custom_imports), which is not installed") from exc
        # MMEngine adds sys.path, a line for each entry.
        reason = str(exc).partition(", the current sys.path")[0]
        raise ConfigError(f"config {path}: its custom_imports failed: {reason}") from exc
    except Exception as exc:  # MMEngine executes the file, which may raise any exception.
        raise ConfigError(f"config {path} cannot be read: {type(exc).__name__}: {exc}") from exc
    if "model" not in cfg:
        raise ConfigError(f"config {path} has no 'model'")
    return cfg


def _missing_module(error: BaseException) -> str | None:
    """The package that was not found, which MMEngine's own error does not name."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ModuleNotFoundError) and cause.name:
            return cause.name
        cause = cause.__cause__ or cause.__context__
    return None


@naming_refused_settings()
def build_model(cfg: Config) -> torch.nn.Module:
    """Builds the config's detector with random weights: nothing is downloaded, since a checkpoint is loaded later.

    Raises:
        RefusedSettingError: a class that the config names does not exist, or does not take its settings.
    """
    register_all_modules(init_default_scope=True)
    model = copy.deepcopy(cfg.model)
    drop_pretrained(model)
    keep_norms_local(model)
    return MODELS.build(model)


def keep_norms_local(node: object) -> None:
    """Replaces batch norms over processes by BN below a config node, in place; in one process they are the same.

    mmcv's cannot be built without a process group, and torch's does not train on the CPU.
    """
    if isinstance(node, dict):
        if node.get("type") in ("SyncBN", "MMSyncBN"):
            node["type"] = "BN"
        for value in node.values():
            keep_norms_local(value)
    elif isinstance(node, list | tuple):
        for value in node:
            keep_norms_local(value)


def drop_pretrained(node: object) -> None:
    """Removes every init_cfg of type Pretrained and every pretrained=True below a config node, in place."""
    if isinstance(node, dict):
        init_cfg = node.get("init_cfg")
        if isinstance(init_cfg, dict) and init_cfg.get("type") == "Pretrained":
            node["init_cfg"] = None
        if node.get("pretrained"):
            node["pretrained"] = False if node["pretrained"] is True else None
        for value in node.values():
            drop_pretrained(value)
    elif isinstance(node, list | tuple):
        for value in node:
            drop_pretrained(value)
