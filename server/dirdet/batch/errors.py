"""Errors that keep a job from starting or finishing; each message states what to do."""

from dirdet.errors import DirdetError


class SourceError(DirdetError):
    """The source cannot be read, or has no pictures."""


class OutputError(DirdetError):
    """The folder for results holds something else, another job's results, or those of a running job."""


class JobStoppedError(DirdetError):
    """The job could not continue; its finished parts are kept."""
