"""The pictures in a multipart form, counted while they stream."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from dirdet.errors import DirdetError, NoPictureError, ParameterError, RequestError, RequestTooLargeError
from dirdet.gateway.scheduling.admission import Seat
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet.gateway.service.detection_service import Upload
from dirdet.pictures.reading import too_many_bytes

FIELD = "image"
MULTIPART = "multipart/form-data"
# Parts of a form that are not files: all are refused, and the error names the first.
MAX_OTHER_FIELDS = 16


@asynccontextmanager
async def form_uploads(request: Request, limits: ServerLimits, seat: Seat) -> AsyncGenerator[list[Upload]]:
    """The pictures of a form, at least one; their files are closed at the end, and `seat` counts every byte.

    Raises:
        OverloadedError: there is no room for a body that was not announced.
        NoPictureError: there is none.
        RequestError: the body is not a form.
        RequestTooLargeError: the body is above the limit; the upload of a file above its own limit carries the error.
        ParameterError: a form field that is not known.
    """
    parser = _PicturesParser(request, limits, seat)
    form = await _parse(parser)
    try:
        yield _uploads(form, parser.too_large, limits)
    finally:
        await form.close()


def too_many_request_bytes(limits: ServerLimits) -> RequestTooLargeError:
    """The error for a body above `limits.max_request_bytes`."""
    return RequestTooLargeError(f"at most {limits.max_request_bytes / 2**20:g} MiB are accepted in one request")


class _PicturesParser(MultiPartParser):
    """Starlette's parser with limits on the body and on each file; a file above its limit is dropped.

    Attributes:
        too_large: positions of the parts above the limit.
    """

    def __init__(self, request: Request, limits: ServerLimits, seat: Seat) -> None:
        super().__init__(
            request.headers, self._checked(request), max_files=limits.max_pictures, max_fields=MAX_OTHER_FIELDS
        )
        # Never to disk, which may not be writable; the limit of the body bounds the memory.
        self.spool_max_size = limits.picture.max_bytes + 1
        self.too_large: set[int] = set()
        self._complete = False
        self._limits = limits
        self._seat = seat
        self._part = -1
        self._part_bytes = 0

    async def _checked(self, request: Request) -> AsyncGenerator[bytes]:
        """The body, checked while it streams; on an error raised here the parser closes its files."""
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
    except (ValueError, LookupError) as exc:  # a charset of Python's that is not a text encoding
        raise RequestError(f"the {MULTIPART} body cannot be read: {exc}") from exc


def _uploads(form: FormData, too_large: set[int], limits: ServerLimits) -> list[Upload]:
    uploads: list[Upload] = []
    others: list[str] = []
    for position, (field, value) in enumerate(form.multi_items()):
        if field != FIELD:
            others.append(field)
        elif not isinstance(value, UploadFile):
            raise ParameterError(FIELD, "expected a file, found text: give the part a filename")
        elif value.filename or value.size:  # an empty file input of a browser has neither
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
    """The name without lone surrogates, which JSON cannot hold."""
    return (name or "").encode("utf-8", "replace").decode("utf-8")
