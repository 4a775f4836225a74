"""Creates the engine of a bundle."""

from dirdet.bundle.bundle import Bundle
from dirdet.engines.base import Engine
from dirdet.engines.providers import ProviderName
from dirdet.engines.triton.target import TritonTarget


def make_engine(
    bundle: Bundle,
    *,
    provider: ProviderName = "auto",
    threads: int = 0,
    triton: TritonTarget | None = None,
    several: bool = False,
    at_once: int = 1,
) -> Engine:
    """Creates the engine in this process or, with a target, the client of Triton.

    Args:
        bundle: the detector.
        provider: execution provider of the engine in this process.
        threads: of one inference in this process; 0 is the engine's default.
        triton: the Triton server, if any.
        several: several engines in this process take turns.
        at_once: concurrent inferences in this process, if the engine can divide the cores.

    Raises:
        DirdetError: the engine cannot start; the text gives the reason.
    """
    # Imported here so that reading bundles or using a remote engine does not load ONNX Runtime.
    if triton is not None:
        from dirdet.engines.triton.engine import TritonEngine

        return TritonEngine(bundle, triton)
    from dirdet.engines.onnx_runtime import OnnxRuntimeEngine

    return OnnxRuntimeEngine(bundle, provider=provider, threads=threads, several=several, at_once=at_once)
