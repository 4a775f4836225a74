"""Several processes on one port: refused where they do no good, replaced when they die, gone with their parent."""

import errno
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from waiting import PATIENCE_S, until

from dirdet.gateway.wire.handed_connections import Turns

# Each worker answers a connection with its process id, and ends on SIGTERM.
WORK = """
import logging, os, socket, sys, threading
from dirdet.errors import EngineError
from dirdet.gateway.wire.worker_processes import Workers, WorkersError

logging.basicConfig(level=logging.INFO)
listener = socket.create_server(("127.0.0.1", 0))

def work(channel):
    if sys.argv[1:] == ["broken"]:
        raise EngineError("no engine")
    while True:
        message, [descriptor], _, _ = socket.recv_fds(channel, 1, 1)
        with socket.socket(fileno=descriptor) as connection:
            connection.sendall(str(os.getpid()).encode())

print(listener.getsockname()[1], flush=True)
try:
    Workers(3, work, listener=listener).run()
except WorkersError as exc:
    sys.exit(str(exc))
"""


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", WORK]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def ask(port: int) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        return int(connection.recv(20))


def seen(port: int, number: int) -> set[int]:
    """The workers that answer, once there are so many."""
    found: set[int] = set()

    def enough() -> bool:
        found.add(ask(port))
        return len(found) >= number

    until(enough)
    return found


def readable(channel: socket.socket) -> bool:
    return bool(select.select([channel], [], [], 0)[0])


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_one_that_dies_is_replaced_and_all_end_with_the_parent(
    parent: subprocess.Popen[str], end: signal.Signals
) -> None:
    assert parent.stdout is not None
    port = int(parent.stdout.readline())
    first = seen(port, 2)
    victim = min(first)
    os.kill(victim, signal.SIGKILL)
    until(lambda: not exists(victim))
    workers = seen(port, 3)
    assert victim not in workers
    parent.send_signal(end)
    assert parent.wait(PATIENCE_S) == 0
    assert not any(exists(pid) for pid in workers)
    with pytest.raises(OSError, match="refused"):
        ask(port)


def test_connections_come_to_all_in_turns(parent: subprocess.Popen[str]) -> None:
    assert parent.stdout is not None
    port = int(parent.stdout.readline())
    found = Counter(ask(port) for _ in range(12))
    assert sorted(found.values()) == [4, 4, 4]


def test_connections_of_one_that_does_not_read_come_to_the_others() -> None:
    turns = Turns()
    busy, other = turns.channel(), turns.channel()
    with busy, other, socket.create_server(("127.0.0.1", 0)) as listener:
        taken = 0
        for _ in range(1500):
            with socket.create_connection(listener.getsockname()):
                assert turns.hand_over(listener.accept()[0])
            descriptors = socket.recv_fds(other, 1, 1, socket.MSG_DONTWAIT)[1] if readable(other) else []
            for descriptor in descriptors:
                os.close(descriptor)
                taken += 1
        assert taken > 750, "more than its turns"
        other.close()
        with socket.create_connection(listener.getsockname()) as refused:
            assert not turns.hand_over(listener.accept()[0])
            assert refused.recv(1) == b""
        turns.close()


def test_a_process_stays_in_turn_when_the_system_has_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns()
    with turns.channel() as channel, socket.create_server(("127.0.0.1", 0)) as listener:

        def hand_over() -> bool:
            with socket.create_connection(listener.getsockname()):
                return turns.hand_over(listener.accept()[0])

        def full(*_: object) -> int:
            raise OSError(errno.ETOOMANYREFS, "too many")

        with monkeypatch.context() as patch:
            patch.setattr(socket, "send_fds", full)
            assert not hand_over()
        assert hand_over()
        os.close(socket.recv_fds(channel, 1, 1)[1][0])
        turns.close()


def test_they_end_when_the_parent_is_killed(parent: subprocess.Popen[str]) -> None:
    assert parent.stdout is not None
    workers = seen(int(parent.stdout.readline()), 2)
    parent.kill()
    until(lambda: not any(exists(pid) for pid in workers))


def test_an_error_that_all_meet_ends_them_all() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORK, "broken"], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 1
    assert "no engine" in done.stderr
    assert "Traceback" not in done.stderr


def test_they_are_refused_without_a_triton() -> None:
    command = [sys.executable, "-m", "dirdet", "serve", "--port", "0", "--workers", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 2
    assert re.search(r"'--workers': 2 processes need --triton", done.stderr.replace("\n", " "))
