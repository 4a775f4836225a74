"""Asks a gateway for detections, from Python: connections reused, retries bounded, results typed."""

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
from dirdet.client.results import ImageResult
from dirdet.client.retries import Retries
from dirdet.client.synchronous import Client

__all__ = [
    "AccessError",
    "AsyncClient",
    "BusyError",
    "Client",
    "ClientError",
    "ImageResult",
    "NoAnswerError",
    "PictureProblemError",
    "ProblemError",
    "Retries",
    "TimedOutError",
    "TooLargeError",
    "UnexpectedAnswerError",
    "WrongParameterError",
]
