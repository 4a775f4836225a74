"""Chooses the engine for a bundle."""

from dirdet.bundle import Bundle
from dirdet.engines.base import Engine
from dirdet.engines.providers import ProviderName


def make_engine(bundle: Bundle, *, provider: ProviderName = "auto") -> Engine:
    """The engine that runs in this process.

    Raises:
        DirdetError: it cannot start; the text says why.
    """
    # Imported here so that who only reads bundles or speaks to a remote engine does not load this one.
    from dirdet.engines.onnx_runtime import OnnxRuntimeEngine

    return OnnxRuntimeEngine(bundle, provider=provider)
