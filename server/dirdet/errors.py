"""The errors dirdet raises on purpose: each names the thing, the expected and the actual value."""


class DirdetError(Exception):
    """Base of every error that a user may see: its text is written for them."""


class BundleError(DirdetError):
    """A bundle that cannot be read, is of an unknown schema, or whose files are not the ones it names."""


class ParameterError(DirdetError):
    """A setting outside its range.

    Attributes:
        parameter: the setting's name, as the caller wrote it.
        message: what was expected and what was found.
    """

    def __init__(self, parameter: str, message: str) -> None:
        """Names the parameter before the message."""
        super().__init__(f"{parameter}: {message}")
        self.parameter = parameter
        self.message = message


class PictureError(DirdetError):
    """Bytes that do not give a picture."""


class NotAPictureError(PictureError):
    """Bytes of no picture type that dirdet reads."""


class BrokenPictureError(PictureError):
    """A picture of a known type that is truncated or broken."""


class NotFoundError(PictureError):
    """A picture's file that does not exist, or a folder without pictures."""


class UnreadableError(PictureError):
    """A picture's file that exists and cannot be opened."""


class UnreachedError(UnreadableError):
    """A picture at an address that did not answer: it may be there later."""


class PictureTooLargeError(PictureError):
    """A picture of more bytes or pixels than the limits allow."""


class EngineError(DirdetError):
    """An engine that could not be started or did not answer."""


class DeadlineError(EngineError):
    """A request that could not be answered in the time that it had."""


class OverloadedError(DirdetError):
    """A request that is refused because there is no room for it now, or that would not be answered in its time.

    Attributes:
        retry_after_s: when it may be worth asking again.
    """

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        """Says for want of what."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotReadyError(DirdetError):
    """A detector that is not loaded yet."""


class StoppingError(DirdetError):
    """A server that has been told to stop, and takes no more requests."""


class EngineMemoryError(EngineError):
    """An engine whose device has no memory left for the canvases."""


class WrongNetworkError(EngineError):
    """An engine in another process that has another network than the bundle's."""


class ListenError(DirdetError):
    """An address of this machine that cannot be listened on."""


class MissingExtraError(DirdetError):
    """A part of dirdet whose optional dependencies are not installed."""


class ResultsError(DirdetError):
    """A file of detections or annotations that cannot be read, or that does not fit the other."""


class RequestError(DirdetError):
    """A request that cannot be understood as pictures to detect on."""


class NoPictureError(RequestError):
    """A request that brings no picture."""


class UnsupportedBodyError(RequestError):
    """A request whose body is of a type that is not read."""


class RequestTooLargeError(RequestError):
    """A request of more bytes than the limit, all its pictures together."""


class UnknownModelError(RequestError):
    """A request to a model that is not served."""


class UnknownDetectorError(RequestError):
    """A request to a detector that is not served; names those that are."""


class ReloadError(DirdetError):
    """A detector that was to be replaced and is served as before."""


class NotAcceptableError(RequestError):
    """A request that accepts none of the types an answer can have."""


class KeyFileError(DirdetError):
    """A file of API keys that cannot be read or understood; names its line."""


class TlsError(DirdetError):
    """A certificate or private key that cannot be used."""


class UnauthorizedError(DirdetError):
    """A request without a key that is known.

    Attributes:
        invalid: whether it came with one.
    """

    def __init__(self, message: str, *, invalid: bool = False) -> None:
        """Says how a key is sent, or that it is not known."""
        super().__init__(message)
        self.invalid = invalid


class ForbiddenError(DirdetError):
    """A request whose key does not open what was asked for."""


class MisdirectedError(DirdetError):
    """A request to a host that this server does not answer for."""


class RateLimitError(DirdetError):
    """A request too many of one key.

    Attributes:
        retry_after_s: seconds until one more passes.
    """

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        """Says what the key may ask."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


def install_hint(extra: str) -> str:
    """How to get an extra of dirdet: from a clone, since no package index carries dirdet."""
    return f"pip install '.[{extra}]' in a clone of dirdet"
