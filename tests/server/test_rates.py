"""A key's rate: never more than its burst and what time brings, and whoever waits as told gets through."""

from hypothesis import given
from hypothesis import strategies as st

from dirdet.access.rates import UNITS_S, Rate, TokenBucket


class Clock:
    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


rates = st.builds(Rate, st.integers(1, 1000), st.sampled_from(list(UNITS_S)), st.integers(1, 100))


@given(rate=rates, waits_s=st.lists(st.floats(0, 1000), max_size=60))
def test_no_more_than_the_rate_and_no_less_than_told(rate: Rate, waits_s: list[float]) -> None:
    clock = Clock()
    bucket = TokenBucket(rate, clock=clock)
    passed = 0
    for wait_s in waits_s:
        clock.now += wait_s
        told = bucket.take()
        passed += told.allowed
        assert passed <= rate.burst + (clock.now - 5.0) * rate.per_second + 1e-3
        assert 0 <= told.remaining < rate.burst
        assert told.full_in_s <= rate.window_s
        if not told.allowed:
            assert told.remaining == 0
            clock.now += told.retry_in_s
            assert bucket.take().allowed
            passed += 1


@given(rate=rates)
def test_a_full_bucket_gives_its_burst_and_is_full_again_when_told(rate: Rate) -> None:
    clock = Clock()
    bucket = TokenBucket(rate, clock=clock)
    for _ in range(2):
        told = [bucket.take() for _ in range(rate.burst + 1)]
        assert [each.allowed for each in told] == [True] * rate.burst + [False]
        assert [each.remaining for each in told] == [*reversed(range(rate.burst)), 0]
        clock.now += told[-1].full_in_s


def test_asking_too_often_does_not_keep_a_bucket_empty() -> None:
    clock = Clock()
    bucket = TokenBucket(Rate.parse("30/min", burst=1), clock=clock)
    passed = 0
    for _ in range(600):
        passed += bucket.take().allowed
        clock.now += 0.1
    assert passed == 30
