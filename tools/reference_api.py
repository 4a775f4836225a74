"""The reference of the HTTP API: each operation, and the fields of what is sent, from its OpenAPI document."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reference_text import cell, table

DOCUMENT = Path(__file__).resolve().parent.parent / "tests" / "contract" / "openapi.json"
Schema = Mapping[str, Any]


def api_page() -> Iterator[str]:
    """Operations by their path, then the objects of their bodies."""
    document: Schema = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    yield "# HTTP API"
    yield (
        f"{document['info']['description']} [The HTTP API](../api.md) explains detection. A running server "
        "shows all of it at `/docs`, and the document itself at `/openapi.json`."
    )
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"## `{method.upper()} {path}`"
            yield from _operation(operation)
    yield "## Objects"
    for name, schema in document["components"]["schemas"].items():
        yield f"### {name}"
        if schema.get("description"):
            yield cell(schema["description"])
        yield fields_table(schema)


def fields_table(schema: Schema) -> str:
    """The fields of an object."""
    needed = schema.get("required", ())
    rows = [
        (f"`{name}`", kind(field) + ("" if name in needed else ", optional"), cell(field.get("description", "")))
        for name, field in schema.get("properties", {}).items()
    ]
    return table(("field", "type", "meaning"), rows)


def kind(schema: Schema) -> str:
    """A schema's type and bounds in words; objects are linked."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(kind(each) for each in schema[several]))
    for fixed in (schema.get("enum"), [schema["const"]] if "const" in schema else None):
        if fixed is not None:
            return " or ".join(f"`{each}`" for each in fixed)
    if schema.get("type") == "array":
        items = schema.get("items") or next(iter(schema.get("prefixItems", ())), {})
        number = schema.get("maxItems")
        exactly = f"{number} of " if number is not None and number == schema.get("minItems") else "list of "
        return exactly + kind(items)
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {kind(schema['additionalProperties'])}"
    return str(schema.get("type", "any")) + _bounds(schema)


def _bounds(schema: Schema) -> str:
    low, high = (schema.get(key) for key in ("minimum", "maximum"))
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    if low is not None:
        return f", at least {low:g}"
    if "exclusiveMinimum" in schema:
        return f" above {schema['exclusiveMinimum']:g}"
    return ""


def _operation(operation: Schema) -> Iterator[str]:
    yield "\n\n".join(cell(part) for part in operation["description"].split("\n\n"))
    parameters = operation.get("parameters", ())
    if parameters:
        rows = [
            (f"`{each['name']}`", each["in"], kind(each["schema"]), cell(each.get("description", "")))
            for each in parameters
        ]
        yield table(("parameter", "in", "type", "meaning"), rows)
    if "requestBody" in operation:
        yield f"The body is {_media(operation['requestBody'])}."
    rows = [(status, cell(answer["description"]), _media(answer)) for status, answer in operation["responses"].items()]
    yield table(("status", "meaning", "body"), rows)


def _media(place: Schema) -> str:
    found: list[str] = []
    for name, content in place.get("content", {}).items():
        schema = content.get("schema", {})
        found.append(f"`{name}` ({kind(schema)})" if "$ref" in schema or "anyOf" in schema else f"`{name}`")
    return ", ".join(found)
