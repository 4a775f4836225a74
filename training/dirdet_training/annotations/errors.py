"""The errors of annotation files."""

from dirdet.errors import DirdetError


class AnnotationError(DirdetError):
    """Annotations that cannot be read or that are broken."""


class ClassesError(AnnotationError):
    """Annotations whose classes are not those that were asked for."""
