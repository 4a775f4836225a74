"""A job stops once its pictures can no longer be fetched, and only then."""

import pytest

from dirdet.batch.errors import JobStoppedError
from dirdet.batch.unreachable_sources import Unreached
from dirdet.errors import NotFoundError, PictureError, UnreachedError


def read(unreached: Unreached, error: PictureError | None = None) -> None:
    with unreached.counted():
        if error is not None:
            raise error


def test_pictures_that_fail_in_a_row_stop_the_job() -> None:
    unreached = Unreached(patience=3)
    for _ in range(2):
        with pytest.raises(UnreachedError):
            read(unreached, UnreachedError("cannot be fetched: 503"))
    with pytest.raises(JobStoppedError, match=r"3 pictures in a row could not be fetched, the last one .*503"):
        read(unreached, UnreachedError("cannot be fetched: 503"))


@pytest.mark.parametrize("answer", [None, NotFoundError("there is no such file")])
def test_any_answer_begins_the_count_anew(answer: PictureError | None) -> None:
    unreached = Unreached(patience=2)
    for _ in range(5):
        with pytest.raises(UnreachedError):
            read(unreached, UnreachedError("cannot be fetched: 503"))
        if answer is None:
            read(unreached)
        else:
            with pytest.raises(NotFoundError):
                read(unreached, answer)


def test_two_jobs_do_not_count_together() -> None:
    first, second = Unreached(patience=2), Unreached(patience=2)
    for unreached in (first, second):
        with pytest.raises(UnreachedError):
            read(unreached, UnreachedError("cannot be fetched: 503"))
