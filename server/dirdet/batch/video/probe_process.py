"""The process that probes videos (`dirdet.batch.video.probe`)."""

import gc
import io
import json
import os
import sys
from typing import IO, Any, cast

from dirdet.batch.process_limits import limit_memory, limit_time
from dirdet.batch.video.messages import ANSWER, HEADER, READ
from dirdet.batch.video.opening import av
from dirdet.batch.video.timeline import timeline_of
from dirdet.errors import DirdetError


class RequestedFile(io.RawIOBase):
    """A file that the job's process reads on request."""

    def __init__(self, size: int, requests: IO[bytes], answers: IO[bytes]) -> None:
        self._size, self._requests, self._answers, self._position = size, requests, answers, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._position = max(0, {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence] + offset)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self._size - self._position)
        self._requests.write(READ + HEADER.pack(self._position, left if size < 0 else min(size, left)))
        self._requests.flush()
        _, length = HEADER.unpack(_exactly(self._answers, HEADER.size))
        data = _exactly(self._answers, length)
        self._position += length
        return data


def main() -> None:
    """Answers requests until the pipe closes."""
    asked, telling = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    av()
    limit_memory()
    while len(header := asked.read(HEADER.size)) == HEADER.size:
        size, seconds = HEADER.unpack(header)
        limit_time(seconds)
        answer = _probed(cast("IO[bytes]", RequestedFile(size, telling, asked)))
        telling.write(ANSWER + HEADER.pack(0, len(answer)) + answer)
        telling.flush()
        gc.collect()


def _probed(file: IO[bytes]) -> bytes:
    try:
        found = timeline_of(file)
    except DirdetError as exc:
        return json.dumps({"error": type(exc).__name__, "message": str(exc)}).encode()
    except MemoryError:
        os._exit(1)  # The state is unknown after a failed allocation.
    values: dict[str, Any] = {"time_base": str(found.time_base), "fault": found.fault}
    return json.dumps(values).encode() + b"\n" + found.pts.tobytes()


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) != size:
        os._exit(0)  # The job has ended.
    return data


if __name__ == "__main__":
    main()
