"""Names in a column of a Parquet file, read in a separate process with limits: a page may unpack to any size."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from dirdet.batch.arrow import parquet
from dirdet.batch.errors import SourceError
from dirdet.batch.process_limits import beyond_limits
from dirdet.files import open_regular

# CPU time for a file: a base, and a rate for its bytes.
BASE_S, BYTES_PER_S = 5, 2**20
# Arrow would reserve address space for its pools and threads, which the limit of memory counts.
LEAN = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}


def parquet_names(path: Path, column: str | None) -> Iterator[str]:
    """Yields the text in a column, without empty cells.

    Raises:
        SourceError: the file cannot be read, has no such column, or exceeds the limits.
        MissingExtraError: pyarrow is not installed.
    """
    parquet()  # Raises here if pyarrow is missing.
    asked = [] if column is None else [column]
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            seconds = BASE_S + size // BYTES_PER_S
            process = subprocess.Popen(
                [sys.executable, "-m", "dirdet.batch.listing.parquet_process", path, str(seconds), *asked],
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **LEAN},
            )
    except OSError as exc:
        raise SourceError(f"{path}: cannot be read as Parquet: {exc.strerror or exc}") from exc
    assert process.stdout is not None
    fault: str | None = f"{path}: cannot be read {beyond_limits(seconds)}"
    with process.stdout:
        try:
            for line in process.stdout:
                told: list[str] | dict[str, str | None] = json.loads(line)
                if isinstance(told, dict):
                    fault = told["fault"]
                else:
                    yield from told
        finally:
            process.kill()
            process.wait()
    if fault is not None:
        raise SourceError(fault)
