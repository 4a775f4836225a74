"""The README's snippets, run as they stand."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageDraw
from waiting import PATIENCE_S, until

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def snippets(language, text=README):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("readme")
    picture = Image.new("RGB", (640, 480), "#99bbdd")
    ImageDraw.Draw(picture).ellipse((200, 120, 440, 360), fill="#cc4422")
    picture.save(path / "photo.jpg")
    (path / "docs").symlink_to(ROOT / "docs")
    return path


@pytest.fixture(scope="module")
def port(folder):
    """A running `dirdet serve`, as `make serve` starts it; stopped as Ctrl-C would."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    command = [sys.executable, "-m", "dirdet", "serve"]
    server = subprocess.Popen(command, cwd=folder, env={**os.environ, "PORT": str(number)})
    try:
        until(lambda: ready(number) or server.poll() is not None, every_s=0.2)
        yield number
    finally:
        server.terminate()
        server.wait(timeout=PATIENCE_S)


def ready(number):
    try:
        return httpx.get(f"http://127.0.0.1:{number}/health/ready", timeout=PATIENCE_S).status_code == 200
    except httpx.TransportError:
        return False


def run(command, folder):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=PATIENCE_S
    )


def test_the_curl_lines_answer(folder, port):
    [script] = [text for text in snippets("bash") if "curl" in text]
    lines = script.replace("localhost:8000", f"127.0.0.1:{port}").replace("curl ", "curl -sS --fail-with-body ")
    answer = run(["bash", "-euc", lines], folder)
    assert answer.returncode == 0, answer.stderr + answer.stdout
    assert answer.stdout.count('"images"') == 2
    with Image.open(folder / "drawn.png") as drawn:
        assert drawn.size == (640, 480)


def test_the_python_snippet_prints_detections(folder, port):
    [script] = [text for text in snippets("python") if "Client(" in text]
    answer = run([sys.executable, "-c", script.replace("localhost:8000", f"127.0.0.1:{port}")], folder)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("name", ["client.md", "open-inference.md"])
def test_the_documents_python_runs(name, folder, port):
    scripts = snippets("python", (ROOT / "docs" / name).read_text(encoding="utf-8"))
    assert scripts
    for script in scripts:
        script = script.replace("localhost:8000", f"127.0.0.1:{port}")
        answer = run([sys.executable, "-W", "error", "-c", script], folder)
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout or "write_text" in script
        assert name == "client.md" or "[]" not in answer.stdout, "nothing is found on docs/example.jpg"


def test_the_command_line_detects(folder):
    [script] = [text for text in snippets("bash") if "dirdet detect" in text]
    (folder / "drawn.png").unlink(missing_ok=True)
    answer = run(["bash", "-euc", script], folder)
    assert answer.returncode == 0, answer.stderr
    assert "confidence" in answer.stdout
    assert (folder / "drawn.png").is_file()


def test_the_core_stands_alone(folder):
    [script] = [text for text in snippets("python") if "dir_losses" in text]
    check = "\nimport sys\nassert not {'mmdet', 'mmcv', 'mmengine'} & set(sys.modules)\n"
    answer = run([sys.executable, "-c", script + check], folder)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("DIRLosses(")


def test_the_three_lines_make_a_config_that_builds(folder):
    from dirdet_training.mm.configs import build_model, read_config

    [text] = [text for text in snippets("python") if "_base_" in text]
    path = folder / "mine.py"
    path.write_text(text)
    assert hasattr(build_model(read_config(path)).roi_head, "dir_head")


def test_every_file_that_is_linked_exists():
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_every_field_that_the_answer_shows_is_explained():
    [answer] = snippets("json")
    for field in ("score", "purity", "integrity", "iou", "confidence", "box"):
        assert f'"{field}"' in answer
        assert f"`{field}`" in README
