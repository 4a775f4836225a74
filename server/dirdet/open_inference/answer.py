"""Outputs to an HTTP answer: JSON, with binary tensors after it where they are wanted."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from fastapi import Response
from numpy.typing import NDArray

from dirdet.errors import RequestError
from dirdet.open_inference.request import BINARY_SIZE, HEADER_LENGTH, Inference, Wanted
from dirdet.open_inference.tensors import DTYPES, datatype_of

JSON, OCTETS = "application/json", "application/octet-stream"
VERSION = "1"


def wanted_outputs(inference: Inference, names: list[str]) -> list[Wanted]:
    """The outputs to give, in their order.

    Raises:
        RequestError: one that the model does not have.
    """
    if inference.wanted is None:
        return [Wanted(name, inference.binary) for name in names]
    for each in inference.wanted:
        if each.name not in names:
            raise RequestError(f"outputs: there is no {each.name!r}; there are {', '.join(names)}")
    return list(inference.wanted)


def infer_answer(
    model: str, inference: Inference, wanted: list[Wanted], arrays: Mapping[str, NDArray[Any]]
) -> Response:
    """The answer.

    Args:
        model: its name.
        inference: what was asked.
        wanted: of `wanted_outputs`.
        arrays: outputs by name.
    """
    outputs: list[dict[str, Any]] = []
    tensors: list[bytes] = []
    for each in wanted:
        values = arrays[each.name]
        datatype = datatype_of(values)
        told: dict[str, Any] = {"name": each.name, "datatype": datatype, "shape": list(values.shape)}
        if each.binary:
            tensors.append(np.ascontiguousarray(values, DTYPES[datatype]).tobytes())
            told["parameters"] = {BINARY_SIZE: len(tensors[-1])}
        else:
            told["data"] = values.reshape(-1).tolist()
        outputs.append(told)
    answer: dict[str, Any] = {"model_name": model, "model_version": VERSION, "outputs": outputs}
    if inference.id is not None:
        answer["id"] = inference.id
    head = json.dumps(answer, allow_nan=False, separators=(",", ":")).encode()
    if not tensors:
        return Response(head, media_type=JSON)
    return Response(b"".join([head, *tensors]), media_type=OCTETS, headers={HEADER_LENGTH: str(len(head))})
