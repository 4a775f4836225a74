"""The scheduler with real threads: every value answered exactly once, by its own answer, whatever else happens."""

import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import PATIENCE_S

from dirdet.errors import DeadlineError, OverloadedError
from dirdet.gateway.scheduling.batch_scheduler import BatchScheduler
from dirdet.gateway.scheduling.deadline import Deadline

Answer = tuple[str, int]


class Computer:
    """Answers a value with itself and its key; stops at a gate, and remembers what it was given."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.batches: list[tuple[str, list[int]]] = []
        self.breaks_at: set[int] = set()

    def __call__(self, key: str, values: Sequence[int]) -> list[Answer]:
        self.batches.append((key, list(values)))
        self.entered.release()
        assert self.gate.wait(PATIENCE_S)
        if self.breaks_at & set(values):
            raise RuntimeError("broken")
        return [(key, value) for value in values]


@contextmanager
def scheduler(
    computer: Callable[[str, Sequence[int]], Sequence[Answer]],
    *,
    max_batch: int = 4,
    delay_s: float = 0.0,
    bound: int = 99,
    threads: int = 1,
    beside: Callable[[str, Sequence[int]], Sequence[Answer]] | None = None,
    divided: str = "abc",
) -> Generator[BatchScheduler[str, int, Answer]]:
    made: BatchScheduler[str, int, Answer] = BatchScheduler(
        computer,
        max_batch=max_batch,
        max_delay_s=delay_s,
        bound=bound,
        threads=threads,
        beside=lambda key: beside if key in divided else None,
    )
    try:
        yield made
    finally:
        made.close()


@contextmanager
def coming(made: BatchScheduler[str, int, Answer]) -> Generator[None]:
    made.expect(1)
    try:
        yield
    finally:
        made.expect(-1)


def soon() -> Deadline:
    return Deadline.after(PATIENCE_S)


def test_one_alone_does_not_wait_for_others() -> None:
    with scheduler(Computer(), delay_s=2 * PATIENCE_S) as made:
        assert made.submit("a", 1, soon()).result(PATIENCE_S) == ("a", 1)


def test_while_another_is_coming_it_waits_and_goes_when_that_is_here() -> None:
    computer = Computer()
    with scheduler(computer, delay_s=2 * PATIENCE_S) as made:
        with coming(made):
            first = made.submit("a", 1, soon())
            time.sleep(0.05)
            assert not first.done()
            second = made.submit("a", 2, soon())
        assert [first.result(PATIENCE_S), second.result(PATIENCE_S)] == [("a", 1), ("a", 2)]
    assert computer.batches == [("a", [1, 2])]


def test_it_waits_no_longer_than_the_delay() -> None:
    with scheduler(Computer(), delay_s=0.05) as made, coming(made):
        assert made.submit("a", 1, soon()).result(PATIENCE_S) == ("a", 1)


def test_what_waits_while_the_engine_is_busy_goes_by_bucket_and_age() -> None:
    computer = Computer()
    computer.gate.clear()
    with scheduler(computer) as made:
        futures = [made.submit("a", 0, soon())]
        assert computer.entered.acquire(timeout=PATIENCE_S)
        assert made.busy_s > 0
        futures += [made.submit("ab"[number % 2], number, soon()) for number in range(1, 8)]
        computer.gate.set()
        assert [future.result(PATIENCE_S) for future in futures] == [("ab"[number % 2], number) for number in range(8)]
    assert computer.batches == [("a", [0]), ("b", [1, 3, 5, 7]), ("a", [2, 4, 6])]


def test_while_few_wait_a_batch_has_the_machine_to_itself_and_in_a_crowd_the_threads_share_it() -> None:
    alone, beside = Computer(), Computer()
    alone.gate.clear()
    beside.gate.clear()
    with scheduler(alone, threads=2, beside=beside) as made:
        futures = [made.submit("a", 0, soon())]
        assert alone.entered.acquire(timeout=PATIENCE_S)
        futures += [made.submit("a", number, soon()) for number in range(1, 7)]
        assert not beside.entered.acquire(timeout=0.05)  # a thread is free, and waits
        alone.gate.set()
        assert beside.entered.acquire(timeout=PATIENCE_S)
        assert beside.entered.acquire(timeout=PATIENCE_S)
        beside.gate.set()
        assert [future.result(PATIENCE_S) for future in futures] == [("a", number) for number in range(7)]
    assert alone.batches == [("a", [0])]
    assert sorted(beside.batches[:2]) == [("a", [1, 2]), ("a", [3, 4])]
    assert beside.batches[2:] == [("a", [5, 6])]


def test_few_are_shared_out_among_the_threads_that_are_free() -> None:
    alone, beside = Computer(), Computer()
    alone.gate.clear()
    beside.gate.clear()
    with scheduler(alone, max_batch=12, threads=3, beside=beside) as made:
        futures = [made.submit("a", 0, soon())]
        assert alone.entered.acquire(timeout=PATIENCE_S)
        futures += [made.submit("a", number, soon()) for number in range(1, 8)]
        alone.gate.set()
        for _ in range(3):
            assert beside.entered.acquire(timeout=PATIENCE_S)
        beside.gate.set()
        for future in futures:
            future.result(PATIENCE_S)
    assert sorted(len(values) for _, values in beside.batches) == [2, 2, 3]


def test_what_cannot_be_computed_beside_others_waits_for_them_and_is_not_overtaken() -> None:
    alone, beside = Computer(), Computer()
    alone.gate.clear()
    beside.gate.clear()
    with scheduler(alone, max_batch=2, threads=2, beside=beside, divided="a") as made:
        futures = [made.submit("b", 0, soon())]
        assert alone.entered.acquire(timeout=PATIENCE_S)
        futures += [made.submit(key, number, soon()) for number, key in enumerate("aabaa", 1)]
        alone.gate.set()
        assert beside.entered.acquire(timeout=PATIENCE_S)
        assert beside.entered.acquire(timeout=PATIENCE_S)
        assert not alone.entered.acquire(timeout=0.05)
        beside.gate.set()
        for future in futures:
            future.result(PATIENCE_S)
    assert alone.batches[:2] == [("b", [0]), ("b", [3])]
    assert sorted(beside.batches[:2]) == [("a", [1]), ("a", [2])]
    computed_later = [values for _, values in alone.batches[2:] + beside.batches[2:]]
    assert sorted(number for values in computed_later for number in values) == [4, 5]


def test_what_is_cancelled_or_late_before_its_turn_is_not_computed() -> None:
    computer = Computer()
    computer.gate.clear()
    with scheduler(computer) as made:
        first = made.submit("a", 0, soon())
        assert computer.entered.acquire(timeout=PATIENCE_S)
        deadlines = (soon(), Deadline.after(0.01), soon())
        cancelled, late, good = (made.submit("a", number, each) for number, each in enumerate(deadlines, 1))
        assert cancelled.cancel()
        assert len(made) == 2
        time.sleep(0.02)
        computer.gate.set()
        assert first.result(PATIENCE_S) == ("a", 0)
        assert good.result(PATIENCE_S) == ("a", 3)
        with pytest.raises(DeadlineError, match=r"0\.01 s"):
            late.result(PATIENCE_S)
    assert computer.batches == [("a", [0]), ("a", [3])]


def test_beyond_the_bound_it_refuses_and_takes_again_when_there_is_room() -> None:
    computer = Computer()
    computer.gate.clear()
    with scheduler(computer, bound=2) as made:
        futures = [made.submit("a", 0, soon())]
        assert computer.entered.acquire(timeout=PATIENCE_S)
        futures += [made.submit("a", 1, soon()), made.submit("b", 2, soon())]
        with pytest.raises(OverloadedError, match="2 pictures wait"):
            made.submit("a", 3, soon())
        computer.gate.set()
        for future in futures:
            future.result(PATIENCE_S)
        assert made.submit("a", 3, soon()).result(PATIENCE_S) == ("a", 3)


def test_a_broken_batch_is_told_to_its_own_and_the_next_goes_on() -> None:
    computer = Computer()
    computer.breaks_at = {1}
    with scheduler(computer) as made:
        with pytest.raises(RuntimeError, match="broken"):
            made.submit("a", 1, soon()).result(PATIENCE_S)
        assert made.submit("a", 2, soon()).result(PATIENCE_S) == ("a", 2)


def test_too_few_answers_are_an_error_for_all() -> None:
    def too_few(key: str, values: Sequence[int]) -> list[Answer]:
        return [(key, value) for value in values][1:]

    with scheduler(too_few) as made, pytest.raises(RuntimeError, match="expected 1 answers"):
        made.submit("a", 1, soon()).result(PATIENCE_S)


def test_closed_it_tells_those_who_wait() -> None:
    computer = Computer()
    computer.gate.clear()
    with scheduler(computer) as made:
        first = made.submit("a", 0, soon())
        assert computer.entered.acquire(timeout=PATIENCE_S)
        second = made.submit("a", 1, soon())
    with pytest.raises(OverloadedError, match="stopped"):
        second.result(PATIENCE_S)
    with pytest.raises(OverloadedError, match="stopped"):
        made.submit("a", 2, soon())
    computer.gate.set()
    assert first.result(PATIENCE_S) == ("a", 0)


@settings(max_examples=40)
@given(
    works=st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from(["wait", "cancel", "late", "break"]),
            st.sampled_from([0, 0, 0, 0.001]),
        ),
        max_size=60,
    ),
    max_batch=st.integers(1, 5),
    delay_s=st.sampled_from([0, 0.001, 0.01]),
    bound=st.integers(1, 40),
    threads=st.integers(1, 3),
    divided=st.sampled_from(["", "a", "abc"]),
)
def test_whatever_happens_each_is_answered_once_and_none_is_mixed(
    works: list[tuple[str, str, float]], max_batch: int, delay_s: float, bound: int, threads: int, divided: str
) -> None:
    computer = Computer()
    computer.breaks_at = {number for number, (_, what, _) in enumerate(works) if what == "break"}
    answered: list[int] = []
    futures: dict[int, Future[Answer]] = {}
    cancelled: set[int] = set()
    kinds = {"max_batch": max_batch, "bound": bound, "threads": threads}
    with scheduler(computer, delay_s=delay_s, **kinds, beside=computer, divided=divided) as made:
        for number, (key, what, pause_s) in enumerate(works):
            with coming(made):
                time.sleep(pause_s)
                try:
                    future = made.submit(key, number, Deadline.after(-1 if what == "late" else PATIENCE_S))
                except OverloadedError:
                    assert bound <= 40
                    continue
                assert len(made) <= bound
            futures[number] = future
            future.add_done_callback(lambda _, number=number: answered.append(number))
            if what == "cancel" and future.cancel():
                cancelled.add(number)
        for number, future in futures.items():
            key, what, _ = works[number]
            if number in cancelled:
                assert future.cancelled()
                continue
            try:
                assert future.result(PATIENCE_S) == (key, number)
                assert what != "late"
            except DeadlineError:
                assert what == "late"
            except RuntimeError:
                [batch] = [values for _, values in computer.batches if number in values]
                assert computer.breaks_at & set(batch)
    assert sorted(answered) == sorted(futures)
    computed = [number for _, values in computer.batches for number in values]
    assert len(computed) == len(set(computed))
    assert not cancelled & set(computed)
    assert all(len(values) <= max_batch for _, values in computer.batches)
    assert all(works[number][0] == key for key, values in computer.batches for number in values)
