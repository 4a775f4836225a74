"""What can keep a job from beginning or from ending; each text says what to do."""

from dirdet.errors import DirdetError


class SourceError(DirdetError):
    """A source that cannot be read, or that names no picture."""


class OutputError(DirdetError):
    """A folder for results that holds something else, another job's results, or those of a job still running."""


class JobStoppedError(DirdetError):
    """A job that could not go on; what was done is kept."""
