"""Each folder of manifests, rendered: nobody here has a cluster, so all that can be known without one."""

import copy
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
from serve_detectors import serve_detectors

from dirdet.bundle.shipped import open_bundle
from dirdet.cli import cli
from dirdet.engines.triton.client import KEY_VARIABLE
from dirdet.engines.triton.models import ModelNames

from .rendered import MANIFESTS, Pod, named, pods, render, selected, walk
from .schemas import Object, validate

SETUPS = ["gateway", "triton", "tensorrt", "kserve", "kserve-tensorrt"]
WITH_TRITON = ["triton", "tensorrt", "kserve"]
GATEWAY, TRITON = ({"app.kubernetes.io/name": name} for name in ("gateway", "triton"))
CLIENTS = {"namespaceSelector": {"matchLabels": {"triton-client": "true"}}}
STRANGER = {"app.kubernetes.io/name": "stranger"}


@pytest.fixture(scope="module", params=SETUPS)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return render(request.param)


@pytest.fixture(scope="module", params=WITH_TRITON)
def with_triton(request: pytest.FixtureRequest) -> list[Object]:
    return render(request.param)


def test_every_setup_is_tested() -> None:
    folders = {path.parent.name for path in MANIFESTS.glob("*/kustomization.yaml")}
    assert folders == {*SETUPS, "on-triton", "engines"}, "the last two are parts of others"


def test_every_field_is_known(objects: list[Object]) -> None:
    for each in objects:
        validate(each)


def test_every_object_is_in_the_namespace_and_has_a_name_of_its_own(objects: list[Object]) -> None:
    assert {each["metadata"].get("namespace") for each in objects if each["kind"] != "Namespace"} == {"dirdet"}
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("setup", SETUPS)
def test_images_are_named_as_the_readme_says(setup: str, tmp_path: Path) -> None:
    """Its kustomization, beside a clone."""
    [own] = re.findall(r"```yaml\n(.*?)```", (MANIFESTS / "README.md").read_text(), re.DOTALL)
    shutil.copytree(MANIFESTS, tmp_path / "dirdet" / "docker" / "kubernetes")
    assert "kubernetes/triton]" in own
    (tmp_path / "kustomization.yaml").write_text(own.replace("kubernetes/triton]", f"kubernetes/{setup}]"))
    containers = [container for pod in pods(render(tmp_path)) for container in pod.containers()]
    assert all(_image(container).startswith("registry.example/dirdet-") for container in containers)


def test_a_misspelt_field_is_refused(objects: list[Object]) -> None:
    """Anywhere below a specification, be it Kubernetes' or KServe's."""
    refused = 0
    for each in objects:
        broken = copy.deepcopy(each)
        inner = [place for place in walk(broken.get("spec", {})) if "securityContext" in place or "ports" in place]
        for place in inner:
            place["imagePullPolice"] = "Always"
            with pytest.raises(jsonschema.ValidationError, match="imagePullPolice"):
                validate(broken)
            del place["imagePullPolice"]
            refused += 1
    assert refused > 3


def test_selectors_and_targets_meet_pods(objects: list[Object]) -> None:
    started = pods(objects)
    for each in objects:
        spec = each.get("spec", {})
        if each["kind"] == "Service":
            [pod] = selected(started, {"matchLabels": spec["selector"]})
            assert {port["targetPort"] for port in spec["ports"]} <= pod.port_names()
        elif each["kind"] == "Deployment":
            assert selected(started, spec["selector"]) == [Pod(**_template(spec))]
        elif each["kind"] == "PodDisruptionBudget":
            assert len(selected(started, spec["selector"])) == 1
        elif each["kind"] == "HorizontalPodAutoscaler":
            target = named(objects, spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"])
            assert target["apiVersion"] == spec["scaleTargetRef"]["apiVersion"]
            assert "replicas" not in target["spec"], "applying the file again would undo the autoscaler's number"
        elif each["kind"] == "NetworkPolicy" and spec["podSelector"]:
            assert len(selected(started, spec["podSelector"])) == 1


def _template(spec: Object) -> Object:
    return {"labels": spec["template"]["metadata"]["labels"], "spec": spec["template"]["spec"]}


def test_ports_of_probes_and_volumes_are_there(objects: list[Object]) -> None:
    for pod in pods(objects):
        probed = [_probed(probe) for container in pod.containers() for probe in _probes(container)]
        assert len(probed) == 3
        ports = [port for container in pod.containers() for port in container.get("ports", [])]
        assert set(probed) <= {port[key] for port in ports for key in ("name", "containerPort")}
        volumes = [volume["name"] for volume in pod.spec["volumes"]]
        mounts = [mount for container in pod.containers() for mount in container["volumeMounts"]]
        assert sorted(volumes) == sorted({mount["name"] for mount in mounts}), "each is there and mounted"
        for container in pod.containers():
            paths = [mount["mountPath"] for mount in container["volumeMounts"]]
            assert len(paths) == len(set(paths))


def _probed(probe: Object) -> str | int:
    """The port, by name or, of a gRPC probe, by number."""
    [port] = [probe[way]["port"] for way in ("httpGet", "grpc", "tcpSocket") if way in probe]
    return port


def _probes(container: Object) -> list[Object]:
    return [container[name] for name in ("startupProbe", "livenessProbe", "readinessProbe") if name in container]


def test_every_container_is_confined(objects: list[Object]) -> None:
    for pod in pods(objects):
        shared = pod.spec["securityContext"]
        assert shared["runAsNonRoot"] is True
        assert shared["runAsUser"] > 0
        assert shared["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod.spec["automountServiceAccountToken"] is False
        for container in pod.containers():
            own = container["securityContext"]
            assert own["readOnlyRootFilesystem"] is True
            assert own["allowPrivilegeEscalation"] is False
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]
    assert named(objects, "Namespace", "dirdet")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]


def test_the_gateway_understands_its_arguments(objects: list[Object]) -> None:
    """All that `dirdet` is told in any container."""
    told = [
        container for pod in pods(objects) for container in pod.containers() if "dirdet-gateway" in _image(container)
    ]
    assert told
    for container in told:
        name, *arguments = container["args"]
        group = click.Context(cli)
        subcommand = cli.get_command(group, name)
        assert subcommand is not None
        subcommand.make_context(name, arguments, parent=group)


def _image(container: Object) -> str:
    return container["image"]


def test_the_gateway_has_its_keys_from_a_secret(objects: list[Object]) -> None:
    [pod] = selected(pods(objects), {"matchLabels": GATEWAY})
    [container] = pod.containers()
    [path] = [each["value"] for each in container["env"] if each["name"] == "DIRDET_KEYS"]
    [mount] = [each for each in container["volumeMounts"] if each["mountPath"] == str(Path(path).parent)]
    [volume] = [each for each in pod.spec["volumes"] if each["name"] == mount["name"]]
    assert volume["secret"]["secretName"] == "dirdet-keys"
    assert not volume["secret"].get("optional"), "without keys nothing starts"
    assert not [each for each in objects if each["kind"] == "Secret"], "and none is committed"


def test_triton_and_the_gateway_have_one_key_from_a_secret(with_triton: list[Object]) -> None:
    """Under the variables that `dirdet serve` and serve-detectors read."""
    for labels, variable in ((GATEWAY, KEY_VARIABLE), (TRITON, "TRITON_KEY_FILE")):
        [pod] = selected(pods(with_triton), {"matchLabels": labels})
        container = pod.containers()[-1]
        [path] = [each["value"] for each in container["env"] if each["name"] == variable]
        [mount] = [each for each in container["volumeMounts"] if each["mountPath"] == str(Path(path).parent)]
        [volume] = [each for each in pod.spec["volumes"] if each["name"] == mount["name"]]
        assert (volume["secret"]["secretName"], Path(path).name) == ("dirdet-triton", "key")
        assert not volume["secret"].get("optional"), "without a key nothing starts"


def test_triton_is_where_the_gateway_looks(with_triton: list[Object]) -> None:
    [pod] = selected(pods(with_triton), {"matchLabels": GATEWAY})
    [container] = pod.containers()
    host, port = container["args"][container["args"].index("--triton") + 1].split(":")
    [served] = named(with_triton, "Service", host)["spec"]["ports"]
    assert served["port"] == int(port)
    assert served["targetPort"] == "grpc"


def test_triton_has_a_gpu_memory_to_share_and_the_models_asked_for(with_triton: list[Object], tmp_path: Path) -> None:
    """The init container's command is run, twice as after a restart, and writes what Triton is told to load."""
    [pod] = selected(pods(with_triton), {"matchLabels": TRITON})
    writer, server = pod.containers()
    assert str(server["resources"]["limits"]["nvidia.com/gpu"]) == "1"
    shared = {mount["mountPath"]: mount["name"] for mount in server["volumeMounts"]}
    [memory] = [volume for volume in pod.spec["volumes"] if volume["name"] == shared["/dev/shm"]]
    assert memory["emptyDir"]["medium"] == "Memory"

    [mounted] = [mount["mountPath"] for mount in writer["volumeMounts"] if mount["name"] == shared["/models"]]
    arguments = [argument.replace(mounted, str(tmp_path)) for argument in writer["args"]]
    for _ in range(2):
        subprocess.run([sys.executable, "-m", "dirdet", *arguments], check=True, capture_output=True)
    names = ModelNames(open_bundle().manifest.name)
    repository = tmp_path / "repository"
    assert f"{mounted}/repository" in writer["args"]
    assert {path.name for path in repository.iterdir()} == set(names.all)
    told = serve_detectors(tmp_path, *server["args"])
    assert f"--model-repository={repository}" in told
    assert "--model-control-mode=explicit" in told
    assert [each for each in told if each.startswith("--load-model=")] == [f"--load-model={names.detector}"]
    assert told[-1:] == server["args"]
    [pool] = [each.partition("=0:")[2] for each in told if each.startswith("--cuda-memory-pool-byte-size=")]
    assert int(pool) > 64 * 1024 * 1024, "what the pyramids take comes on top"


@pytest.mark.parametrize("setup", ["tensorrt", "kserve-tensorrt"])
def test_tensorrt_has_its_time_and_keeps_its_engines(setup: str, tmp_path: Path) -> None:
    objects = render(setup)
    [pod] = selected(pods(objects), {"matchLabels": TRITON})
    writer, server = pod.containers()
    [mount] = [each for each in server["volumeMounts"] if each["name"] == "engines"]
    assert not mount.get("readOnly")
    [volume] = [each for each in pod.spec["volumes"] if each["name"] == "engines"]
    assert named(objects, "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
    probe = server["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 1800
    assert probe["grpc"] == {"port": 8001}, "the rest is as without TensorRT"
    arguments = [argument.replace("/models", str(tmp_path)) for argument in writer["args"]]
    subprocess.run([sys.executable, "-m", "dirdet", *arguments], check=True, capture_output=True)
    [config] = tmp_path.glob("repository/*_trunk/config.pbtxt")
    assert f'value: "{mount["mountPath"]}/' in config.read_text(), "engines are kept where the volume is"


def test_of_its_namespace_only_the_gateway_reaches_triton(with_triton: list[Object]) -> None:
    policies = [each["spec"] for each in with_triton if each["kind"] == "NetworkPolicy"]
    assert reaches(policies, GATEWAY, TRITON, "grpc")
    assert not reaches(policies, GATEWAY, TRITON, "metrics")
    assert not reaches(policies, STRANGER, TRITON, "grpc")
    assert not reaches(policies, TRITON, GATEWAY, "http")
    assert not reaches(policies, TRITON, STRANGER, "http")


def test_collectors_of_metrics_reach_nothing_else_of_triton(with_triton: list[Object]) -> None:
    policies = [each["spec"] for each in with_triton if each["kind"] == "NetworkPolicy"]
    incoming = [rule for spec in policies if _selects(spec, TRITON) for rule in spec.get("ingress", [])]
    collectors = [rule for rule in incoming if rule["ports"] == [{"port": "metrics"}]]
    assert [list(rule["from"][0]) for rule in collectors] == [["namespaceSelector", "podSelector"]]
    assert {rule["ports"][0]["port"] for rule in incoming if rule not in collectors} == {"grpc"}
    [pod] = selected(pods(with_triton), {"matchLabels": TRITON})
    assert pod.port_names() == {"grpc", "metrics"}


def test_kserves_clients_ask_triton_itself() -> None:
    """KServe's service has port 80 for the first port of the runtime's container."""
    objects = render("kserve")
    predictor = named(objects, "InferenceService", "dirdet")["spec"]["predictor"]
    runtime = named(objects, "ServingRuntime", predictor["model"]["runtime"])["spec"]
    assert [predictor["model"]["protocolVersion"]] == runtime["protocolVersions"] == ["grpc-v2"]
    assert runtime["containers"][0]["ports"][0] == {"name": "grpc", "containerPort": 8001}
    policy = named(objects, "NetworkPolicy", "triton-clients")["spec"]
    assert _selects(policy, TRITON)
    assert policy["ingress"] == [{"from": [CLIENTS], "ports": [{"port": "grpc"}]}]
    assert not reaches([policy], STRANGER, TRITON, "grpc")


def test_everybody_reaches_the_gateway_and_it_nobody(objects: list[Object]) -> None:
    policies = [each["spec"] for each in objects if each["kind"] == "NetworkPolicy"]
    [incoming] = [rule for spec in policies if _selects(spec, GATEWAY) for rule in spec.get("ingress", [])]
    assert incoming == {"ports": [{"port": "http"}]}
    assert not reaches(policies, GATEWAY, STRANGER, "http")


def reaches(policies: list[Object], source: dict[str, str], target: dict[str, str], port: str) -> bool:
    """Whether policies let one pod of the namespace speak to another."""
    return _allowed(policies, "Egress", source, target, port) and _allowed(policies, "Ingress", target, source, port)


def _allowed(policies: list[Object], way: str, mine: dict[str, str], other: dict[str, str], port: str) -> bool:
    peers, key = ("to", "egress") if way == "Egress" else ("from", "ingress")
    applying = [spec for spec in policies if way in spec["policyTypes"] and _selects(spec, mine)]
    rules: list[Object] = [rule for spec in applying for rule in spec.get(key, [])]
    return not applying or any(
        any(each["port"] == port for each in rule["ports"])
        and (peers not in rule or any(_is_peer(peer, other) for peer in rule[peers]))
        for rule in rules
    )


def _selects(spec: Object, labels: dict[str, str]) -> bool:
    wanted: Any = spec["podSelector"].get("matchLabels", {})
    return wanted.items() <= labels.items()


def _is_peer(peer: Object, labels: dict[str, str]) -> bool:
    return "namespaceSelector" not in peer and _selects(peer, labels)
