"""The pictures in a request's body: counted while they stream, multipart or raw."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import IO

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from dirdet.admission import Seat
from dirdet.errors import (
    DirdetError,
    NoPictureError,
    ParameterError,
    PictureError,
    RequestError,
    RequestTooLargeError,
    UnsupportedBodyError,
)
from dirdet.limits import ServerLimits
from dirdet.pictures import too_many_bytes

FIELD = "image"
RAW_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp", "image/tiff")
# Written by mistake or of old for types we read.
RAW_ALIASES = ("image/jpg", "image/x-ms-bmp")
RAW_READ = frozenset((*RAW_TYPES, *RAW_ALIASES))
MULTIPART = "multipart/form-data"
# Parts of a form that are no files: all are refused, by the name of the first.
MAX_OTHER_FIELDS = 16


@dataclass(frozen=True, slots=True)
class Upload:
    """One picture as it came.

    Attributes:
        name: the file's name as the client gave it, or the field's.
        file: its bytes, at their start.
        error: why it was not kept.
    """

    name: str
    file: IO[bytes]
    error: PictureError | None = None


@asynccontextmanager
async def read_uploads(request: Request, limits: ServerLimits, seat: Seat) -> AsyncGenerator[list[Upload]]:
    """The request's pictures, at least one; their files are closed at the end, and `seat` is told of every byte.

    Raises:
        OverloadedError: there is no room for a body that was not announced.
        NoPictureError: there is none.
        UnsupportedBodyError: the body is neither multipart/form-data nor a picture's type.
        RequestError: the body is not what its type says.
        RequestTooLargeError: the body is above the limit.
        PictureTooLargeError: a raw body above a picture's limit; in multipart the upload carries the error.
        ParameterError: a form field that is not known.
    """
    media_type = _media_type(request)
    if media_type == MULTIPART:
        parser = _PicturesParser(request, limits, seat)
        form = await _parse(parser)
        try:
            yield _uploads(form, parser.too_large, limits)
        finally:
            await form.close()
    elif media_type in RAW_READ:
        yield [await _raw(request, limits, seat)]
    else:
        await _refuse_if_empty(request)
        expected = f"{MULTIPART} with a field {FIELD!r}, or {', '.join(RAW_TYPES)}"
        raise UnsupportedBodyError(f"expected Content-Type {expected}; found {media_type or 'none'}")


async def _refuse_if_empty(request: Request) -> None:
    async for chunk in request.stream():
        if chunk:
            return
    raise NoPictureError(f"the request has no body; expected a picture or a form with a field {FIELD!r}")


def announced_bytes(request: Request, limits: ServerLimits) -> int:
    """What the body's length is said to be, 0 if nothing is said.

    Raises:
        RequestTooLargeError: more than a request may have.
        PictureTooLargeError: the body is one picture, and more than that may have.
    """
    announced = request.headers.get("content-length", "")
    if not announced.isdecimal():
        return 0
    # A number of 20 digits is above every limit; int() of thousands is work.
    length = int(announced[:20])
    if length > limits.max_request_bytes and _media_type(request) not in RAW_READ:
        raise too_many_request_bytes(limits)
    if length > limits.picture.max_bytes and _media_type(request) in RAW_READ:
        raise too_many_bytes(limits.picture)
    return length


def too_many_request_bytes(limits: ServerLimits) -> RequestTooLargeError:
    """The error for a body above `limits.max_request_bytes`."""
    return RequestTooLargeError(f"at most {limits.max_request_bytes / 2**20:g} MiB are accepted in one request")


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _raw(request: Request, limits: ServerLimits, seat: Seat) -> Upload:
    file = BytesIO()
    async for chunk in request.stream():
        seat.received(len(chunk))
        file.write(chunk)
        if file.tell() > limits.picture.max_bytes:
            raise too_many_bytes(limits.picture)
    if not file.tell():
        raise NoPictureError("the request's body is empty; expected a picture")
    file.seek(0)
    return Upload(FIELD, file)


class _PicturesParser(MultiPartParser):
    """Starlette's parser, with a limit on the body and on each file; a file above its limit is dropped.

    Attributes:
        too_large: positions of the parts above the limit.
    """

    def __init__(self, request: Request, limits: ServerLimits, seat: Seat) -> None:
        super().__init__(
            request.headers, self._checked(request), max_files=limits.max_pictures, max_fields=MAX_OTHER_FIELDS
        )
        # Never to disk: a container may have no writable one, and the body's limit bounds the memory.
        self.spool_max_size = limits.picture.max_bytes + 1
        self.too_large: set[int] = set()
        self._complete = False
        self._limits = limits
        self._seat = seat
        self._part = -1
        self._part_bytes = 0

    async def _checked(self, request: Request) -> AsyncGenerator[bytes]:
        """The body; an error here, inside the parser's reach, makes it close the files it has begun."""
        limit = self._limits.max_request_bytes
        total = 0
        async for chunk in request.stream():
            self._seat.received(len(chunk))
            total += len(chunk)
            if total > limit:
                raise too_many_request_bytes(self._limits)
            yield chunk
        if not self._complete:
            raise RequestError(f"the {MULTIPART} body ends before its closing boundary")

    def on_part_begin(self) -> None:
        super().on_part_begin()
        self._part += 1
        self._part_bytes = 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._part_bytes += end - start
        if self._part_bytes > self._limits.picture.max_bytes:
            self.too_large.add(self._part)
        else:
            super().on_part_data(data, start, end)

    def on_end(self) -> None:
        super().on_end()
        self._complete = True


async def _parse(parser: _PicturesParser) -> FormData:
    try:
        return await parser.parse()
    except MultiPartException as exc:
        if exc.message.startswith("Too many files"):
            raise RequestTooLargeError(f"at most {parser.max_files} pictures are accepted in one request") from exc
        raise RequestError(f"the {MULTIPART} body cannot be read: {exc.message}") from exc
    except (ValueError, LookupError) as exc:  # a charset that Python knows and that is no text's
        raise RequestError(f"the {MULTIPART} body cannot be read: {exc}") from exc


def _uploads(form: FormData, too_large: set[int], limits: ServerLimits) -> list[Upload]:
    uploads: list[Upload] = []
    others: list[str] = []
    for position, (field, value) in enumerate(form.multi_items()):
        if field != FIELD:
            others.append(field)
        elif not isinstance(value, UploadFile):
            raise ParameterError(FIELD, "expected a file, found text: give the part a filename")
        elif value.filename or value.size:  # a browser's empty file input has neither
            error = too_many_bytes(limits.picture) if position in too_large else None
            uploads.append(Upload(_printable(value.filename) or FIELD, value.file, error))
    if not uploads:
        found = f"; found {', '.join(map(repr, others))}" if others else ""
        raise NoPictureError(f"the form has no file in a field {FIELD!r}{found}")
    if others:
        unknown: DirdetError = ParameterError(
            others[0], f"no such form field: pictures go in {FIELD!r}, parameters in the query"
        )
        raise unknown
    return uploads


def _printable(name: str | None) -> str:
    """The name without lone surrogates, which JSON could not carry."""
    return (name or "").encode("utf-8", "replace").decode("utf-8")
