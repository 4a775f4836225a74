"""Validates objects against the schemas of Kubernetes and KServe, strictly: an unknown field is refused."""

import functools
import importlib
import json
from pathlib import Path
from typing import Any

import jsonschema

# Neither has types.
kubernetes: Any = importlib.import_module("kubernetes_validate.utils")
referencing: Any = importlib.import_module("referencing")

Object = dict[str, Any]

KSERVE = Path(__file__).with_name("kserve.json")
# By apiVersion and kind, the definition in that file.
KSERVE_KINDS = {
    ("serving.kserve.io/v1alpha1", "ServingRuntime"): "V1alpha1ServingRuntime",
    ("serving.kserve.io/v1beta1", "InferenceService"): "V1beta1InferenceService",
}


@functools.cache
def core() -> Object:
    """Definitions of the newest Kubernetes that the package kubernetes-validate knows."""
    version: str = kubernetes.latest_version()
    path = f"kubernetes-json-schema/v{version}-local-strict/_definitions.json"
    return kubernetes.schema_contents(path, version)


def validate(found: Object) -> None:
    """Refuses what the schema of the object's kind does not know.

    Raises:
        jsonschema.ValidationError: it says where and what.
    """
    kind = KSERVE_KINDS.get((found["apiVersion"], found["kind"]))
    if kind is None:
        kubernetes.validate(found, kubernetes.latest_version(), strict=True)
        return
    schema = json.loads(KSERVE.read_text()) | {
        "$schema": core()["$schema"],
        "$id": core()["$id"].replace("_definitions", "kserve"),
        "$ref": f"#/$defs/{kind}",
    }
    registry: Any = referencing.Resource.from_contents(core()) @ referencing.Registry()
    validator: Any = jsonschema.Draft202012Validator(schema, registry=registry)
    validator.validate(found)
