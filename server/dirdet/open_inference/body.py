"""A body of bounded size, read whole."""

from fastapi import Request

from dirdet.errors import RequestError, RequestTooLargeError, UnsupportedBodyError


async def read_body(request: Request, *, max_bytes: int) -> memoryview:
    """The request's body.

    Raises:
        RequestTooLargeError: it is above the limit, or says so before it comes.
        RequestError: there is none.
        UnsupportedBodyError: it is compressed.
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedBodyError(f"Content-Encoding: compressed bodies are not read, this one is {encoding!r}")
    too_large = RequestTooLargeError(f"at most {max_bytes / 2**20:g} MiB are accepted in one request")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > max_bytes:
            raise too_large
        body += chunk
    if not body:
        raise RequestError("the request has no body; expected an inference request")
    return memoryview(body).toreadonly()
