"""The errors that dirdet raises on purpose: each names the thing, the expected and the actual value."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

# Most characters of a value that a message shows.
MAX_SHOWN = 80


class DirdetError(Exception):
    """Base class of every error that a user may see; its text is written for the user."""

    def __str__(self) -> str:
        """The text; of a file's name that is not UTF-8, the wrong bytes are spelled out, so that it can be written."""
        return super().__str__().encode("utf-8", "backslashreplace").decode()


class BundleError(DirdetError):
    """The bundle cannot be read, has an unknown schema, or its files differ from the hashes in bundle.json."""


class ParameterError(DirdetError):
    """A setting is invalid.

    Attributes:
        parameter: the setting's name, as the caller wrote it.
        message: the expected and the actual value.
    """

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(f"{parameter}: {message}")
        self.parameter = parameter
        self.message = message


class PictureError(DirdetError):
    """A picture cannot be read."""


class NotAPictureError(PictureError):
    """The bytes are not of a picture type that dirdet reads."""


class BrokenPictureError(PictureError):
    """The picture is of a known type but truncated or broken."""


class NotFoundError(PictureError):
    """The picture's file does not exist, or the folder has no pictures."""


class UnreadableError(PictureError):
    """The picture's file exists but cannot be opened."""


class UnreachedError(UnreadableError):
    """The picture's address did not answer; a later attempt may succeed."""


class PictureTooLargeError(PictureError):
    """The picture has more bytes or pixels than the limits allow."""


class EngineError(DirdetError):
    """The engine could not be started or did not answer."""


class DeadlineError(EngineError):
    """The request could not be answered within its time limit."""


class OverloadedError(DirdetError):
    """The request is refused because the server is full, or because its deadline would pass before the answer.

    Attributes:
        retry_after_s: seconds after which the client may try again.
    """

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotReadyError(DirdetError):
    """The detector is not loaded yet."""


class StoppingError(DirdetError):
    """The server is stopping and accepts no more requests."""


class EngineMemoryError(EngineError):
    """The engine's device has too little memory for the canvases."""


class WrongNetworkError(EngineError):
    """The engine in another process has another network than the bundle's."""


class ListenError(DirdetError):
    """The server cannot listen on the address."""


class MissingExtraError(DirdetError):
    """An optional dependency of this part of dirdet is not installed."""


class ResultsError(DirdetError):
    """A file of detections or annotations cannot be read, or does not match the other file."""


class RequestError(DirdetError):
    """The request does not have the form of a detection request."""


class NoPictureError(RequestError):
    """The request has no picture."""


class UnsupportedBodyError(RequestError):
    """The request's body has an unsupported media type."""


class RequestTooLargeError(RequestError):
    """The request's body, all pictures together, exceeds the limit."""


class UnknownDetectorError(RequestError):
    """The requested detector is not served; the message names the served ones."""


class ReloadError(DirdetError):
    """The detector could not be replaced; the previous one is still served."""


class NotAcceptableError(RequestError):
    """The request accepts none of the media types that the answer can have."""


class KeyFileError(DirdetError):
    """The file of API keys cannot be read or parsed; the message names the line."""


class TlsError(DirdetError):
    """The certificate or private key cannot be used."""


class UnauthorizedError(DirdetError):
    """The request has no valid API key.

    Attributes:
        invalid: the request had a key, but it is unknown.
    """

    def __init__(self, message: str, *, invalid: bool = False) -> None:
        """Chooses the message: how to send a key, or that the key is unknown."""
        super().__init__(message)
        self.invalid = invalid


class ForbiddenError(DirdetError):
    """The request's key does not have the right for this operation."""


class MisdirectedError(DirdetError):
    """The request names a host that this server does not answer for."""


class RateLimitError(DirdetError):
    """The key has exceeded its rate limit.

    Attributes:
        retry_after_s: seconds until the next request is allowed.
    """

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def install_hint(extra: str) -> str:
    """The command that installs an extra: from a clone, since dirdet is in no package index."""
    made = ", or make batch SOURCE=photos OUT=found," if extra == "batch" else ""
    return f"pip install '.[{extra}]'{made} in a clone of dirdet"


def first_fault(exc: "ValidationError") -> str:
    """The first validation error of a file, in one line: its place, its reason and the value."""
    first = exc.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where + ': ' if where else ''}{first['msg']}, found {shown(first['input'])}"


def shown(value: object) -> str:
    """The value as the file or request has it, not as Python prints it; long values are cut."""
    if isinstance(value, str):
        text = repr(value)
    elif isinstance(value, bytes):
        text = repr(value)[1:]  # For example 'GIF89a'.
    else:
        text = json.dumps(value, default=str)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def counted(number: int, thing: str) -> str:
    """A number with its noun: `1 picture`, `2,000 boxes`, `0 categories`."""
    ending = "ies" if thing.endswith("y") else f"{thing[-1]}es" if thing.endswith(("s", "x")) else f"{thing[-1]}s"
    return f"{number:,} {thing if number == 1 else thing[:-1] + ending}"
