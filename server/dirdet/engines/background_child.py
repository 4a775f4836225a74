"""The child process of `dirdet.engines.background`: canvases in, candidates out, when nobody else wants the cores."""

import os
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path


def give_way() -> None:
    """Takes the lowest priority there is; to be called before any thread starts, which has its starter's."""
    with suppress(OSError, AttributeError):  # what the system does not have, or does not allow
        os.nice(19)
    with suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with suppress(OSError):  # Linux: to be ended before others, where memory runs out
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def work(connection: Connection, folder: Path, threads: int) -> None:
    """Answers until the other end is gone."""
    # Imported here since numpy starts threads when it is.
    from dirdet.bundle import Bundle
    from dirdet.engines.background import Refused, Started
    from dirdet.engines.factory import make_engine
    from dirdet.errors import DirdetError

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
    give_way()
    with suppress(EOFError, ConnectionError, KeyboardInterrupt):
        work(Connection(int(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3]))
