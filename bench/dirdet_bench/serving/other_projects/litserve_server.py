"""LitServe: batches, a worker for every core, its fast queue.

https://lightning.ai/docs/litserve/features/batching, .../api-reference/litserver
"""

# The other project is not in this environment.
# pyright: basic, reportMissingImports=false
# ruff: noqa: ANN401

import os
from typing import Any

import litserve
import numpy as np
import picture_work
from starlette.datastructures import UploadFile
from starlette.requests import Request


class Detect(litserve.LitAPI):
    """Decodes in the workers, as LitServe's examples of pictures do."""

    def setup(self, device: str) -> None:
        """Nothing to load."""

    def decode_request(self, request: Request) -> Any:
        file = request["image"]
        assert isinstance(file, UploadFile)
        return picture_work.place(file.file)

    def batch(self, inputs: Any) -> Any:
        return np.stack([canvas for canvas, _ in inputs]), [size for _, size in inputs]

    def predict(self, batch: Any) -> Any:
        canvases, sizes = batch
        return list(zip(sizes, picture_work.infer(canvases), strict=True))

    def unbatch(self, output: Any) -> Any:
        return output

    def encode_response(self, output: Any) -> Any:
        return picture_work.answer(*output)


if __name__ == "__main__":
    api = Detect(max_batch_size=8, batch_timeout=0.002, api_path="/detect")
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=int(os.environ["BENCH_CORES"]), fast_queue=True, timeout=60
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        num_api_servers=int(os.environ["BENCH_API_SERVERS"]),
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
