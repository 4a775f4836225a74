"""Readers of files of strangers under a fuzzer: nothing but DirdetError, no file over 5 s, no more than 1 GiB.

DIRDET_FUZZ_SECONDS says for how long each is fuzzed; `make test-fuzz` takes longer than the tests do. Without it a
fixed number of files is tried, the same each time.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fuzzed_readers import READERS

pytest.importorskip("atheris", reason="Atheris has wheels for Linux on x86_64 alone")

SUPPORT = Path(__file__).parents[1] / "support"
SECONDS = os.environ.get("DIRDET_FUZZ_SECONDS")
# A video is looked over in another process, as is each table of Parquet; a condition is computed.
FEW = {"parquet": 10, "video": 50, "condition": 100}
FILES = 200
# Beside the file: torch and MMEngine alone have up to 0.98 GB.
MOST_MIB = {"roi stage": 2048, "checkpoint": 2048}
# On a busy machine a file may wait longer than it takes.
TIMEOUT_S = 5 if SECONDS else 30


# The fuzzer counts the peak of its memory, and a process begins with that of the one that it is forked from.
FROM_A_SMALL_PROCESS = """
import os, sys
child = os.fork()
if not child:
    os.execv(sys.argv[1], sys.argv[1:])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("name", READERS)
def test_a_reader_refuses_what_it_cannot_read(name: str, tmp_path: Path) -> None:
    length = f"-max_total_time={SECONDS}" if SECONDS else f"-runs={FEW.get(name, FILES)}"
    command = [sys.executable, "-c", FROM_A_SMALL_PROCESS]
    command += [sys.executable, SUPPORT / "fuzz.py", name, tmp_path, length, f"-artifact_prefix={tmp_path}/"]
    command += [f"-timeout={TIMEOUT_S}", f"-rss_limit_mb={MOST_MIB.get(name, 1024)}", "-seed=1"]
    path = os.pathsep.join([str(SUPPORT), *sys.path])
    ended = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, errors="replace", check=False
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    if SECONDS:
        print(f"{name}: {ended.stderr.splitlines()[-1]}")
