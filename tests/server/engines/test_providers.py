"""Which execution provider is chosen, and what is said of it."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dirdet.engines import nvidia_driver
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


@pytest.fixture(autouse=True)
def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver for CUDA 13.0."""
    monkeypatch.setattr(nvidia_driver, "driver_cuda", lambda: (13, 0))


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


@pytest.mark.usefixtures("no_plugin")
@pytest.mark.parametrize(
    ("driver_cuda", "built_for", "why"),
    [
        (None, "13.0", "no NVIDIA driver with a GPU was found on this machine"),
        ((12, 8), "13.0", "supports CUDA up to 12.8, and this ONNX Runtime is built for CUDA 13.0: update the driver"),
        ((12, 2), "12.8", None),
        ((13, 0), "12.8", None),
        ((12, 2), None, None),
        ((12, 2), "", None),
    ],
)
def test_the_driver_is_looked_at_first(
    driver_cuda: tuple[int, int] | None, built_for: str | None, why: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvidia_driver, "driver_cuda", lambda: driver_cuda)
    ort = runtime(["CUDAExecutionProvider", "CPUExecutionProvider"])
    ort.cuda_version = built_for
    chosen = choose_provider(ort)
    if why is None:
        assert chosen.name == "CUDAExecutionProvider"
        return
    assert chosen.name == "CPUExecutionProvider"
    assert why in chosen.reason
    with pytest.raises(EngineError, match=r"'cuda' is not available: .*driver"):
        choose_provider(ort, "cuda")


@pytest.mark.parametrize(("failing", "count"), [("", 1), ("cuInit", 1), ("", 0)])
def test_the_driver_says_its_version(failing: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(name: str, value: int) -> Any:
        def call(place: Any) -> int:
            if not isinstance(place, int):
                place._obj.value = value
            return 100 if name == failing else 0

        return call

    calls = {"cuInit": 0, "cuDriverGetVersion": 12080, "cuDeviceGetCount": count}
    library = SimpleNamespace(**{name: answer(name, value) for name, value in calls.items()})
    monkeypatch.undo()

    def load(_: str) -> Any:
        return library

    monkeypatch.setattr(nvidia_driver.ctypes, "CDLL", load)
    expected = (12, 8) if count and not failing else None
    assert nvidia_driver.driver_cuda.__wrapped__() == expected
