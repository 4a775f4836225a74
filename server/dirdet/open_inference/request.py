"""An inference request's body to arrays: JSON tensors, and binary ones after the JSON object."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from dirdet.errors import RequestError, RequestTooLargeError
from dirdet.faults import first_fault, shown
from dirdet.open_inference.schemas import InferInput, InferRequest, Parameters
from dirdet.open_inference.tensors import DTYPES

HEADER_LENGTH = "Inference-Header-Content-Length"
# Enough for a canvas of 800 x 1344; JSON becomes objects of many times its size.
MAX_JSON_BYTES = 16 * 2**20
# Whole numbers that float64 tells apart; heights and widths are far below.
MOST_EXACT = 2**53
BINARY_SIZE, BINARY, BINARY_OUTPUT = "binary_data_size", "binary_data", "binary_data_output"
NOT_HERE = {"shared_memory_region": "shared memory", "classification": "the classification extension"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """An output that is wanted, and how."""

    name: str
    binary: bool


@dataclass(frozen=True, slots=True)
class Inference:
    """A request, read.

    Attributes:
        id: to be given back; None if there is none.
        arrays: inputs by name, each of the shape that the request says.
        wanted: outputs in their order; None for all.
        binary: how outputs are given that do not say.
    """

    id: str | None
    arrays: dict[str, NDArray[Any]]
    wanted: Sequence[Wanted] | None
    binary: bool


def header_length(header: str | None) -> int | None:
    """How many of the body's bytes are JSON; None if all are.

    Raises:
        RequestError: the header is no number.
    """
    if header is None:
        return None
    if not (header.isascii() and header.isdecimal() and len(header) < 12):
        raise RequestError(f"{HEADER_LENGTH}: expected a number of bytes, found {header!r}")
    return int(header)


def read_inference(body: memoryview, length: int | None) -> Inference:
    """The request.

    Args:
        body: all of it; arrays may look into it.
        length: of `header_length`.

    Raises:
        RequestError: it is not what the protocol says.
        RequestTooLargeError: its JSON part is too large.
    """
    if length is not None and length > len(body):
        raise RequestError(f"{HEADER_LENGTH} is {length}, the body has {len(body)} bytes")
    head = body if length is None else body[:length]
    if len(head) > MAX_JSON_BYTES:
        raise RequestTooLargeError(
            f"at most {MAX_JSON_BYTES / 2**20:g} MiB of JSON are read; send the tensors as binary data"
        )
    try:
        asked = InferRequest.model_validate_json(bytes(head))
    except ValidationError as exc:
        raise RequestError(f"the inference request cannot be read: {first_fault(exc)}") from exc
    binary = asked.parameters.get(BINARY_OUTPUT) is True
    wanted = None
    if asked.outputs is not None:
        for output in asked.outputs:
            _refuse_what_is_not_here(output.name, output.parameters)
        wanted = [Wanted(each.name, each.parameters.get(BINARY, binary) is True) for each in asked.outputs]
        _refuse_repeated("outputs", [each.name for each in wanted])
    return Inference(asked.id, _arrays(asked.inputs, body[len(head) :]), wanted, binary)


def _arrays(inputs: Sequence[InferInput], rest: memoryview) -> dict[str, NDArray[Any]]:
    _refuse_repeated("inputs", [each.name for each in inputs])
    arrays: dict[str, NDArray[Any]] = {}
    for tensor in inputs:
        _refuse_what_is_not_here(tensor.name, tensor.parameters)
        if tensor.datatype not in DTYPES:
            raise RequestError(f"{tensor.name}: expected datatype {', '.join(DTYPES)}, found {tensor.datatype!r}")
        size = tensor.parameters.get(BINARY_SIZE)
        if (size is None) == (tensor.data is None):
            raise RequestError(f"{tensor.name}: expected either data or the parameter {BINARY_SIZE}")
        if tensor.data is not None:
            arrays[tensor.name] = _from_json(tensor, tensor.data)
        else:
            arrays[tensor.name], rest = _from_binary(tensor, size, rest)
    if len(rest):
        raise RequestError(f"{len(rest)} bytes follow the last binary tensor")
    return arrays


def _from_json(tensor: InferInput, data: list[Any]) -> NDArray[Any]:
    dtype = DTYPES[tensor.datatype]
    try:
        # Whatever else is in it: an array of strings would take their number times the longest.
        values = np.array(data, np.float64)
    except (ValueError, TypeError, OverflowError) as exc:
        raise RequestError(f"{tensor.name}: expected numbers in data, in rows of one length") from exc
    if values.size != prod(tensor.shape):
        raise RequestError(f"{tensor.name}: shape {tensor.shape} has {prod(tensor.shape)} values, data {values.size}")
    if dtype.kind in "iu" and not ((values == np.floor(values)) & (np.abs(values) <= MOST_EXACT)).all():
        raise RequestError(f"{tensor.name}: expected whole numbers in data")
    if dtype == np.uint8 and not ((values >= 0) & (values <= 255)).all():
        raise RequestError(f"{tensor.name}: data has numbers that no UINT8 holds")
    return values.astype(dtype).reshape(tensor.shape)


def _from_binary(tensor: InferInput, size: object, rest: memoryview) -> tuple[NDArray[Any], memoryview]:
    dtype = DTYPES[tensor.datatype]
    expected = prod(tensor.shape) * dtype.itemsize
    if isinstance(size, bool) or size != expected:
        raise RequestError(
            f"{tensor.name}: {tensor.datatype} of shape {tensor.shape} has {expected} bytes, "
            f"{BINARY_SIZE} is {shown(size)}"
        )
    if len(rest) < expected:
        raise RequestError(f"{tensor.name}: the body ends after {len(rest)} of its {expected} bytes")
    return np.frombuffer(rest[:expected], dtype).reshape(tensor.shape), rest[expected:]


def _refuse_repeated(what: str, names: Sequence[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise RequestError(f"{what}: {', '.join(map(repr, repeated))} given more than once")


def _refuse_what_is_not_here(name: str, parameters: Parameters) -> None:
    for parameter, what in NOT_HERE.items():
        if parameters.get(parameter):
            raise RequestError(f"{name}: {what} is not served here")
