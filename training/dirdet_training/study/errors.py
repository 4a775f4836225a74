"""The errors of the study."""

from dirdet.errors import DirdetError


class StudyError(DirdetError):
    """The study cannot be done: a setting, a checkpoint or a stored file does not fit."""
