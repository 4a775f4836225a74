"""Trainings that start together on a machine where none has run."""

import multiprocessing
import os
import runpy
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

PROCESSES = 4
# By itself: its package imports MMDetection, for many seconds.
MODULE = Path(__file__).parents[3] / "training" / "dirdet_training" / "mm" / "yapf_cache.py"


def slow_to_fill(rename: Callable[[str, str], None]) -> Callable[[str, str], None]:
    """A file has its name some time before its end is written."""

    def renamed(old: str, new: str) -> None:
        rename(old, new)
        time.sleep(0.3)

    return renamed


def formatted(cache: str) -> str:
    """What yapf makes of a text, in a process that keeps its caches in a folder and imports no MMDetection."""
    os.environ["XDG_CACHE_HOME"] = cache
    os.rename = slow_to_fill(os.rename)
    runpy.run_path(str(MODULE))["load_yapf"]()
    from yapf.yapflib.yapf_api import FormatCode

    return FormatCode("a =  1")[0]


@pytest.mark.parametrize("writable", [True, False])
def test_processes_that_start_together_write_their_configs(tmp_path: Path, writable: bool) -> None:
    cache = tmp_path / "cache"
    if not writable:
        cache.write_bytes(b"")
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        texts = list(pool.map(formatted, [str(cache)] * PROCESSES))
    assert texts == ["a = 1\n"] * PROCESSES
    assert writable == any(cache.rglob("PatternGrammar*.pickle"))
