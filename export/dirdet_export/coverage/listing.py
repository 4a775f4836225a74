"""MMDetection's own configs, and where their weights are, from the metafiles in its package."""

from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from dirdet_training.mm.zoo import config_folder, weights_by_config


@dataclass(frozen=True, slots=True)
class Listed:
    """A config of MMDetection's.

    Attributes:
        name: its path below MMDetection's configs, without .py.
        weights: address of its trained weights; None if there are none.
    """

    name: str
    weights: str | None


def two_stage_configs() -> list[Listed]:
    """The configs of detectors with a RoI head, by name.

    Those that cannot be read are listed too if their folder has others, since they may be of such a detector.
    """
    weights = weights_by_config()
    folder = config_folder()
    verdicts: dict[str, bool | None] = {}
    for path in sorted(folder.rglob("*.py")):
        if "_base_" not in path.parts:
            verdicts[path.relative_to(folder).as_posix().removesuffix(".py")] = _has_roi_head(path)
    groups = {name.partition("/")[0] for name, verdict in verdicts.items() if verdict}
    chosen = [
        name for name, verdict in verdicts.items() if verdict or (verdict is None and name.split("/")[0] in groups)
    ]
    return [Listed(name, weights.get(name)) for name in chosen]


def _has_roi_head(path: Path) -> bool | None:
    """Whether a config's detector has a RoI head; None if the config cannot be read."""
    try:
        model = Config.fromfile(path).get("model") or {}
    except Exception:
        # The name decides: mmpretrain's backbones, for example, are not installed.
        return True if "rcnn" in path.name.replace("-", "") else None
    return "roi_head" in model
