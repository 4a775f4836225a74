"""The child process of `dirdet.engines.background`: canvases in, candidates out."""

import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from dirdet.bundle import Bundle
from dirdet.engines.background import Refused, Started
from dirdet.engines.factory import make_engine
from dirdet.errors import DirdetError


def work(connection: Connection, folder: Path, threads: int) -> None:
    """Answers until the other end is gone."""
    try:
        bundle = Bundle.open(folder)
        engine = make_engine(bundle, threads=threads, several=True)
    except DirdetError as exc:
        connection.send(Refused(str(exc)))
        return
    connection.send(Started(engine.description, bundle.manifest))
    while True:
        batch = connection.recv()
        try:
            answer = engine.detect(batch)
        except DirdetError as exc:
            answer = Refused(str(exc))
        connection.send(answer)


if __name__ == "__main__":
    with suppress(EOFError, ConnectionError, KeyboardInterrupt):
        work(Connection(int(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3]))
