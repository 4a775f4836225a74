"""What FastAPI cannot document by itself: problems, and bodies that are read as they stream."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from dirdet.api.examples import ANSWERS, EXAMPLES, PARAMETERS, problem_examples
from dirdet.api.problems import MEDIA_TYPE, Problem, plain_problem
from dirdet.gateway.http.multipart import FIELD, MULTIPART
from dirdet.gateway.http.openapi_security import document_hosts, document_keys
from dirdet.gateway.http.request_parameters import TIMEOUT_HEADER
from dirdet.gateway.http.uploads import ANY_BYTES, JSON
from dirdet.pictures.formats import MEDIA_TYPES

FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")
REFERENCE = "#/components/schemas/{model}"

# OpenAPI 3.1 uses the media type; the documentation page still needs the format.
BINARY = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}

TIMEOUT: dict[str, Any] = {
    "name": TIMEOUT_HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "integer", "minimum": 1},
    "description": "milliseconds in which the request is to be answered, its body's way included; at most, and without "
    "it, what the server allows",
}
# The smallest picture: one black pixel as PNG.
BASE64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg=="
BODY: dict[str, Any] = {
    "parameters": [TIMEOUT],
    "requestBody": {
        "required": True,
        "content": {
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {
                        FIELD: {
                            "type": "array",
                            "minItems": 1,
                            "items": BINARY,
                            "description": "one picture or several",
                        }
                    },
                },
                "encoding": {FIELD: {"contentType": ", ".join(MEDIA_TYPES)}},
            },
            **{media_type: {"schema": BINARY} for media_type in (*MEDIA_TYPES, ANY_BYTES)},
            JSON: {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "additionalProperties": False,
                    "properties": {FIELD: {"type": "string", "contentEncoding": "base64"}},
                },
                "example": {FIELD: BASE64},
            },
        },
    },
}


def problems(described: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """A route's `responses`: the problems it answers with, by status."""
    schema = {"schema": {"$ref": REFERENCE.format(model="Problem")}}
    return {
        status: {"description": description, "content": {MEDIA_TYPE: schema}}
        for status, description in described.items()
    }


def document(app: FastAPI, *, keys: bool = False, any_host: bool = True) -> None:
    """Adds what routes do not declare to the app's OpenAPI document, which is made at its first use.

    Args:
        app: with all its routes.
        keys: whether requests need a key.
        any_host: whether every host name is served.
    """

    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            # What is in no route's signature.
            _, added = models_json_schema([(Problem, "serialization")], ref_template=REFERENCE)
            made.setdefault("components", {}).setdefault("schemas", {}).update(added["$defs"])
            document_keys(made, required=keys, reference=REFERENCE.format(model="Problem"))
            if not any_host:
                document_hosts(made, reference=REFERENCE.format(model="Problem"))
            _forget_unused(made)
            _show_examples(made)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = build


def _responses(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, dict[str, Any]]]:
    """Every response of every operation: the operation's responses, the status and the response."""
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in list(operation["responses"].items()):
                yield operation["responses"], status, response


def _forget_unused(document: dict[str, Any]) -> None:
    """Removes FastAPI's own schema for bad parameters, which this API does not use."""
    for responses, status, response in _responses(document):
        if FASTAPIS_OWN[0] in str(response.get("content")):
            del responses[status]
    for name in FASTAPIS_OWN:
        document["components"]["schemas"].pop(name, None)


def _show_examples(document: dict[str, Any]) -> None:
    """Adds examples; FastAPI would drop the nulls of examples given to it."""
    for name, example in EXAMPLES.items():
        document["components"]["schemas"][name].setdefault("examples", [example])
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                if parameter["name"] in PARAMETERS:
                    parameter.setdefault("example", PARAMETERS[parameter["name"]])
    answer = document["paths"]["/detect"]["post"]["responses"]["200"]["content"]["application/json"]
    answer["examples"] = ANSWERS
    known = problem_examples()
    for _, status, response in _responses(document):
        shown = response.get("content", {}).get(MEDIA_TYPE)
        if shown is not None and not {"example", "examples"} & shown.keys():
            plain = plain_problem(int(status), response["description"])
            shown["examples"] = known.get(int(status)) or {"about:blank": {"value": plain.to_json()}}
