"""Compose files, dashboards and Dockerfiles agree with each other and with the code; no container is started."""

import importlib
import json
import os
import re
import shutil
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from waiting import PATIENCE_S

from dirdet.engines.triton.client import KEY_VARIABLE, read_triton_key

yaml: Any = importlib.import_module("yaml")
ROOT = Path(__file__).resolve().parents[2]
OBSERVABILITY = ROOT / "docker" / "observability"
DASHBOARD = json.loads((OBSERVABILITY / "dashboards" / "dirdet.json").read_text(encoding="utf-8"))
TRITON_METRICS = {
    "nv_inference_count",
    "nv_inference_exec_count",
    "nv_inference_request_success",
    "nv_inference_request_failure",
    "nv_inference_queue_duration_us",
    "nv_inference_compute_infer_duration_us",
    "nv_inference_pending_request_count",
    "nv_gpu_utilization",
    "nv_gpu_memory_used_bytes",
    "nv_gpu_memory_total_bytes",
    "nv_cpu_utilization",
}
GATEWAY_METRICS = {
    "dirdet_stage_cpu_seconds_total",
    "http_server_request_duration_seconds",
    "dirdet_queue_depth",
    "dirdet_batch_size",
    "dirdet_shed_total",
    "dirdet_stage_duration_seconds",
    "dirdet_served_score",
    "dirdet_served_iou",
}


def compose(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


GPU, CPU = compose("docker-compose.yml"), compose("docker-compose.cpu.yml")


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def test_without_a_gpu_triton_is_the_same_but_for_that() -> None:
    gpu, cpu = deepcopy(GPU["services"]["triton"]), deepcopy(CPU["services"]["triton"])
    [device] = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "${GPUS:-1}", "capabilities": ["gpu"]}
    for name in ("image", "deploy"):
        del gpu[name], cpu[name]
    del cpu["build"]["args"], gpu["build"]["args"]
    assert cpu == gpu


def test_without_a_gpu_the_other_services_are_the_same() -> None:
    assert CPU["services"].keys() == GPU["services"].keys()
    for name in GPU["services"].keys() - {"triton"}:
        assert CPU["services"][name]["extends"] == {"file": "docker-compose.yml", "service": name}
    assert (CPU["networks"], CPU["volumes"]) == (GPU["networks"], GPU["volumes"])


@pytest.mark.parametrize("name", GPU["services"])
def test_every_service_is_confined(name: str) -> None:
    service = GPU["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"memory", "pids"} <= service["deploy"]["resources"]["limits"].keys()
    assert service["logging"]["options"]["max-size"]
    published = "${PROXY_ADDRESS:-0.0.0.0}:" if name == "proxy" else ("127.0.0.1:", "${DIRDET_ADDRESS:-127.0.0.1}:")
    assert all(port.startswith(published) for port in service.get("ports", []))


def test_the_gateway_believes_the_network_that_it_shares_with_the_proxy_alone() -> None:
    gateway = GPU["services"]["gateway"]
    assert {name for name, service in GPU["services"].items() if "edge" in service["networks"]} == {"gateway", "proxy"}
    [subnet] = GPU["networks"]["edge"]["ipam"]["config"]
    assert gateway["environment"]["DIRDET_TRUSTED_PROXY"] == subnet["subnet"]


def test_only_who_is_asked_from_outside_is_on_a_network_that_leads_there() -> None:
    assert GPU["networks"]["internal"] == GPU["networks"]["metrics"] == {"internal": True}
    for service in GPU["services"].values():
        assert ("outside" in service["networks"]) == ("ports" in service)


def test_only_the_gateway_reaches_tritons_grpc() -> None:
    """Which listens on the address of a name that Triton has on that network alone; metrics are on another."""
    triton = GPU["services"]["triton"]
    assert triton["networks"] == {"internal": {"aliases": ["triton-grpc"]}, "metrics": None}
    assert triton["environment"]["GRPC_NAME"] == "triton-grpc"
    assert _on("internal") == {"models", "triton", "gateway"}
    assert _on("metrics") == {"triton", "prometheus"}
    command = GPU["services"]["gateway"]["command"]
    assert command[command.index("--triton") + 1] == "triton-grpc:8001"


def _on(network: str) -> set[str]:
    return {name for name, service in GPU["services"].items() if network in service["networks"]}


def test_one_key_for_triton_and_the_gateway(tmp_path: Path) -> None:
    """The command of `models` draws it once, for its user alone."""
    services = GPU["services"]
    path = services["triton"]["environment"]["TRITON_KEY_FILE"]
    assert services["gateway"]["environment"][KEY_VARIABLE] == path
    for name in ("triton", "gateway"):
        assert {"type": "volume", "source": "models", "target": "/models", "read_only": True} in services[name][
            "volumes"
        ]
    told: set[str] = set()
    for _ in range(2):
        write_models(tmp_path)
        told.add((tmp_path / "triton-key").read_text())
    [key] = told
    assert re.fullmatch("[0-9a-f]{64}", key)
    assert read_triton_key(tmp_path / "triton-key") == key
    assert (tmp_path / "triton-key").stat().st_mode & 0o777 == 0o600
    assert {each.name for each in tmp_path.iterdir()} == {"triton-key", "repository", "bin"}


def test_models_that_are_the_same_stay_where_triton_reads_them(tmp_path: Path) -> None:
    """`up` starts `models` again while Triton runs; another bundle replaces all."""
    write_models(tmp_path, "one")
    written = (tmp_path / "repository").stat().st_ino
    write_models(tmp_path, "one")
    assert (tmp_path / "repository").stat().st_ino == written
    write_models(tmp_path, "other")
    assert [each.name for each in (tmp_path / "repository").iterdir()] == ["other_detector"]
    assert not (tmp_path / "repository.part").exists()


def write_models(folder: Path, bundle: str = "one") -> None:
    """Runs the command of `models` with another folder for /models, and a `dirdet` that only makes a folder."""
    shell, flags, script = GPU["services"]["models"]["entrypoint"]
    script = script.replace("/models", str(folder)).replace("$$", "$")
    program = folder / "bin" / "dirdet"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nmkdir -p "$4/{bundle}_detector"\n')
    program.chmod(0o755)
    variables = {"ONNXRUNTIME": "backend", "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([shell, flags, script], env=os.environ | variables, check=True)


@pytest.mark.parametrize("lock", ["tritonserver", "tritonserver-onnxruntime", "tritonserver-onnxruntime-gpu"])
def test_triton_has_the_torch_that_export_was_proved_with(lock: str) -> None:
    locked = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    proved = (ROOT / "requirements" / "proved.txt").read_text(encoding="utf-8")
    [safetensors] = re.findall(r"^safetensors==\S+", (ROOT / "requirements/export.txt").read_text(), re.MULTILINE)
    assert f"\n{safetensors} " in locked
    for name in ("torch", "torchvision"):
        [version] = re.findall(rf"^{name}==(\S+) ;", proved, re.MULTILINE)
        assert f"\n{name}=={version} ; python_full_version < '3.14'" in locked


def test_triton_without_a_gpu_has_the_locked_onnxruntime() -> None:
    lock = CPU["services"]["triton"]["build"]["args"]["LOCK"]
    [wanted] = re.findall(r"^onnxruntime==\S+", (ROOT / "requirements" / "cpu.txt").read_text(), re.MULTILINE)
    assert f"\n{wanted} " in (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    words = {word for query in queries() for word in re.findall(r"\b(?:nv|dirdet|http_server)_\w+", query)}
    words = {re.sub("_(bucket|sum|count)$", "", word) if "nv_" not in word else word for word in words}
    assert words == TRITON_METRICS | GATEWAY_METRICS


def test_the_dashboards_panels_are_told_apart() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()]
    assert len(places) == len(set(places))
    assert all(panel["title"] and panel["fieldConfig"]["defaults"]["unit"] for panel in panels())


def test_grafana_finds_its_data_source_and_dashboard() -> None:
    [source] = yaml.safe_load((OBSERVABILITY / "grafana/datasources/prometheus.yml").read_text())["datasources"]
    assert {panel["datasource"]["uid"] for panel in panels()} == {source["uid"]}
    assert source["url"] == "http://prometheus:9090"
    [provider] = yaml.safe_load((OBSERVABILITY / "grafana/dashboards/dirdet.yml").read_text())["providers"]
    mounts = {each["target"]: each["source"] for each in GPU["services"]["grafana"]["volumes"]}
    assert mounts[provider["options"]["path"]] == "./docker/observability/dashboards"


def test_prometheus_asks_the_services() -> None:
    jobs = yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text())["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs}
    assert targets == {"gateway": ["gateway:8000"], "triton": ["triton:8002"]}


def test_prometheus_understands_its_configuration_and_the_dashboards_queries(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; Debian's package prometheus brings it")
    rules = [
        {"record": f"query_{n}", "expr": query.replace("$__rate_interval", "1m")} for n, query in enumerate(queries())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    for command in (["check", "config", str(OBSERVABILITY / "prometheus.yml")], ["check", "rules", str(file)]):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
