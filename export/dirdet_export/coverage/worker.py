"""The process that tries one config: bounded in memory, of low priority, its outcome on standard output."""

import contextlib
import json
import os
import resource
import sys
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path


def main(name: str, path: str, memory_gb: str) -> None:
    """Tries a config and prints its outcome as JSON."""
    limit = int(float(memory_gb) * 1e9)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    os.nice(10)
    # What libraries print does not belong to the outcome.
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from dirdet_export.coverage.trial import try_config

        with tempfile.TemporaryDirectory(prefix="dirdet-trial-") as work:
            outcome = try_config(name, Path(path), Path(work))
    print(json.dumps(asdict(outcome)))


if __name__ == "__main__":
    main(*sys.argv[1:])
