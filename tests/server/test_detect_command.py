"""`dirdet detect`, on the detector of rectangles."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from dirdet.commands.detect import command
from dirdet.detector import Detector
from dirdet.errors import DirdetError, ParameterError
from dirdet.schemas import DetectAnswer

Run = Callable[..., Result]


@pytest.fixture
def run(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command; errors that users see come out as they were raised."""

    def open_instead(_: Path | None = None) -> Detector:
        return detector

    monkeypatch.setattr(Detector, "open", open_instead)

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(command, [str(argument) for argument in arguments])
        if isinstance(result.exception, DirdetError):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def picture(tmp_path: Path, rectangles: Callable[..., Image.Image]) -> Path:
    path = tmp_path / "scene.png"
    rectangles(red=(100, 60, 300, 200), blue=(400, 100, 600, 300)).save(path)
    return path


def test_a_table(run: Run, picture: Path) -> None:
    result = run(picture)
    assert result.exit_code == 0
    title, heading, first, second = result.stdout.strip().splitlines()
    assert title == f"{picture}  640 x 480, 2 detections"
    assert heading.split()[:6] == ["label", "confidence", "score", "iou", "purity", "integrity"]
    assert first.split()[:6] == ["blue", "0.776", "0.700", "0.859", "0.950", "0.900"]
    assert second.split()[0] == "red"


def test_json_is_what_the_server_answers(run: Run, picture: Path) -> None:
    result = run(picture, picture, "--json", "--max-detections", 1)
    answer = json.loads(result.stdout)
    DetectAnswer.model_validate(answer)
    assert [len(image["detections"]) for image in answer["images"]] == [1, 1]


def test_options_reach_the_detector(run: Run, picture: Path) -> None:
    found = json.loads(run(picture, "--json", "--classes", "red,green", "--iou-weight", 0).stdout)["images"][0]
    assert [each["label"] for each in found["detections"]] == ["red"]
    assert found["detections"][0]["confidence"] == found["detections"][0]["score"]


@pytest.mark.parametrize("as_json", [False, True])
def test_bad_files_are_named_and_the_others_done(run: Run, picture: Path, tmp_path: Path, as_json: bool) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    result = run(tmp_path / "missing.png", text, tmp_path, picture, *(["--json"] if as_json else []))
    assert result.exit_code == 1
    missing, no_picture, folder = result.stderr.splitlines()
    assert missing == f"dirdet: {tmp_path / 'missing.png'}: cannot be read: No such file or directory"
    assert no_picture.startswith(f"dirdet: {text}: expected a JPEG")
    assert folder == f"dirdet: {tmp_path}: cannot be read: Is a directory"
    if as_json:
        images = json.loads(result.stdout)["images"]
        assert [image.get("error", {}).get("status") for image in images] == [415, 415, 415, None]
    else:
        assert "2 detections" in result.stdout


def test_drawing_one_picture(run: Run, picture: Path, tmp_path: Path) -> None:
    assert run(picture, "--draw", tmp_path / "out.jpg").exit_code == 0
    with Image.open(tmp_path / "out.jpg") as drawn:
        assert (drawn.format, drawn.size) == ("JPEG", (640, 480))


def test_drawing_several_into_a_folder(run: Run, picture: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    other.write_bytes(picture.read_bytes())
    folder = tmp_path / "drawn"
    folder.mkdir()
    assert run(picture, other, "--draw", folder).exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["other_detected.png", "scene_detected.png"]


@pytest.mark.parametrize(
    ("target", "pictures", "expected"),
    [
        ("out.gif", 1, r"ends in \.png"),
        ("nowhere/out.png", 1, "no folder"),
        ("out.png", 2, "existing folder for 2"),
        ("scene.png", 1, "the picture itself"),
        (".", 2, "into one file"),
    ],
)
def test_a_drawing_that_cannot_be(
    target: str, pictures: int, expected: str, run: Run, picture: Path, tmp_path: Path
) -> None:
    other = tmp_path / "more" / picture.name
    other.parent.mkdir()
    other.write_bytes(picture.read_bytes())
    with pytest.raises(ParameterError, match=expected):
        run(*[picture, other][:pictures], "--draw", tmp_path / target)


@pytest.mark.parametrize(
    ("option", "value"), [("score_threshold", 2), ("min_iou", -1), ("iou_weight", 1.5), ("max_detections", 0)]
)
def test_a_bad_option_is_named(option: str, value: float, run: Run, picture: Path) -> None:
    with pytest.raises(ParameterError, match=option):
        run(picture, f"--{option.replace('_', '-')}", value)


def test_no_picture(run: Run) -> None:
    assert run().exit_code == 2
