"""The snippets of the README and of pages in docs/, run as they stand."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import click
import httpx
import pytest
from PIL import Image, ImageDraw
from waiting import PATIENCE_S, until

from dirdet.api.schemas import DetectionOut
from dirdet.detector.options import DetectOptions

ROOT = Path(__file__).resolve().parents[2]


def page(name):
    return (ROOT / name).read_text(encoding="utf-8")


def snippets(language, name="README.md"):
    text = page(name)
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("readme")
    picture = Image.new("RGB", (640, 480), "#99bbdd")
    ImageDraw.Draw(picture).ellipse((200, 120, 440, 360), fill="#cc4422")
    picture.save(path / "photo.jpg")
    (path / "photos").mkdir()
    picture.save(path / "photos" / "photo.jpg")
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


@pytest.mark.parametrize("name", ["README.md", "docs/api.md", "docs/tutorials/serve.md"])
def test_the_curl_lines_answer(folder, port, name):
    [script] = [text for text in snippets("bash", name) if "curl" in text]
    lines = script.replace("localhost:8000", f"127.0.0.1:{port}").replace("curl ", "curl -sS --fail-with-body ")
    answer = run(["bash", "-euc", lines], folder)
    assert answer.returncode == 0, answer.stderr + answer.stdout
    assert answer.stdout.count('"images"') == 2
    if "drawn.png" not in script:
        return
    with Image.open(folder / "drawn.png") as drawn:
        assert drawn.size == (640, 480)


@pytest.mark.parametrize("name", ["README.md", "docs/tutorials/serve.md"])
def test_the_python_snippet_prints_detections(folder, port, name):
    [script] = [text for text in snippets("python", name) if "Client(" in text]
    answer = run([sys.executable, "-c", script.replace("localhost:8000", f"127.0.0.1:{port}")], folder)
    assert answer.returncode == 0, answer.stderr


def test_the_clients_document_runs(folder, port):
    scripts = snippets("python", "docs/client.md")
    assert scripts
    for script in scripts:
        script = script.replace("localhost:8000", f"127.0.0.1:{port}")
        answer = run([sys.executable, "-W", "error", "-c", script], folder)
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout or "write_text" in script


def test_the_command_line_detects(folder):
    [script] = snippets("bash", "docs/command-line.md")
    (folder / "drawn.png").unlink(missing_ok=True)
    answer = run(["bash", "-euc", script], folder)
    assert answer.returncode == 0, answer.stderr
    assert "confidence" in answer.stdout
    assert (folder / "drawn.png").is_file()


def test_the_folder_is_detected_in(folder):
    [script] = [text for text in snippets("bash") if "dirdet batch" in text]
    answer = run(["bash", "-euc", script], folder)
    assert answer.returncode == 0, answer.stderr
    assert "in 1 picture" in answer.stdout
    for name in ("kept.parquet", "review.parquet", "report.html", "coco/labels.json"):
        assert (folder / "reviewed" / name).is_file(), name


def test_the_tutorial_on_a_folder_runs_from_step_to_step(folder, tmp_path):
    (tmp_path / "photos").symlink_to(folder / "photos")
    scripts = snippets("bash", "docs/tutorials/folder.md")
    assert len(scripts) == 3
    for script in scripts:
        answer = run(["bash", "-euc", script], tmp_path)
        assert answer.returncode == 0, answer.stderr
    for name in ("report.html", "kept.parquet", "review.parquet", "coco/labels.json", "label-studio/tasks-0001.json"):
        assert (tmp_path / "found" / name).is_file(), name


def test_the_tutorials_commands_take_the_options_that_they_name():
    from dirdet.cli import cli

    for script in snippets("console", "docs/tutorials/retrofit.md"):
        for line in re.findall(r"^\$ dirdet (.+)$", script, re.MULTILINE):
            name, *words = shlex.split(line.partition(" > ")[0])
            command = cli.get_command(click.Context(cli), name)
            assert command is not None, line
            known = {option for each in command.params for option in each.opts}
            assert {word for word in words if word.startswith("--")} <= known, line


def test_the_core_stands_alone(folder):
    [script] = snippets("python", "docs/training.md")
    check = "\nimport sys\nassert not {'mmdet', 'mmcv', 'mmengine'} & set(sys.modules)\n"
    answer = run([sys.executable, "-c", script + check], folder)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("DIRLosses(")


def test_the_three_lines_make_a_config_that_builds(folder):
    from dirdet_training.mm.configs import build_model, read_config

    [text, ranking] = snippets("python", "docs/own-detector.md")
    path, ranked = folder / "mine.py", folder / "ranked.py"
    path.write_text(text)
    ranked.write_text(f"_base_ = ['mine.py']\n{ranking}")
    for each in (path, ranked):
        assert hasattr(build_model(read_config(each)).roi_head, "dir_head")
    assert read_config(ranked).model.test_cfg.rcnn.cluster_by == "score"


def test_every_field_of_a_detection_is_shown_and_explained():
    text = page("docs/api.md")
    [answer] = snippets("json", "docs/api.md")
    [found] = json.loads(answer)["images"][0]["detections"]
    assert set(found) == set(DetectionOut.model_fields)
    for field in found:
        assert f"`{field}`" in text, field


def test_every_parameter_is_explained():
    text = page("docs/api.md")
    for field in DetectOptions.model_fields:
        assert f"| `{field}` |" in text, field


def test_the_readmes_figures_are_those_of_the_results(tmp_path):
    """The table is what the script writes from the measurements, and its means are those of docs/results/."""
    shutil.copytree(ROOT / "docs" / "results", tmp_path / "docs" / "results")
    text = page("README.md")
    (tmp_path / "README.md").write_text(re.sub(r"\n\| trainings.*", "\n| ? |", text), encoding="utf-8")
    subprocess.run([sys.executable, tmp_path / "docs" / "results" / "readme_table.py"], check=True)
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == text
    ranked = re.search(r"\| AP, ranked by the score ((?:\| [\d.]+ )+)\|", text)
    assert ranked is not None
    for mean in re.findall(r"[\d.]+", ranked[1]):
        assert f"| score | {mean} (" in page("docs/results/real_pictures.md")
