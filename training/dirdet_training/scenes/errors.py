"""The errors of the scenes generator."""

from dirdet.errors import DirdetError


class ScenesError(DirdetError):
    """Scenes that cannot be made: a source is missing or broken, or the output folder is taken."""
