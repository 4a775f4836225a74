"""What a service may do, and who reaches it."""

import json
import re
from typing import Any

import pytest

from .engine import ROOT
from .stack import GATEWAY_IMAGE, Stack

SERVICES = ("gateway", "triton")
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 8001), timeout=float(sys.argv[2]))"


def published(stack: Stack, service: str) -> dict[str, Any]:
    bindings: dict[str, Any] = json.loads(stack.inspect(service, "{{json .HostConfig.PortBindings}}")) or {}
    return {port: where for port, where in bindings.items() if where}


@pytest.mark.parametrize("service", SERVICES)
def test_it_is_not_root_and_may_nothing(service: str, stack: Stack) -> None:
    assert stack.inside(service, "id", "-u").stdout.strip() == "10001"
    status = dict(line.split(":\t") for line in stack.inside(service, "cat", "/proc/1/status").stdout.splitlines())
    assert int(status["CapEff"], 16) == 0
    assert int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"


@pytest.mark.parametrize("service", SERVICES)
def test_its_root_file_system_is_read_only(service: str, stack: Stack) -> None:
    assert stack.inspect(service, "{{.HostConfig.ReadonlyRootfs}}") == "true"
    root = stack.inside(service, "grep", " / ", "/proc/mounts").stdout.split()
    assert "ro" in root[3].split(",")


def test_triton_may_not_change_its_models(stack: Stack) -> None:
    [models] = [
        line.split()[3]
        for line in stack.inside("triton", "cat", "/proc/mounts").stdout.splitlines()
        if line.split()[1] == "/models"
    ]
    assert "ro" in models.split(",")


def test_memory_is_limited(stack: Stack) -> None:
    limits = {service: int(stack.inspect(service, "{{.HostConfig.Memory}}")) for service in SERVICES}
    assert limits == {"gateway": 4 * 2**30, "triton": 8 * 2**30}


def test_shared_memory_is_enough_for_triton(stack: Stack) -> None:
    assert int(stack.inspect("triton", "{{.HostConfig.ShmSize}}")) == 2 * 2**30


def test_only_the_gateway_is_published_and_on_loopback(stack: Stack) -> None:
    assert published(stack, "triton") == {}
    assert published(stack, "gateway") == {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}]}


def test_only_the_internal_network_reaches_triton(stack: Stack) -> None:
    triton = stack.address("triton", "internal")
    for name in ("triton", triton):
        stack.inside("gateway", "python", "-c", CONNECT, name, "60")
    flags = ["--rm", f"--network={stack.project}_outside", "--entrypoint=python", GATEWAY_IMAGE]
    for name in ("triton", triton):
        tried = stack.engine.run("run", *flags, "-c", CONNECT, name, "3", check=False)
        assert tried.returncode != 0
        assert re.search("timed out|unreachable|not known|resolution|No route", tried.stderr), tried.stderr


def test_triton_reaches_nothing_outside(stack: Stack) -> None:
    code = CONNECT.replace("8001", "8000")
    gateway = stack.address("gateway", "outside")
    tried = stack.inside("triton", "python3", "-c", code, gateway, "3", check=False)
    assert tried.returncode != 0
    assert re.search("timed out|unreachable", tried.stderr), tried.stderr


@pytest.mark.parametrize(("service", "dockerfile"), [("gateway", "gateway"), ("triton", "triton")])
def test_its_health_check_passes(service: str, dockerfile: str, stack: Stack) -> None:
    text = (ROOT / "docker" / f"{dockerfile}.Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    found = re.search(r"^HEALTHCHECK .*CMD (\[.*\])$", text, re.MULTILINE)
    assert found is not None
    stack.inside(service, *json.loads(found[1]))
