"""The wheel, in an environment that has nothing else of this repository, detects."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[2]
WHEEL_LIMIT_BYTES = 50_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(out), str(ROOT)]
    subprocess.run(build, check=True)
    [path] = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder of commands of a clean environment with the wheel and what `dirdet[cpu]` needs."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements" / "cpu.txt")], check=True)
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
    return folder / "bin"


def run(*command, cwd):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run([str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True)


def test_a_picture_is_detected_on(installed, tmp_path):
    picture = Image.new("RGB", (400, 300), "#88aacc")
    ImageDraw.Draw(picture).ellipse((120, 80, 280, 240), fill="#cc2211")
    picture.save(tmp_path / "photo.jpg")
    answer = run(installed / "dirdet", "detect", "photo.jpg", "--json", "--score-threshold", 0, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    [image] = json.loads(answer.stdout)["images"]
    assert (image["name"], image["width"], image["height"]) == ("photo.jpg", 400, 300)
    assert image["detections"], "with no threshold something is always found"
    for found in image["detections"]:
        assert 0 <= found["box"][0] <= found["box"][2] <= 400
        assert 0 < found["iou"] <= 1


def test_what_needs_torch_says_what_to_install(installed, tmp_path):
    answer = run(installed / "dirdet", "train", "faster_rcnn_dir_lite0_scenes", cwd=tmp_path)
    assert answer.returncode == 1
    assert "pip install '.[train]' in a clone" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_all_commands_are_listed_without_loading_any(installed, tmp_path):
    answer = run(installed / "dirdet", "--help", cwd=tmp_path)
    assert answer.returncode == 0
    for name in ("serve", "detect", "scenes", "train", "evaluate", "export"):
        assert name in answer.stdout


def test_the_shipped_bundles_are_small_and_say_what_they_are(wheel):
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist() if "/detectors/" in info.filename}
        names = {Path(name).name for name in sizes}
    assert {"bundle.json", "detector.onnx", "trunk.onnx", "roi_stage.safetensors", "README.md"} <= names
    assert {Path(name).parent.name for name in sizes} == {"scenes", "cells"}
    assert wheel.stat().st_size <= WHEEL_LIMIT_BYTES


def test_configs_travel_with_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        assert "dirdet_training/configs/faster_rcnn_dir_r50_fpn_1x_coco.py" in archive.namelist()


def test_the_page_travels_with_the_wheel(wheel):
    page = ROOT / "server" / "dirdet" / "gateway" / "page"
    files = {str(path.relative_to(ROOT / "server")) for path in page.rglob("*") if path.is_file()}
    with zipfile.ZipFile(wheel) as archive:
        assert files <= set(archive.namelist())
    assert "dirdet/gateway/page/index.html" in files
