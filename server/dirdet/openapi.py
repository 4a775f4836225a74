"""What FastAPI cannot say of the API by itself: problems, and bodies read as they stream."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from dirdet.access.documented import document_hosts, document_keys
from dirdet.deadline import HEADER
from dirdet.examples import EXAMPLES, PARAMETERS, problem_examples
from dirdet.examples_candidates import ANSWERS
from dirdet.open_inference.schemas import InferRequest
from dirdet.problems import MEDIA_TYPE, Problem, plain_problem
from dirdet.uploads import FIELD, MULTIPART, RAW_TYPES

FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")
REFERENCE = "#/components/schemas/{model}"

# OpenAPI 3.1 says it by the media type; the documentation page still looks for the format.
BINARY = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}

TIMEOUT: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "integer", "minimum": 1},
    "description": "milliseconds in which the request is to be answered, its body's way included; at most, and without "
    "it, what the server allows",
}
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
                "encoding": {FIELD: {"contentType": ", ".join(RAW_TYPES)}},
            },
            **{media_type: {"schema": BINARY} for media_type in RAW_TYPES},
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
    """Adds what routes do not say to the app's OpenAPI document, which is made once, when first asked for.

    Args:
        app: with all its routes.
        keys: whether it asks for one.
        any_host: whether it answers to every host name.
    """

    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            # What no route's signature names.
            _, added = models_json_schema(
                [(Problem, "serialization"), (InferRequest, "validation")], ref_template=REFERENCE
            )
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
    """Of every operation, its responses with each status and what is said of it."""
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in list(operation["responses"].items()):
                yield operation["responses"], status, response


def _forget_unused(document: dict[str, Any]) -> None:
    """FastAPI documents its own answer to bad parameters, which nobody gets here."""
    for responses, status, response in _responses(document):
        if FASTAPIS_OWN[0] in str(response.get("content")):
            del responses[status]
    for name in FASTAPIS_OWN:
        document["components"]["schemas"].pop(name, None)


def _show_examples(document: dict[str, Any]) -> None:
    """Adds what has no example yet; FastAPI would drop the nulls of those it is given."""
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
