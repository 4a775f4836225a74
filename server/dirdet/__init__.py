"""What an exported detector is, and how it is served: numpy, ONNX Runtime and FastAPI, no torch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dirdet.client import AsyncClient, Client
    from dirdet.local.detector import load

__all__ = ["AsyncClient", "Client", "load"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - what a module holds
    """The ways to detect, loaded when they are first asked for: `import dirdet` alone stays free."""
    if name not in __all__:
        raise AttributeError(f"module 'dirdet' has no attribute {name!r}")
    if name == "load":
        from dirdet.local.detector import load

        return load
    import dirdet.client

    return getattr(dirdet.client, name)
