"""The API's document: complete, valid, and no other than the one that was agreed on (openapi.json)."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from dirdet.api.problems import MEDIA_TYPE

AGREED = Path(__file__).parent / "openapi.json"
ROOT = "urn:document"


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    """As it goes over the wire; without the version, which changes with every release."""
    document = json.loads(json.dumps(app.openapi()))
    document["info"]["version"] = "any"
    return document


def nodes(value: Any, pointer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document that is not itself an example, and where it is."""
    if isinstance(value, dict):
        yield pointer, value  # pyright: ignore[reportUnknownVariableType]
    children: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()  # pyright: ignore
    for key, child in children:
        if key not in ("example", "examples"):
            yield from nodes(child, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")


def examples(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every example, after the place of its schema."""
    for pointer, node in nodes(document):
        where = f"{pointer}/schema" if "schema" in node else pointer
        if "example" in node:
            yield where, node["example"]
        shown: Any = node.get("examples", [])
        if isinstance(shown, list):
            yield from ((where, each) for each in shown)  # pyright: ignore[reportUnknownVariableType]
        else:
            yield from ((where, each["value"]) for each in shown.values())


def test_it_is_the_one_that_was_agreed_on(document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    if "WRITE_OPENAPI" in os.environ:
        AGREED.write_text(text, encoding="utf-8")
    assert json.loads(AGREED.read_text(encoding="utf-8")) == document, (
        "the API's document has changed; if that is meant, `make openapi` writes it again and `git diff` shows it"
    )


def test_it_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_every_example_is_as_its_schema_says(document: dict[str, Any]) -> None:
    registry: Any = Registry().with_resource(ROOT, DRAFT202012.create_resource(document))  # pyright: ignore
    found = list(examples(document))
    assert len(found) > 30
    for pointer, example in found:
        Draft202012Validator({"$ref": f"{ROOT}#{pointer}"}, registry=registry).validate(example)  # pyright: ignore


def test_every_answer_in_json_has_an_example(document: dict[str, Any]) -> None:
    registry = document["components"]["schemas"]
    for pointer, node in nodes(document["paths"]):
        if pointer.endswith(("/application~1json", f"/{MEDIA_TYPE.replace('/', '~1')}")):
            schema = node["schema"]
            schema = registry[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
            parts = [schema, *schema.get("properties", {}).values()]
            assert {"example", "examples"} & node.keys() or any("examples" in part for part in parts), pointer


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["description"], where
            assert operation["tags"], where
            assert all(each["description"] for each in operation["responses"].values()), where
            assert "500" in operation["responses"], where
