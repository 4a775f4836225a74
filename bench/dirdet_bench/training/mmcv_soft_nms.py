"""mmcv's Soft-NMS in C++, compiled from the sources in its package where it was installed without operators."""

import hashlib
import os
import shutil
import subprocess
import sysconfig
from importlib.metadata import version
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import torch

from dirdet.errors import MissingExtraError
from dirdet_bench.harness.environments import cache_folder
from dirdet_training.mm import ops

MODULE = "mmcv_soft_nms"
SOURCES = ("pytorch/nms.cpp", "pytorch/cpu/nms.cpp")
BINDING = """
#include <torch/extension.h>

at::Tensor softnms(at::Tensor boxes, at::Tensor scores, at::Tensor dets, float iou_threshold, float sigma,
                   float min_score, int method, int offset);

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  module.def("softnms", &softnms, py::arg("boxes"), py::arg("scores"), py::arg("dets"), py::arg("iou_threshold"),
             py::arg("sigma"), py::arg("min_score"), py::arg("method"), py::arg("offset"));
}
"""
# As setuptools compiles an extension of torch, without options for one machine's processor, as in wheels.
FLAGS = ("-O3", "-DNDEBUG", "-std=c++20", "-shared", "-fPIC", f"-DTORCH_EXTENSION_NAME={MODULE}")


def mmcv_batched_nms() -> Any:  # noqa: ANN401 - mmcv has no types
    """`mmcv.ops.batched_nms`, what MMDetection calls, with an operator for `type="soft_nms"`.

    Raises:
        MissingExtraError: mmcv was installed without its operators, and this one cannot be compiled.
    """
    ops.install()
    import mmcv.ops

    if ops.lacks("softnms"):
        ops.provide("softnms", _built().softnms)
    return mmcv.ops.batched_nms


def library() -> Path:
    """Where the compiled operator is kept: below DIRDET_CACHE or ~/.cache/dirdet."""
    told = f"{version('onedl-mmcv')} {torch.__version__} {sysconfig.get_platform()} {FLAGS} {BINDING}"
    return cache_folder() / f"{MODULE}-{hashlib.sha256(told.encode()).hexdigest()[:12]}" / f"{MODULE}.so"


def _built() -> Any:  # noqa: ANN401
    """The module, compiled on first use."""
    path = library()
    if not path.is_file():
        _compile(path)
    spec = spec_from_file_location(MODULE, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no module")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _compile(path: Path) -> None:
    # Prints a line about CUDA when it is imported.
    from torch.utils import cpp_extension

    compiler = shutil.which(os.environ.get("CXX", "c++"))
    mmcv = find_spec("mmcv")
    if compiler is None or mmcv is None or mmcv.origin is None:
        raise MissingExtraError("mmcv's Soft-NMS has to be compiled, and there is no C++ compiler: apt-get install g++")
    sources = Path(mmcv.origin).parent / "ops" / "csrc"
    path.parent.mkdir(parents=True, exist_ok=True)
    binding = path.with_suffix(".cpp")
    binding.write_text(BINDING)
    includes = [*cpp_extension.include_paths(), str(sources / "common"), sysconfig.get_paths()["include"]]
    part = path.with_suffix(f".{os.getpid()}")
    command = [compiler, *FLAGS, *(f"-I{each}" for each in includes), str(binding)]
    command += [str(sources / each) for each in SOURCES] + ["-o", str(part)]
    command += [f"-L{each}" for each in cpp_extension.library_paths()]
    command += ["-ltorch", "-ltorch_cpu", "-ltorch_python", "-lc10"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        last = ran.stderr.strip().splitlines()[-1:]
        raise MissingExtraError(f"mmcv's Soft-NMS cannot be compiled to compare with: {' '.join(last)}")
    part.replace(path)
