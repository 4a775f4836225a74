"""The errors of an export."""

from dirdet.errors import DirdetError


class UnsupportedError(DirdetError):
    """A detector or a setting that cannot be exported; the text names it, what is supported, and what was found."""


class ExportError(DirdetError):
    """An export that could not be completed."""


class ParityError(DirdetError):
    """A bundle that does not detect what its checkpoint detects."""
