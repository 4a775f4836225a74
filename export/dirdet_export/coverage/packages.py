"""The packages that a trial ran with: those that a config imports itself, and those that every detector needs."""

from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from mmengine.config import Config

# Installed with dirdet, and imported by MMDetection's own configs and by ours.
ALWAYS = frozenset({"mmcv", "mmdet", "mmengine", "torch", "torchvision", "dirdet_training"})
SHOWN = ("onedl-mmdetection", "onedl-mmcv", "onedl-mmengine", "torch", "onnxruntime")
MISSING = "not installed"


def imported_by(config: Path) -> str:
    """The packages of a config's custom_imports with their versions, `mmpretrain 1.2.0`; or `mmpretrain not installed`.

    Raises:
        Exception: the config cannot be read.
    """
    cfg = Config.fromfile(config, import_custom_modules=False)
    imports = cfg.get("custom_imports") or {}
    modules = imports.get("imports") or ()
    names = {name.partition(".")[0] for name in ([modules] if isinstance(modules, str) else modules)}
    return ", ".join(f"{name} {_version_of(name)}" for name in sorted(names - ALWAYS))


def installed() -> str:
    """The versions of the packages that decide whether a detector exports."""
    return ", ".join(f"{name} {_version(name)}" for name in SHOWN)


def _version_of(module: str) -> str:
    return _version(next(iter(packages_distributions().get(module, ())), module))


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return MISSING
