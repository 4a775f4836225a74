"""Load on a server of this machine by wrk, whose own processor time is measured."""

import json
import re
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from dirdet.errors import EngineError, MissingExtraError

PATH = "/detect"
BOUNDARY = "dirdet-bench"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
# wrk's script: sends one body after another from memory, and prints the figures as a line of JSON.
SCRIPT = """
local bodies = {{}}
for index, path in ipairs({{ {paths} }}) do
  local file = io.open(path, "rb")
  bodies[index] = file:read("*a")
  file:close()
end
local next_body = 0
request = function()
  next_body = next_body % #bodies + 1
  return wrk.format("POST", "{path}", {{ ["Content-Type"] = "{kind}" }},
    bodies[next_body])
end
done = function(summary, latency, requests)
  local errors = summary.errors
  local form = '\\nFIGURES {{"requests": %d, "seconds": %f, "refused": %d, "broken": %d, "p50_s": %f, "p99_s": %f}}\\n'
  io.write(form:format(summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
"""


@dataclass(frozen=True)
class Load:
    """A server's answers with 200 under load, percentiles of their seconds, and wrk's own processor time."""

    requests: int
    seconds: float
    p50_s: float
    p99_s: float
    generator_cpu_s: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def bodies(pictures: Sequence[Path], folder: Path) -> list[Path]:
    """Files with the body of a form for each picture."""
    made: list[Path] = []
    for number, picture in enumerate(pictures):
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="{number}.jpg"\r\n'
        body = f"{head}Content-Type: image/jpeg\r\n\r\n".encode() + picture.read_bytes()
        made.append(folder / f"body{number}")
        made[-1].write_bytes(body + f"\r\n--{BOUNDARY}--\r\n".encode())
    return made


def answers(port: int, body: Path) -> bool:
    """Whether the server answers a form with 200; its port may be open long before."""
    try:
        answer = httpx.post(
            f"http://127.0.0.1:{port}{PATH}", content=body.read_bytes(), headers={"Content-Type": CONTENT_TYPE}
        )
    except httpx.HTTPError:
        return False
    return answer.status_code == 200


def load(port: int, bodies: Sequence[Path], *, callers: int, seconds: float, folder: Path) -> Load:
    """Sends forms over `callers` connections, on each the next one after the answer.

    Raises:
        MissingExtraError: wrk is not installed.
        EngineError: the server refused requests or broke connections.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise MissingExtraError("the load comes from wrk, which is not installed: apt-get install wrk")
    script = folder / "load.lua"
    quoted = ", ".join(json.dumps(str(body)) for body in bodies)
    script.write_text(SCRIPT.format(paths=quoted, path=PATH, kind=CONTENT_TYPE), encoding="utf-8")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [wrk, "--threads", "1", "--connections", str(callers), "--duration", f"{max(1, round(seconds))}s"]
    command += ["--timeout", "30s", "--script", str(script), f"http://127.0.0.1:{port}"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = re.search(r"^FIGURES (.+)$", ran.stdout, re.MULTILINE)
    if ran.returncode or found is None:
        raise EngineError(f"wrk failed: {(ran.stderr or ran.stdout).strip().splitlines()[-1:]}")
    figures = json.loads(found[1])
    if figures["refused"] or figures["broken"] or not figures["requests"]:
        raise EngineError(
            f"of {figures['requests']} requests {figures['refused']} were refused and {figures['broken']} broken"
        )
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Load(figures["requests"], figures["seconds"], figures["p50_s"], figures["p99_s"], cpu_s)
