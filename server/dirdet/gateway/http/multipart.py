"""The pictures in a multipart form, counted while they stream."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from dirdet.errors import NoPictureError, ParameterError, RequestError, RequestTooLargeError
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
    form = _Form(request.headers["content-type"], limits)
    try:
        total = 0
        async for chunk in request.stream():
            seat.received(len(chunk))
            total += len(chunk)
            if total > limits.max_request_bytes:
                raise too_many_request_bytes(limits)
            form.write(chunk)
        yield form.uploads()
    finally:
        form.close()


def too_many_request_bytes(limits: ServerLimits) -> RequestTooLargeError:
    """The error for a body above `limits.max_request_bytes`."""
    return RequestTooLargeError(f"at most {limits.max_request_bytes / 2**20:g} MiB are accepted in one request")


@dataclass
class _Part:
    """A part whose header has been read.

    Attributes:
        field: the form's name of it.
        file_name: None of a text, which is not kept.
        file: its bytes, in memory: the limit of the body bounds them.
        size: how many bytes have arrived.
    """

    field: str
    file_name: str | None
    file: BytesIO
    size: int = 0


class _Form:
    """Takes the parts from a body as it arrives.

    It drives python-multipart itself. Starlette's parser copies every byte more often and asks a coroutine for every
    write: four times the processor time of a form of 400 kB.
    """

    def __init__(self, content_type: str, limits: ServerLimits) -> None:
        """Expects the body's first bytes.

        Raises:
            RequestError: the type names no boundary.
        """
        self._limits = limits
        self._parts: list[_Part] = []
        self._complete = False
        self._header = self._value = self._disposition = b""
        _, options = parse_options_header(content_type)
        if not options.get(b"boundary"):
            raise _unreadable("its Content-Type names no boundary")
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as exc:
            raise _unreadable("its boundary is too long") from exc

    def write(self, chunk: bytes) -> None:
        """Reads on.

        Raises:
            RequestError: the body is not a form.
            RequestTooLargeError: it has too many files.
        """
        try:
            self._parser.write(chunk)
        except FormParserError as exc:
            raise _unreadable("a boundary or a header is not where it should be") from exc

    def uploads(self) -> list[Upload]:
        """The pictures of a body that has arrived.

        Raises:
            NoPictureError: there is none.
            RequestError: the body is not complete.
            ParameterError: a form field that is not known.
        """
        if not self._complete:
            raise RequestError(f"the {MULTIPART} body ends before its closing boundary")
        uploads: list[Upload] = []
        others: list[str] = []
        for part in self._parts:
            if part.field != FIELD:
                others.append(part.field)
            elif part.file_name is None:
                raise ParameterError(FIELD, "expected a file, found text: give the part a filename")
            elif part.file_name or part.size:  # an empty file input of a browser has neither
                part.file.seek(0)
                error = too_many_bytes(self._limits.picture) if self._is_too_large(part) else None
                uploads.append(Upload(part.file_name or FIELD, part.file, error))
        if not uploads:
            found = f"; found {', '.join(map(repr, others))}" if others else ""
            raise NoPictureError(f"the form has no file in a field {FIELD!r}{found}")
        if others:
            raise ParameterError(others[0], f"no such form field: pictures go in {FIELD!r}, parameters in the query")
        return uploads

    def close(self) -> None:
        """Frees the files."""
        for part in self._parts:
            part.file.close()

    def _is_too_large(self, part: _Part) -> bool:
        return part.size > self._limits.picture.max_bytes

    def _on_part_begin(self) -> None:
        self._header = self._value = self._disposition = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise _unreadable("a part's Content-Disposition has no name")
        name = options.get(b"filename")
        self._parts.append(_Part(_text(options[b"name"]), None if name is None else _text(name), BytesIO()))
        files = sum(part.file_name is not None for part in self._parts)
        if files > self._limits.max_pictures:
            most = self._limits.max_pictures
            raise RequestTooLargeError(f"at most {most} pictures are accepted in one request")
        if len(self._parts) - files > MAX_OTHER_FIELDS:
            raise _unreadable(f"it has more than {MAX_OTHER_FIELDS} fields that are not files")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._parts[-1]
        part.size += end - start
        if self._is_too_large(part):
            part.file.truncate(0)
        elif part.file_name is not None:
            part.file.write(memoryview(data)[start:end])

    def _on_end(self) -> None:
        self._complete = True


def _unreadable(why: str) -> RequestError:
    return RequestError(f"the {MULTIPART} body cannot be read: {why}")


def _text(value: bytes) -> str:
    """UTF-8 (RFC 7578, 5.1), or else what an old browser may mean."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
