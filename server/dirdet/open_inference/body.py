"""A body of bounded size, read whole."""

from fastapi import Request

from dirdet.admission import Seat
from dirdet.errors import RequestError, RequestTooLargeError, UnsupportedBodyError


async def read_body(request: Request, seat: Seat, *, max_bytes: int) -> memoryview:
    """The request's body.

    Args:
        request: its body is not read yet.
        seat: what comes is counted by it.
        max_bytes: of the body.

    Raises:
        OverloadedError: there is no room for so many bytes.
        RequestTooLargeError: it is above the limit.
        RequestError: there is none.
        UnsupportedBodyError: it is compressed.
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedBodyError(f"Content-Encoding: compressed bodies are not read, this one is {encoding!r}")
    too_large = RequestTooLargeError(f"at most {max_bytes / 2**20:g} MiB are accepted in one request")
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > max_bytes:
            raise too_large
        seat.received(len(chunk))
        body += chunk
    if not body:
        raise RequestError("the request has no body; expected an inference request")
    return memoryview(body).toreadonly()
