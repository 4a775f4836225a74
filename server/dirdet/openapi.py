"""What FastAPI cannot say of the API by itself: problems, and bodies read as they stream."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from dirdet.access.documented import document_keys
from dirdet.deadline import HEADER
from dirdet.problems import MEDIA_TYPE, Problem
from dirdet.uploads import FIELD, MULTIPART, RAW_TYPES

REFERENCE = "#/components/schemas/{model}"

# OpenAPI 3.1 says it by the media type; the documentation page still looks for the format.
BINARY = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}

BODY: dict[str, Any] = {
    "parameters": [
        {
            "name": HEADER,
            "in": "header",
            "required": False,
            "schema": {"type": "integer", "minimum": 1},
            "description": "milliseconds in which the request is to be answered, its body's way included; a maximum "
            "and what counts without it are the server's",
        }
    ],
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


def document(app: FastAPI, *, keys: bool = False) -> None:
    """Adds problems and keys to the app's OpenAPI document, which is made once, when first asked for.

    Args:
        app: with all its routes.
        keys: whether it asks for one.
    """

    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _, problem = models_json_schema([(Problem, "serialization")], ref_template=REFERENCE)
            made.setdefault("components", {}).setdefault("schemas", {}).update(problem["$defs"])
            document_keys(made, required=keys, reference=REFERENCE.format(model="Problem"))
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = build
