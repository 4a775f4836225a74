"""Chooses the engine for a bundle."""

from dirdet.bundle import Bundle
from dirdet.engines.base import Engine
from dirdet.engines.halving import HalvingEngine, HalvingRemoteEngine
from dirdet.engines.providers import ProviderName
from dirdet.engines.triton_target import TritonTarget


def make_engine(
    bundle: Bundle,
    *,
    provider: ProviderName = "auto",
    threads: int = 0,
    triton: TritonTarget | None = None,
    several: bool = False,
    at_once: int = 1,
) -> Engine:
    """The engine that runs in this process, or, with a target, the one that asks Triton; short of memory, in halves.

    Args:
        bundle: what is to be detected with.
        provider: of the engine in this process.
        threads: of one inference in this process; 0 lets the engine choose.
        triton: which Triton, if any.
        several: engines in this process take turns.
        at_once: inferences in this process beside each other, where there is a way to divide the cores.

    Raises:
        DirdetError: it cannot start; the text says why.
    """
    # Imported here so that who only reads bundles or speaks to a remote engine does not load this one.
    if triton is not None:
        from dirdet.engines.triton import TritonEngine

        return HalvingRemoteEngine(TritonEngine(bundle, triton))
    from dirdet.engines.onnx_runtime import OnnxRuntimeEngine

    return HalvingEngine(
        OnnxRuntimeEngine(bundle, provider=provider, threads=threads, several=several, at_once=at_once)
    )
