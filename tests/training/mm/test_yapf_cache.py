"""Trainings that start together on a machine where none has run."""

import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

PROCESSES = 4


def slow_to_fill(rename: Callable[[str, str], None]) -> Callable[[str, str], None]:
    """A file has its name some time before its end is written."""

    def renamed(old: str, new: str) -> None:
        rename(old, new)
        time.sleep(0.3)

    return renamed


def formatted(cache: str) -> str:
    """A config's text, from a process that keeps its caches in a folder."""
    os.environ["XDG_CACHE_HOME"] = cache
    os.rename = slow_to_fill(os.rename)
    from dirdet_training.mm.yapf_cache import load_yapf

    load_yapf()
    from mmengine.config import Config

    return Config({"a": 1}).pretty_text


@pytest.mark.parametrize("writable", [True, False])
def test_processes_that_start_together_write_their_configs(tmp_path: Path, writable: bool) -> None:
    cache = tmp_path / "cache"
    if not writable:
        cache.write_bytes(b"")
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        texts = list(pool.map(formatted, [str(cache)] * PROCESSES))
    assert texts == ["a = 1\n"] * PROCESSES
    assert writable == any(cache.rglob("PatternGrammar*.pickle"))
