"""Runs a tritonserver with a bundle's models until Ctrl-C: `python -m tests.triton [--bundle FOLDER]`."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from dirdet.bundle.shipped import open_bundle

from .beside import write_both
from .environment import install, make_python, site_of
from .idle import write_idle
from .server import TritonServer, running

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--bundle", type=Path, help="the shipped one unless given")
parser.add_argument("--idle", action="store_true", help="models of the same names and tensors that compute nothing")
arguments = parser.parse_args()
signal.signal(signal.SIGTERM, signal.default_int_handler)
with tempfile.TemporaryDirectory() as name:
    folder, environment = Path(name), install()
    bundle = open_bundle(arguments.bundle)
    write_both(bundle, folder / "models")
    if arguments.idle:
        write_idle(bundle, folder / "models")
    python = make_python(folder / "python", [environment.site, site_of("torch")])
    with running(TritonServer(environment, folder / "models", python=python, log=folder / "log")) as server:
        print(server.address, flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            sys.exit(0)
