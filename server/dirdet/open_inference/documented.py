"""What the API's document says of the protocol's bodies and errors."""

from typing import Any

from dirdet.open_inference.schemas import ProtocolError

REFERENCE = {"$ref": "#/components/schemas/InferRequest"}
BINARY = {
    "type": "string",
    "format": "binary",
    "contentMediaType": "application/octet-stream",
    "description": "the JSON object, of as many bytes as Inference-Header-Content-Length says, and the binary tensors "
    "in its order: little-endian, row by row",
}
HEADER = {
    "Inference-Header-Content-Length": {
        "description": "bytes of the JSON object where binary tensors follow it",
        "schema": {"type": "integer"},
    }
}
SAID = {
    400: "A request that the protocol or the model does not have",
    404: "No such model",
    413: "Too large a request",
    415: "A compressed body",
    500: "An error of the server",
    503: "The detector does not answer now",
    504: "The detector did not answer in time",
}
TENSORS: dict[str, Any] = {
    "id": "1",
    "inputs": [
        {"name": "canvas", "shape": [1, 256, 320, 3], "datatype": "UINT8", "parameters": {"binary_data_size": 245760}},
        {"name": "picture_hw", "shape": [1, 2], "datatype": "INT64", "data": [240, 320]},
        {"name": "score_threshold", "shape": [1, 1], "datatype": "FP32", "data": [0.3]},
    ],
    "outputs": [{"name": "boxes", "parameters": {"binary_data": True}}, {"name": "num_detections"}],
}
BEFORE_CANVAS = "The JSON object alone: with Inference-Header-Content-Length, and 245,760 bytes of the canvas after it"
ANSWERED: dict[str, Any] = {
    "model_name": "scenes",
    "model_version": "1",
    "id": "1",
    "outputs": [
        {"name": "boxes", "datatype": "FP32", "shape": [1, 300, 4], "parameters": {"binary_data_size": 4800}},
        {"name": "num_detections", "datatype": "INT64", "shape": [1, 1], "data": [2]},
    ],
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """A route's `responses`: the protocol's errors that it answers with, by status."""
    return {
        status: {
            "model": ProtocolError,
            "description": SAID[status],
            "content": {"application/json": {"example": {"error": EXAMPLES[status]}}},
        }
        for status in statuses
    }


EXAMPLES = {
    400: "canvas: expected shape [B, 256, 320, 3], [B, 320, 256, 3]; found [1, 100, 100, 3]",
    404: "there is no model 'other' of version '1'; there is 'scenes', '1'",
    413: "at most 128 MiB are accepted in one request",
    415: "Content-Encoding: compressed bodies are not read, this one is 'gzip'",
    500: "the server met an error it did not expect; its log says more (urn:uuid:6d0f1c1e-5d0c-4c2b-9f58-3d7b5d2a9d10)",
    503: "the engine is not ready",
    504: "the detector did not answer within 10 s",
}
INFER_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": REFERENCE,
                "examples": {"before a binary canvas": {"summary": BEFORE_CANVAS, "value": TENSORS}},
            },
            "application/octet-stream": {"schema": BINARY},
        },
    },
    "parameters": [{"in": "header", "name": name, "required": False, **told} for name, told in HEADER.items()],
}
INFER_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The outputs; as application/octet-stream where one of them is wanted binary",
        "headers": HEADER,
        "content": {"application/json": {"example": ANSWERED}, "application/octet-stream": {"schema": BINARY}},
    },
    **errors(400, 404, 413, 415, 500, 503, 504),
}
