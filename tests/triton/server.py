"""A real tritonserver on a free loopback port."""

import contextlib
import importlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from .environment import TritonEnvironment

triton: Any = importlib.import_module("tritonclient.grpc")
SERVE_DETECTORS = Path(__file__).resolve().parents[2] / "docker" / "triton" / "serve-detectors"
START_S = 300
# Triton's one warning of a CUDA memory pool that is full; the host's own, pinned, is told of otherwise.
FALLS_BACK = "falling back to pinned system memory"
STOP_S = 60


class TritonServer:
    """Serves a model repository; can be killed and started again at the same address."""

    def __init__(
        self,
        environment: TritonEnvironment,
        repository: Path,
        *,
        python: Path,
        log: Path,
        models: Sequence[str] = (),
        key_file: Path | None = None,
    ) -> None:
        """Does not start yet.

        Args:
            environment: where the binary is.
            repository: what it serves.
            python: the folder of the Python that the Python backend takes.
            log: takes the server's output.
            models: what it loads; everything unless told.
            key_file: has the key that it asks for: then serve-detectors starts it, with HTTP and metrics.
        """
        self._environment = environment
        self._repository = repository
        self._python = python
        self._log = log
        self._models = models
        self._key_file = key_file
        self._process: subprocess.Popen[bytes] | None = None
        self._memory = f"dirdet_test_{os.getpid()}_{id(self)}"
        self.address, self.http_address, self.metrics_address = free_addresses(3)

    def start(self) -> None:
        """Returns once every model is ready."""
        self.launch()
        deadline = time.monotonic() + START_S
        while not self.is_ready():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"tritonserver did not start:\n{self.output()}")
            time.sleep(0.1)

    def launch(self) -> None:
        """Starts the process and does not wait."""
        command = [
            f"--backend-directory={self._environment.backends}",
            f"--backend-config=python,shm-region-prefix-name={self._memory}",
            *self._listening(),
        ]
        variables = {
            "PATH": os.pathsep.join([str(self._python), str(self._environment.server.parent), os.environ["PATH"]]),
            "LD_LIBRARY_PATH": self._environment.libraries,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if self._key_file is not None:
            variables |= {"MODEL_REPOSITORY": str(self._repository), "TRITON_KEY_FILE": str(self._key_file)}
            variables |= {"GRPC_NAME": "localhost"}
            command.insert(0, str(SERVE_DETECTORS))
        else:
            command[:0] = [str(self._environment.server), f"--model-repository={self._repository}"]
            command += ["--model-control-mode=explicit"] if self._models else []
            command += [f"--load-model={name}" for name in self._models]
        environment = os.environ | variables
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def _listening(self) -> list[str]:
        port = f"--grpc-port={port_of(self.address)}"
        if self._key_file is None:
            return [port, "--grpc-address=127.0.0.1", "--allow-http=false", "--allow-metrics=false"]
        metrics = f"--metrics-port={port_of(self.metrics_address)}"
        return [port, f"--http-port={port_of(self.http_address)}", metrics, "--metrics-address=127.0.0.1"]

    def is_ready(self) -> bool:
        with contextlib.closing(triton.InferenceServerClient(self.address)) as client:
            try:
                return bool(client.is_server_ready(client_timeout=30))
            except triton.InferenceServerException:
                return False

    def wait(self) -> int:
        """Waits until a server that cannot start ends; its exit status."""
        assert self._process is not None
        return self._process.wait(timeout=START_S)

    def kill(self) -> None:
        """As a crash: no goodbye."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        for left in Path("/dev/shm").glob(f"{self._memory}*"):
            left.unlink()

    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def regions(self) -> list[str]:
        """Names of the shared memory that it holds for gateways."""
        with contextlib.closing(triton.InferenceServerClient(self.address)) as client:
            return sorted(client.get_system_shared_memory_status().regions)

    def batches(self, model: str) -> dict[int, int]:
        """How many inferences a model has done of each size of batch."""
        with contextlib.closing(triton.InferenceServerClient(self.address)) as client:
            answer: Any = client.get_inference_statistics(model)
        [found] = answer.model_stats
        return {entry.batch_size: entry.compute_infer.count for entry in found.batch_stats}


def free_addresses(number: int) -> list[str]:
    """Different ports of this machine's loopback that nobody uses."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]


def port_of(address: str) -> str:
    return address.rpartition(":")[2]


@contextlib.contextmanager
def running(server: TritonServer) -> Generator[TritonServer]:
    """Started, and stopped at the end."""
    try:
        server.start()
        yield server
    finally:
        server.stop()
    if FALLS_BACK in server.output():
        raise AssertionError(f"tensors went through the host's memory, the CUDA pool was too small:\n{server.output()}")


def regions_of(gateway: int) -> list[str]:
    """Names of the shared memory that a gateway, by its process's number, has made."""
    return sorted(path.name for path in Path("/dev/shm").glob(f"dirdet_{gateway}-*_*"))
