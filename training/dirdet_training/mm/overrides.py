"""Overrides settings of a config that has been read, and refuses overrides without effect."""

import difflib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from dirdet_training.mm.configs import ConfigError

# The settings that MMEngine's Runner reads: its parameters, and what it takes from the config directly.
READ = frozenset(inspect.signature(Runner.__init__).parameters) - {"self", "cfg"} | {
    *("activation_checkpointing", "compile", "efficient_conv_bn_eval", "find_unused_parameters", "fp16"),
    *("model_wrapper_cfg", "sync_bn"),
}
SHOWN = 4


def override(cfg: Config, settings: Mapping[str, Any]) -> None:
    """Sets settings of a config by their dotted names, in place.

    Other settings than the Runner's are variables that the config's file computed settings from. The file has been
    executed already, so a change of a variable would have no effect.

    Raises:
        ConfigError: nothing reads the setting, or its name leads into a value that has no settings of its own.
    """
    for name, value in settings.items():
        first = name.partition(".")[0]
        if first in READ:
            continue
        if first not in cfg:
            close = difflib.get_close_matches(first, sorted(READ | set(cfg)), n=1)
            meant = f"; did you mean {close[0]}?" if close else ""
            raise ConfigError(f"-o {name}={value}: the config has no setting {first}{meant}")
        same = list(_equal_to(cfg[first], {key: cfg[key] for key in sorted(READ & set(cfg))}))
        where = f"; set {', '.join(same[:SHOWN])}, which have its value {cfg[first]!r}" if same else ""
        raise ConfigError(
            f"-o {name}={value} has no effect: {first} is a variable of the config's file, which has been executed "
            f"already{where}"
        )
    try:
        cfg.merge_from_dict(dict(settings))
    except (TypeError, KeyError, IndexError, AttributeError, ValueError, AssertionError) as exc:
        raise ConfigError(f"-o {' -o '.join(settings)} does not fit the config: {exc}") from exc


def _equal_to(value: object, node: object, name: str = "") -> Iterator[str]:
    """Yields the dotted names of all settings below a node that have a value."""
    if isinstance(value, bool | None) or value in ("", {}, []):
        return
    if name and type(node) is type(value) and node == value:
        yield name
    elif isinstance(node, Mapping):
        for key, part in node.items():
            yield from _equal_to(value, part, f"{name}.{key}" if name else str(key))
    elif isinstance(node, list | tuple):
        for number, part in enumerate(node):
            yield from _equal_to(value, part, f"{name}.{number}")
