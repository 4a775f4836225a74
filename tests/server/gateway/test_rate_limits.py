"""A key's rate: never more than its burst and what time brings, and whoever waits as told gets through."""

from hypothesis import given
from hypothesis import strategies as st

from dirdet.gateway.access.rate_limits import UNITS_S, Rate, TokenBucket


class Clock:
    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


rates = st.builds(Rate, st.integers(1, 1000), st.sampled_from(list(UNITS_S)), st.integers(1, 100))


@given(rate=rates, asked=st.lists(st.tuples(st.floats(0, 1000), st.integers(1, 5)), max_size=60))
def test_no_more_than_the_rate_and_no_less_than_told(rate: Rate, asked: list[tuple[float, int]]) -> None:
    clock = Clock()
    bucket = TokenBucket(rate, clock=clock)
    spent = 0
    for wait_s, pictures in asked:
        clock.now += wait_s
        before = bucket.look()
        assert bucket.take() is (before.remaining > 0)
        if not before.remaining:
            assert before.retry_in_s >= 1
            clock.now += before.retry_in_s
            assert bucket.take()
        # What passes last may take too much, once: it is paid for before the next.
        assert spent <= rate.burst + (clock.now - 5.0) * rate.per_second + 1e-3
        bucket.spend(pictures - 1)
        spent += pictures
        after = bucket.look()
        assert 0 <= after.remaining < max(rate.burst, 2)
        assert (after.retry_in_s > 0) is (after.remaining == 0)
        assert after.retry_in_s <= max(after.full_in_s, 1)


@given(rate=rates)
def test_a_full_bucket_gives_its_burst_and_is_full_again_when_told(rate: Rate) -> None:
    clock = Clock()
    bucket = TokenBucket(rate, clock=clock)
    for _ in range(2):
        assert bucket.look().remaining == rate.burst
        assert bucket.look().full_in_s == 0
        assert [bucket.take() for _ in range(rate.burst + 1)] == [True] * rate.burst + [False]
        assert bucket.look().full_in_s <= rate.window_s
        clock.now += bucket.look().full_in_s


def test_asking_too_often_does_not_keep_a_bucket_empty() -> None:
    clock = Clock()
    bucket = TokenBucket(Rate.parse("30/min", burst=1), clock=clock)
    passed = 0
    for _ in range(600):
        passed += bucket.take()
        clock.now += 0.1
    assert passed == 30
