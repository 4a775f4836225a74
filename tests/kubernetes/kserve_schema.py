"""Writes the JSON schemas of KServe's kinds that our manifests use, from the Python package kserve, which has none.

    python -m tests.kubernetes.kserve_schema

KServe's fields come from its models, those of Kubernetes by reference from the package kubernetes-validate. As strict
as can be: a field that KServe does not know is refused, and so is one that is left out here.
"""

import ast
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from .schemas import KSERVE, KSERVE_KINDS, core

RELEASE = "kserve==0.21.0"
# What our manifests have no use for is most of the models.
LEFT_OUT = frozenset(
    "status explainer transformer canary tracing workerSpec autoScaling builtInAdapter batcher logger confidential "  # noqa: SIM905
    "huggingface lightgbm onnx paddle pmml pytorch sklearn tensorflow triton xgboost".split()
)
PLAIN = {
    "str": {"type": "string"},
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "object": {},
}
# Of Kubernetes, by other names than V1 and its own.
OTHER = {
    "K8sIoApiAppsV1DeploymentStrategy": r"apps\.v1\.DeploymentStrategy$",
    "ResourceQuantity": r"resource\.Quantity$",
}

Schema = dict[str, Any]


class Models:
    """The package's models, read without importing it."""

    def __init__(self, wheel: zipfile.ZipFile) -> None:
        """Reads every class of kserve/models."""
        self._classes: dict[str, tuple[ast.ClassDef, str]] = {}
        for name in wheel.namelist():
            if name.startswith("kserve/models/") and name.endswith(".py"):
                source = wheel.read(name).decode()
                for node in ast.parse(source).body:
                    if isinstance(node, ast.ClassDef):
                        self._classes[node.name] = node, source

    def __contains__(self, name: str) -> bool:
        """Whether it is KServe's own."""
        return name in self._classes

    def fields(self, name: str) -> dict[str, str]:
        """Type by the name in JSON."""
        types, keys = self._table(name, "openapi_types"), self._table(name, "attribute_map")
        return {keys[field]: kind for field, kind in types.items() if keys[field] not in LEFT_OUT}

    def required(self, name: str) -> list[str]:
        """What must be there, by the name in JSON."""
        keys = self._table(name, "attribute_map")
        refused = re.findall(r"Invalid value for `(\w+)`, must not be `None`", self._classes[name][1])
        return sorted({keys[field] for field in refused})

    def _table(self, name: str, table: str) -> dict[str, str]:
        for node in self._classes[name][0].body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == table:
                return ast.literal_eval(node.value)
        raise LookupError(f"{name} has no {table}")


def schemas(models: Models) -> Schema:
    """A document with all definitions that the kinds need."""
    definitions: Schema = {}

    def refer(kind: str) -> Schema:
        if found := re.fullmatch(r"list\[(.+)\]", kind):
            return {"type": "array", "items": refer(found[1])}
        if found := re.fullmatch(r"dict\(str, (.+)\)", kind):
            return {"type": "object", "additionalProperties": refer(found[1])}
        if kind in PLAIN:
            return PLAIN[kind]
        if kind in models:
            define(kind)
            return {"$ref": f"#/$defs/{kind}"}
        [name] = [
            each for each in core()["$defs"] if re.search(OTHER.get(kind, rf"(core|meta)\.v1\.{kind[2:]}$"), each)
        ]
        return {"$ref": f"/api/_definitions.json#/$defs/{name}"}

    def define(kind: str) -> None:
        if kind not in definitions:
            definitions[kind] = {}  # before its fields: a model may hold itself
            properties = {name: refer(type_) for name, type_ in models.fields(kind).items()}
            definitions[kind] = {"type": "object", "additionalProperties": False, "properties": properties}
            definitions[kind]["required"] = models.required(kind)

    for model in KSERVE_KINDS.values():
        define(model)
    return {"$comment": f"written by {Path(__file__).name} from {RELEASE}, Apache-2.0", "$defs": definitions}


def main() -> None:
    """Downloads the package, reads it and writes the file."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, RELEASE, "--dest", folder], check=True)
        [wheel] = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as opened:
            KSERVE.write_text(json.dumps(schemas(Models(opened)), indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
