"""Detection from Python: from a gateway, with connections that stay and bounded retries, or in this process."""

from dirdet.client.asynchronous import AsyncClient
from dirdet.client.errors import (
    AccessError,
    BusyError,
    ClientError,
    NoAnswerError,
    PictureProblemError,
    ProblemError,
    TimedOutError,
    TooLargeError,
    UnexpectedAnswerError,
    WrongParameterError,
)
from dirdet.client.result import PictureResult
from dirdet.client.retries import Retries
from dirdet.client.synchronous import Client
from dirdet.convert.image_result import ImageResult

__all__ = [
    "AccessError",
    "AsyncClient",
    "BusyError",
    "Client",
    "ClientError",
    "ImageResult",
    "NoAnswerError",
    "PictureProblemError",
    "PictureResult",
    "ProblemError",
    "Retries",
    "TimedOutError",
    "TooLargeError",
    "UnexpectedAnswerError",
    "WrongParameterError",
]
