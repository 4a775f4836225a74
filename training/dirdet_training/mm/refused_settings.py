"""Says which part of a config refused its settings, where MMEngine would only raise what the part's class raised."""

from collections.abc import Generator
from contextlib import contextmanager
from traceback import walk_tb
from types import TracebackType
from typing import Any

from mmengine.registry.build_functions import build_from_cfg

from dirdet.errors import DirdetError, shown


class RefusedSettingError(DirdetError):
    """A class that the config names does not exist, or does not take the config's settings."""


@contextmanager
def naming_refused_settings() -> Generator[None]:
    """Around whatever builds parts of a config; errors from elsewhere pass unchanged.

    Raises:
        RefusedSettingError: a part could not be built.
    """
    try:
        yield
    except DirdetError:
        raise
    except Exception as exc:
        part = _part_being_built(exc.__traceback__)
        if part is None:
            raise
        # MMEngine's advice, with an address, follows "Please check".
        said = str(exc.args[0]) if exc.args else type(exc).__name__
        raise RefusedSettingError(
            f"the config's {part} cannot be built: {said.partition('. Please check')[0]}"
        ) from exc


def _part_being_built(trace: TracebackType | None) -> str | None:
    """The innermost part of the config on the way to the error; None if nothing was being built."""
    frames = [frame for frame, _ in walk_tb(trace) if frame.f_code is build_from_cfg.__code__]
    if not frames:
        return None
    settings: Any = frames[-1].f_locals.get("cfg")
    kind = settings.get("type") if isinstance(settings, dict) else None
    if kind is None:
        return f"part {shown(settings)}"
    return kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
