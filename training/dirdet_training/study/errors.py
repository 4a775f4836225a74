"""What the study raises."""

from dirdet.errors import DirdetError


class StudyError(DirdetError):
    """A study that cannot be done: a setting, a checkpoint or a stored file that does not fit."""
