"""Where a tritonserver comes from: a wheel that carries its binary, in a virtual environment kept between runs.

The wheel is for tests only: its server is old.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

# pytriton wants the old numpy, and so does the Python backend that it carries.
REQUIREMENTS = ("nvidia-pytriton==0.7.0", "numpy<2", "onnxruntime>=1.22")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class TritonEnvironment:
    """An installed tritonserver.

    Attributes:
        site: site-packages with the wheel, numpy and ONNX Runtime.
        backends: the folder of backends, with the Python backend for this Python.
    """

    site: Path
    backends: Path

    @property
    def server(self) -> Path:
        return self.site / "pytriton" / "tritonserver" / "bin" / "tritonserver"

    @property
    def libraries(self) -> str:
        """For LD_LIBRARY_PATH: the wheel's, and this Python's own."""
        return os.pathsep.join([str(self.site / "nvidia_pytriton.libs"), str(sysconfig.get_config_var("LIBDIR"))])


def install() -> TritonEnvironment:
    """Installs on first use, below DIRDET_TEST_CACHE or ~/.cache/dirdet."""
    if not sys.platform.startswith("linux"):
        pytest.skip("tritonserver is for Linux")
    cache = Path(os.environ.get("DIRDET_TEST_CACHE") or Path.home() / ".cache" / "dirdet")
    version = hashlib.sha256(f"{sys.base_prefix} {REQUIREMENTS}".encode()).hexdigest()[:12]
    folder = cache / f"triton-{PYTHON}-{version}"
    site = folder / "lib" / f"python{PYTHON}" / "site-packages"
    ready = folder / ".ready"
    if not ready.exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *REQUIREMENTS], check=True)
        shipped = site / "pytriton" / "tritonserver"
        stub = shipped / "python_backend_stubs" / PYTHON / "triton_python_backend_stub"
        if not stub.exists():
            pytest.skip(f"the wheel has no Python backend for Python {PYTHON}")
        backend = folder / "backends" / "python"
        shutil.copytree(shipped / "backends" / "python", backend)
        shutil.copy(stub, backend)
        ready.touch()
    return TritonEnvironment(site, folder / "backends")


def make_python(folder: Path, sites: list[Path]) -> Path:
    """A Python for the Python backend's models, and the folder to put first in PATH.

    The backend takes the environment of the first python3 in PATH and ignores PYTHONPATH. What this one imports comes
    from the folders named, the first counting most.
    """
    venv.create(folder, with_pip=False)
    own = folder / "lib" / f"python{PYTHON}" / "site-packages"
    (own / "sites.pth").write_text("".join(f"{site}\n" for site in sites))
    return folder / "bin"


def site_of(package: str) -> Path:
    """The folder that a package is installed in; an environment can be made of several."""
    spec = find_spec(package)
    assert spec is not None, f"{package} is not installed"
    assert spec.origin is not None
    return Path(spec.origin).parents[1]
