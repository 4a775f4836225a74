"""`dirdet serve --triton`, as somebody types it."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from .server import TritonServer

ROOT = Path(__file__).resolve().parents[2]


def test_the_command_serves_by_triton(server: TritonServer) -> None:
    command = [sys.executable, "-c", "from dirdet.cli import main; main()", "serve", "--port", "0"]
    command += ["--triton", server.address, "--triton-shared-memory", "--timeout-s", "60"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            log = ""
            while not log.endswith("INFO ready\n"):
                line = process.stderr.readline()
                assert line, log
                log += line
            found = re.search(r"listening on (http://\S+)", log)
            assert found is not None
            assert f"engine: Triton at {server.address}, ready" in log
            with httpx.Client(base_url=found[1], timeout=60) as client:
                assert client.get("/health/ready").status_code == 200
                assert client.get("/detector").json()["engine"] == "Triton, scenes_detector"
                picture = (ROOT / "docs" / "example.jpg").read_bytes()
                answer = client.post("/detect", content=picture, headers={"content-type": "image/jpeg"})
                assert answer.json()["images"][0]["detections"]
        finally:
            process.send_signal(signal.SIGINT)
            rest = process.communicate(timeout=60)[1]
    assert process.returncode == 0, rest
    assert "Traceback" not in log + rest
