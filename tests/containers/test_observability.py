"""What the dashboard shows is there, of the services as they run."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from waiting import PATIENCE_S

from .engine import ROOT
from .stack import Stack, eventually, free_port

OBSERVABILITY = ROOT / "docker" / "observability"
PHOTO = ROOT / "docs" / "example.jpg"
FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=60).read().decode())"
SCRAPE_S = 180


def queries() -> list[str]:
    dashboard = json.loads((OBSERVABILITY / "dashboards" / "dirdet.json").read_text(encoding="utf-8"))
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]


def test_triton_has_the_metrics_that_are_shown(stack: Stack) -> None:
    told = stack.inside("gateway", "python", "-c", FETCH, "http://triton:8002/metrics").stdout
    shown = {name for query in queries() for name in re.findall(r"\bnv_\w+", query)}
    without_gpu = {name for name in shown if not name.startswith("nv_gpu_")}
    assert without_gpu
    assert without_gpu <= set(re.findall(r"^(nv_\w+)", told, re.MULTILINE))


def test_prometheus_answers_what_the_dashboard_asks(stack: Stack, tmp_path: Path) -> None:
    """Debian's Prometheus, with the very configuration but for the services' names, which only containers know."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed; Debian's package of that name brings it")
    configuration = (OBSERVABILITY / "prometheus.yml").read_text(encoding="utf-8")
    for service in ("gateway", "triton"):
        configuration = configuration.replace(f'"{service}:', f'"{stack.address(service, "internal")}:')
    (tmp_path / "prometheus.yml").write_text(configuration.replace("scrape_interval: 5s", "scrape_interval: 1s"))
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", f"--web.listen-address={address}"]
    command.append(f"--storage.tsdb.path={tmp_path / 'data'}")
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:

            def ask(query: str) -> Any:
                expression = query.replace("$__rate_interval", "30s")
                answer = httpx.get(f"http://{address}/api/v1/query", params={"query": expression}, timeout=PATIENCE_S)
                assert answer.status_code == 200, f"{expression}: {answer.text}"
                return answer.json()["data"]["result"]

            def counts() -> bool:
                httpx.post(f"{stack.url}/detect", files={"image": PHOTO.read_bytes()}, timeout=PATIENCE_S)
                try:
                    found = ask("sum(rate(nv_inference_count[30s])) > 0")
                except httpx.TransportError:
                    return False
                return bool(found)

            assert eventually(counts, timeout_s=SCRAPE_S), (tmp_path / "log").read_text()
            for query in queries():
                found = ask(query)
                assert found or not query.count("nv_") or "nv_gpu_" in query, query
        finally:
            process.terminate()
