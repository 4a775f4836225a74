"""The pictures in a request's body, multipart or raw, for as long as the client waits for the answer."""

import asyncio
import re
from base64 import b64decode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import cast

import anyio
from anyio import to_thread
from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request

from dirdet.errors import NoPictureError, RequestError, UnsupportedBodyError, shown
from dirdet.gateway.http.multipart import FIELD, MULTIPART, form_uploads, too_many_request_bytes
from dirdet.gateway.scheduling.admission import Seat
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet.gateway.service.detection_service import Upload
from dirdet.pictures.formats import MEDIA_ALIASES, MEDIA_TYPES
from dirdet.pictures.reading import too_many_bytes

# The format of a picture is taken from its bytes, so a body of any bytes may be one.
ANY_BYTES = "application/octet-stream"
RAW_READ = frozenset((*MEDIA_TYPES, *MEDIA_ALIASES, ANY_BYTES))
JSON = "application/json"
# Seconds. A request that is answered sooner needs no task that watches for a lost client.
WATCHED_AFTER_S = 0.02
DATA_URL = re.compile(r"data:[^,]{0,100};base64,", re.IGNORECASE)


@asynccontextmanager
async def read_uploads(request: Request, limits: ServerLimits, seat: Seat) -> AsyncGenerator[list[Upload]]:
    """The request's pictures, at least one; their files are closed at the end, and `seat` counts every byte.

    Raises:
        OverloadedError: there is no room for a body that was not announced.
        NoPictureError: the request has no picture.
        UnsupportedBodyError: the body is neither multipart/form-data nor a picture's type.
        RequestError: the body does not match its type.
        RequestTooLargeError: the body is above the limit.
        PictureTooLargeError: a raw body above a picture's limit; in multipart the upload carries the error.
        ParameterError: an unknown form field.
        ClientDisconnect: the client closed the connection, which cancels the block.
    """
    if (coding := request.headers.get("content-encoding", "").strip().lower()) not in ("", "identity"):
        await _refuse_if_empty(request)
        raise UnsupportedBodyError(f"expected a body without Content-Encoding, found {coding[:40]!r}")
    media_type = _media_type(request)
    if media_type == MULTIPART:
        async with form_uploads(request, limits, seat) as uploads, _cancelled_when_gone(request):
            yield uploads
    elif media_type in RAW_READ or media_type == JSON:
        upload = await _raw(request, limits, seat)
        if media_type == JSON:
            upload = await to_thread.run_sync(_picture_in_json, upload, limits)
        async with _cancelled_when_gone(request):
            yield [upload]
    else:
        await _refuse_if_empty(request)
        expected = f"{MULTIPART} with a field {FIELD!r}, {', '.join(MEDIA_TYPES)}, {ANY_BYTES} or {JSON}"
        raise UnsupportedBodyError(f"expected Content-Type {expected}; found {media_type or 'none'}")


def _picture_in_json(body: Upload, limits: ServerLimits) -> Upload:
    """Takes the picture out of `{"image": BASE64}`; a data URL is read too.

    Raises:
        RequestError: the body has another form.
        PictureTooLargeError: the picture is above a picture's limit.
    """
    expected = f'expected {JSON} as {{"{FIELD}": "the picture in base64"}}'
    try:
        found: object = from_json(body.file.read())
    except ValueError as exc:
        raise RequestError(f"{expected}; the body is not JSON: {exc}") from exc
    fields = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    encoded = fields.get(FIELD)
    if len(fields) != 1 or not isinstance(encoded, str):
        raise RequestError(
            f"{expected}; found {shown(sorted(fields)) if fields else type(cast('object', found)).__name__}"
        )
    text = DATA_URL.sub("", encoded, count=1)
    try:
        data = b64decode("".join(text.split()), validate=True)
    except ValueError as exc:
        raise RequestError(f"{expected}; {FIELD} is not base64: {exc}") from exc
    if not data:
        raise NoPictureError(f"{expected}; {FIELD} is empty")
    if len(data) > limits.picture.max_bytes:
        raise too_many_bytes(limits.picture)
    return Upload(FIELD, BytesIO(data))


async def _refuse_if_empty(request: Request) -> None:
    async for chunk in request.stream():
        if chunk:
            return
    raise NoPictureError(f"the request has no body; expected a picture or a form with a field {FIELD!r}")


def announced_bytes(request: Request, limits: ServerLimits) -> int:
    """The announced length of the body, 0 if there is none.

    Raises:
        RequestTooLargeError: it is above the limit of a request.
        PictureTooLargeError: the body is one picture, and above the limit of a picture.
    """
    announced = request.headers.get("content-length", "")
    if not announced.isdecimal():
        return 0
    # A number of 20 digits is above every limit; int() of thousands takes long.
    length = int(announced[:20])
    if length > limits.max_request_bytes and _media_type(request) not in RAW_READ:
        raise too_many_request_bytes(limits)
    if length > _most_raw_bytes(request, limits) and _media_type(request) in (*RAW_READ, JSON):
        raise too_many_bytes(limits.picture)
    return length


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _most_raw_bytes(request: Request, limits: ServerLimits) -> int:
    """The limit of a body that is one picture; base64 makes four bytes of three, and may have line ends."""
    most_bytes = limits.picture.max_bytes
    return most_bytes * 3 // 2 + 1024 if _media_type(request) == JSON else most_bytes


async def _raw(request: Request, limits: ServerLimits, seat: Seat) -> Upload:
    file = BytesIO()
    most_bytes = _most_raw_bytes(request, limits)
    async for chunk in request.stream():
        seat.received(len(chunk))
        file.write(chunk)
        if file.tell() > most_bytes:
            raise too_many_bytes(limits.picture)
    if not file.tell():
        raise NoPictureError("the request's body is empty; expected a picture")
    file.seek(0)
    return Upload(FIELD, file)


@asynccontextmanager
async def _cancelled_when_gone(request: Request) -> AsyncGenerator[None]:
    """Cancels the block when the client closes the connection.

    Args:
        request: whose body has been read.

    Raises:
        ClientDisconnect: the client closed it.
        Exception: what the block raises.
    """
    gone = False
    watching: list[asyncio.Task[None]] = []

    async def watch() -> None:
        nonlocal gone
        while (await request.receive())["type"] != "http.disconnect":
            pass  # an empty last chunk, if it was not read with the body
        gone = True
        block.cancel()

    loop = asyncio.get_running_loop()
    later = loop.call_later(WATCHED_AFTER_S, lambda: watching.append(loop.create_task(watch())))
    try:
        with anyio.CancelScope() as block:
            yield
    finally:
        later.cancel()
        for task in watching:
            task.cancel()
    if gone:
        raise ClientDisconnect
