"""Reading MMDetection configs by path or by the name of one that dirdet ships."""

import copy
from importlib import resources
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config

import dirdet_training.mm  # noqa: F401  # pyright: ignore[reportUnusedImport] - registers the plug-in
from dirdet.errors import DirdetError


class ConfigError(DirdetError):
    """A config that is missing or that MMEngine cannot read."""


def shipped_configs() -> dict[str, Path]:
    """The configs in this package, by name without .py; files whose name begins with _ are their parts."""
    folder = Path(str(resources.files("dirdet_training"))) / "configs"
    return {path.stem: path for path in sorted(folder.glob("[!_]*.py"))}


def read_config(config: str | Path) -> Config:
    """The config at a path, or the shipped one of that name.

    Raises:
        ConfigError: there is no such file and no such name, or MMEngine cannot read it.
    """
    shipped = shipped_configs()
    path = shipped.get(str(config), Path(config))
    if not path.is_file():
        raise ConfigError(f"config {config}: no such file; shipped configs are {', '.join(shipped)}")
    try:
        cfg = Config.fromfile(path)
    except ModuleNotFoundError as exc:
        raise ConfigError(f"config {path} imports '{exc.name}' (custom_imports), which is not installed") from exc
    except ImportError as exc:
        raise ConfigError(f"config {path}: its custom_imports failed: {exc}") from exc
    except Exception as exc:  # MMEngine executes the file: anything may come.
        raise ConfigError(f"config {path} cannot be read: {type(exc).__name__}: {exc}") from exc
    if "model" not in cfg:
        raise ConfigError(f"config {path} has no 'model'")
    return cfg


def build_model(cfg: Config) -> torch.nn.Module:
    """The config's detector with random weights: none are fetched, since a checkpoint follows."""
    register_all_modules(init_default_scope=True)
    model = copy.deepcopy(cfg.model)
    drop_pretrained(model)
    return MODELS.build(model)


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
