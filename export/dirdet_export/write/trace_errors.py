"""Turns errors of torch's tracer and ONNX exporter into one line that names the module."""

import os
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

from dirdet.errors import DirdetError
from dirdet_export.errors import ExportError
from dirdet_export.write.known_warnings import expected_warnings


@contextmanager
def named_errors(module: nn.Module, tensors: list[Tensor], *, name: str) -> Generator[None]:
    """Raises errors of the block as ExportError.

    Args:
        module: is exported in the block.
        tensors: its inputs.
        name: of the file that is written.

    Raises:
        ExportError: the block failed; names the innermost of the module's parts that had not returned, or the part with
            the operator that ONNX lacks.
    """
    running: list[str] = []

    def enter(path: str, part: nn.Module) -> Any:  # noqa: ANN401
        return part.register_forward_pre_hook(lambda *_: running.append(f"{path} ({type(part).__name__})"))

    hooks = [enter(path, part) for path, part in module.named_modules()]
    hooks += [part.register_forward_hook(lambda *_: running.pop() and None) for part in module.modules()]
    try:
        with _silent():
            yield
    except DirdetError:
        raise
    except Exception as exc:
        reason = next((line.strip() for line in str(exc).splitlines() if line.strip()), "no reason given")
        place = running[-1] if running else _place_of(reason, module, tensors)
        kind = f"{type(exc).__name__} in {place}" if place else type(exc).__name__
        raise ExportError(f"{name} cannot be written: {kind}: {reason}") from exc
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _silent() -> Generator[None]:
    """Leaves standard output empty, where the exporter's C++ code writes the whole graph before it raises an error."""
    sys.stdout.flush()
    own, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        yield
    finally:
        os.dup2(own, 1)
        os.close(own)
        os.close(null)


def _place_of(reason: str, module: nn.Module, tensors: list[Tensor]) -> str:
    """The path of the first part with the operator that an error names; empty if there is none."""
    operator = re.search(r"'(\w+::\w+)'", reason)
    if operator is None:
        return ""
    with suppress(Exception), expected_warnings(), torch.no_grad():
        traced: Any = torch.jit.trace(module, tuple(tensors), check_trace=False)
        for node in traced.inlined_graph.nodes():
            if node.kind() == operator[1]:
                return node.scopeName().rpartition("/")[2].removeprefix("__module.")
    return ""
