"""The errors of annotation files."""

from dirdet.errors import DirdetError


class AnnotationError(DirdetError):
    """The annotations cannot be read or are broken."""


class ClassesError(AnnotationError):
    """The annotations' classes differ from the requested classes."""
