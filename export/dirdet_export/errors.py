"""The errors of an export."""

from dirdet.errors import DirdetError


class UnsupportedError(DirdetError):
    """A detector or a setting that cannot be exported. The text names it, the expected and the actual value."""


class ExportError(DirdetError):
    """An export that could not be completed."""


class ParityError(DirdetError):
    """A bundle that does not detect what its checkpoint detects."""
