"""The site of docs/ builds without a warning and without the internet, and shows all of the Python API."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import dirdet.client
import dirdet.convert
import dirdet_training.nms
from reference import ROOT
from site_links import on_page_markdown


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    # No proxy answers: whatever asks the internet fails.
    environment = {**os.environ, "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_page_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for path in pages:
        loaded = re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"?(https?:[^\s\">]+)", path.read_text("utf-8"))
        assert not loaded, path


def test_all_of_the_python_api_is_shown(site: Path) -> None:
    text = (site / "reference" / "python.html").read_text(encoding="utf-8")
    shown = {name.rpartition(".")[2] for name in re.findall(r'id="(dirdet[\w.]+)"', text)}
    for module in (dirdet.client, dirdet.convert, dirdet_training.nms):
        assert set(module.__all__) <= shown, module.__name__


def test_a_link_out_of_the_pages_becomes_the_files_name() -> None:
    page = SimpleNamespace(file=SimpleNamespace(src_uri="study/a.md"))
    text = "[b](../b.md) [keys](../../SECURITY.md#keys) [`docker/`](../../docker/README.md) ![p](../../p.png)"
    assert on_page_markdown(text, page=page) == (
        "[b](../b.md) keys (`SECURITY.md`) `docker/README.md` ![p](../../p.png)"
    )
