"""Probes videos in a separate process with limits on memory and time, since their headers may claim anything.

FFmpeg allocates an entry for every frame that a header claims, before it looks for the frame. The process opens no
file: it requests the parts that it reads.
"""

import atexit
import io
import json
import os
import subprocess
import sys
import threading
from array import array
from contextlib import suppress
from fractions import Fraction
from typing import IO, Any

from dirdet import errors
from dirdet.batch.process_limits import beyond_limits
from dirdet.batch.video.messages import ANSWER, HEADER, READ
from dirdet.batch.video.opening import av
from dirdet.batch.video.timeline import Timeline
from dirdet.errors import BrokenPictureError, PictureError

# CPU time for a video: a base, and a rate for its bytes.
BASE_S, BYTES_PER_S = 5, 5 * 2**20

_lock = threading.Lock()
_process: "subprocess.Popen[bytes] | None" = None


def probe(file: IO[bytes]) -> Timeline:
    """Lists a video's frames as `timeline_of` does.

    Raises:
        PictureError: it has none, cannot be read, or exceeds the limits of memory or time.
        OSError: its file cannot be read.
        MissingExtraError: PyAV is not installed.
    """
    av()  # Raises here if PyAV is missing.
    size = file.seek(0, io.SEEK_END)
    with _lock:
        process = _started()
        try:
            answer = _exchange(process, file, size)
        except BaseException:
            _end()
            raise
        if answer is None:
            _end()
            raise BrokenPictureError(f"the video cannot be probed {beyond_limits(_seconds(size))}")
    header, _, frames = answer.partition(b"\n")
    values: dict[str, Any] = json.loads(header)
    if "error" in values:
        kind = getattr(errors, values["error"], BrokenPictureError)
        raise (kind if issubclass(kind, PictureError) else BrokenPictureError)(values["message"])
    return Timeline(array("q", frames), Fraction(values["time_base"]), values["fault"])


def _exchange(process: "subprocess.Popen[bytes]", file: IO[bytes], size: int) -> bytes | None:
    """Serves the process's reads of a file and returns its answer; None if the process ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):
        _send(process.stdin, HEADER.pack(size, _seconds(size)))
        while len(asked := process.stdout.read(1 + HEADER.size)) == 1 + HEADER.size:
            kind, (offset, length) = asked[:1], HEADER.unpack(asked[1:])
            if kind == ANSWER:
                answer = process.stdout.read(length)
                return answer if len(answer) == length else None
            if kind != READ:
                break
            file.seek(offset)
            data = file.read(min(length, io.DEFAULT_BUFFER_SIZE * 1024))
            _send(process.stdin, HEADER.pack(0, len(data)) + data)
    return None


def _send(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(data)
    pipe.flush()


def _seconds(size: int) -> int:
    return BASE_S + size // BYTES_PER_S


def _started() -> "subprocess.Popen[bytes]":
    global _process
    if _process is None or _process.poll() is not None:
        _process = subprocess.Popen(
            [sys.executable, "-m", "dirdet.batch.video.probe_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C reaches only the job, which then ends this process.
        )
    return _process


@atexit.register
def _end() -> None:
    global _process
    if _process is not None:
        process, _process = _process, None
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        process.wait()
