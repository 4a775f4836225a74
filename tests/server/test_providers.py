"""Which execution provider is chosen, and what is said of it."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dirdet.engines.providers import OPENVINO_PLUGIN, choose_provider
from dirdet.errors import EngineError


def runtime(providers: list[str], devices: tuple[str, ...] = ()) -> Any:
    """A stand-in for onnxruntime: its providers, and the plugin's devices once it is registered."""
    cpu = object()
    registered: list[str] = []
    found = [SimpleNamespace(ep_name=name, device=SimpleNamespace(type=cpu)) for name in devices]
    return SimpleNamespace(
        get_available_providers=lambda: providers,
        get_ep_devices=lambda: found if registered else [],
        register_execution_provider_library=lambda name, path: registered.append(name),  # pyright: ignore  # noqa: ARG005
        OrtHardwareDeviceType=SimpleNamespace(CPU=cpu),
    )


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The OpenVINO plugin, installed."""
    module: Any = ModuleType(OPENVINO_PLUGIN)
    module.get_ep_name = lambda: "OpenVINO"
    module.get_library_path = lambda: "plugin.so"
    monkeypatch.setitem(sys.modules, OPENVINO_PLUGIN, module)
    return module


@pytest.fixture
def no_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, OPENVINO_PLUGIN, None)


@pytest.mark.usefixtures("plugin")
def test_cuda_comes_first() -> None:
    chosen = choose_provider(runtime(["CUDAExecutionProvider", "CPUExecutionProvider"], ("OpenVINO",)))
    assert chosen.name == "CUDAExecutionProvider"


@pytest.mark.usefixtures("plugin")
def test_then_the_plugin_if_it_offers_a_device() -> None:
    chosen = choose_provider(runtime(["CPUExecutionProvider"], ("OpenVINO", "OpenVINO.AUTO")))
    assert (chosen.name, len(chosen.devices)) == ("OpenVINO", 1)


@pytest.mark.usefixtures("plugin")
def test_else_the_cpu_and_why() -> None:
    chosen = choose_provider(runtime(["CPUExecutionProvider"]))
    assert chosen.name == "CPUExecutionProvider"
    assert "offers no device" in chosen.reason


@pytest.mark.usefixtures("no_plugin")
def test_without_the_plugin() -> None:
    chosen = choose_provider(runtime(["CPUExecutionProvider"]))
    assert chosen.name == "CPUExecutionProvider"
    assert "not installed" in chosen.reason


def test_a_broken_plugin_does_not_keep_the_cpu_from_serving(plugin: Any) -> None:
    def fail() -> str:
        raise FileNotFoundError("plugin.so is gone")

    plugin.get_library_path = fail
    chosen = choose_provider(runtime(["CPUExecutionProvider"]))
    assert chosen.name == "CPUExecutionProvider"
    assert "plugin.so is gone" in chosen.reason


@pytest.mark.usefixtures("plugin")
def test_the_one_asked_for_or_none() -> None:
    ort = runtime(["CUDAExecutionProvider", "CPUExecutionProvider"], ("OpenVINO",))
    assert choose_provider(ort, "cpu").name == "CPUExecutionProvider"
    assert choose_provider(ort, "openvino").name == "OpenVINO"
    with pytest.raises(EngineError, match="'cuda' is not available"):
        choose_provider(runtime(["CPUExecutionProvider"]), "cuda")
