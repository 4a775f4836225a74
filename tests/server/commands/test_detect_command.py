"""`dirdet detect`, on the detector of rectangles."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from dirdet.api.schemas import DetectAnswer
from dirdet.commands.detect import command
from dirdet.detector.detector import Detector
from dirdet.errors import DirdetError, ParameterError

Run = Callable[..., Result]


@pytest.fixture
def run(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command; errors that users see come out as they were raised."""

    def open_instead(_: Path | None = None) -> Detector:
        return detector

    monkeypatch.setattr(Detector, "open", open_instead)

    def invoke(*arguments: object, stdin: bytes | None = None) -> Result:
        result = CliRunner().invoke(command, [str(argument) for argument in arguments], input=stdin)
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


@pytest.mark.parametrize(
    ("width", "shown"),
    [(81, "confidence score iou purity integrity"), (80, "confidence score iou purity"), (48, "confidence"), (20, "")],
)
def test_a_table_fits_the_terminal(
    run: Run, picture: Path, monkeypatch: pytest.MonkeyPatch, width: int, shown: str
) -> None:
    monkeypatch.setattr("dirdet.commands.detect.terminal_columns", lambda: width)
    _, heading, *rows = run(picture).stdout.strip("\n").splitlines()
    assert heading.split()[1:-5] == shown.split()
    assert width == 20 or max(map(len, (heading, *rows))) <= width


def test_an_empty_table_names_the_threshold(run: Run, picture: Path) -> None:
    result = run(picture, "--score-threshold", "0.99")
    title = f"{picture}  640 x 480, 0 detections above the score threshold of 0.99 (--score-threshold)"
    assert result.stdout.strip().splitlines() == [title]


def test_calibrated_figures_lead_the_table(picture: Path) -> None:
    """By the shipped detector, which is calibrated."""
    pytest.importorskip("onnxruntime", reason="detecting needs ONNX Runtime")
    result = CliRunner().invoke(command, [str(picture), "--score-threshold", "0"])
    assert result.output.splitlines()[1].split()[:4] == ["label", "right", "fit", "confidence"]


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
    empty = tmp_path / "empty"
    empty.mkdir()
    result = run(tmp_path / "missing.png", text, empty, picture, *(["--json"] if as_json else []))
    assert result.exit_code == 1
    missing, no_picture, folder = result.stderr.splitlines()
    assert missing == f"dirdet: {tmp_path / 'missing.png'}: there is no such file or folder"
    assert no_picture.startswith(f"dirdet: {text}: expected a JPEG")
    assert folder.startswith(f"dirdet: {empty}: the folder holds no picture")
    if as_json:
        images = json.loads(result.stdout)["images"]
        assert [image.get("error", {}).get("status") for image in images] == [404, 415, 404, None]
        assert images[0]["error"]["type"] == "urn:dirdet:problem:not-found"
        DetectAnswer.model_validate(json.loads(result.stdout))
    else:
        assert "2 detections" in result.stdout


def test_one_picture_from_standard_input(run: Run, picture: Path, tmp_path: Path) -> None:
    folder = tmp_path / "drawn"
    folder.mkdir()
    result = run("-", "--json", "--draw", folder, stdin=picture.read_bytes())
    assert result.exit_code == 0
    [image] = json.loads(result.stdout)["images"]
    assert (image["name"], len(image["detections"])) == ("-", 2)
    assert [path.name for path in folder.iterdir()] == ["stdin_detected.png"]


def test_standard_input_that_is_no_picture(run: Run) -> None:
    result = run("-", stdin=b"hello")
    assert result.exit_code == 1
    assert result.stderr.startswith("dirdet: -: expected a JPEG")


def test_a_folder(run: Run, picture: Path) -> None:
    (picture.parent / "broken.jpg").write_text("hello")
    (picture.parent / "notes.txt").write_text("hello")
    result = run(picture.parent, "--json")
    assert result.exit_code == 1
    broken, scene = json.loads(result.stdout)["images"]
    assert (broken["name"], broken["error"]["status"]) == (str(picture.parent / "broken.jpg"), 415)
    assert (scene["name"], len(scene["detections"])) == (str(picture), 2)


def test_a_folder_and_the_folders_in_it(run: Run, picture: Path, tmp_path: Path) -> None:
    deep = tmp_path / "one" / "two" / "deep.png"
    deep.parent.mkdir(parents=True)
    deep.write_bytes(picture.read_bytes())
    result = run(tmp_path, "--recursive", "--json")
    assert result.exit_code == 0
    assert [image["name"] for image in json.loads(result.stdout)["images"]] == [str(deep), str(picture)]


def test_a_name_that_utf8_has_not(run: Run, picture: Path, tmp_path: Path) -> None:
    odd = tmp_path / "caf\udce9.png"
    try:
        odd.write_bytes(picture.read_bytes())
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    assert "caf\ufffd.png  640 x 480" in run(odd).stdout


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
        ("out.gif", 1, r"ends in \.jpg, \.jpeg, \.png"),
        ("nowhere/out.png", 1, "no folder"),
        ("out.png", 2, "existing folder for 2"),
        ("scene.png", 1, "the picture itself"),
        (".", 2, "the same file"),
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


def test_masks_are_printed_and_drawn(
    picture: Path, tmp_path: Path, mask_detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_instead(_: Path | None = None) -> Detector:
        return mask_detector

    monkeypatch.setattr(Detector, "open", open_instead)
    target = tmp_path / "drawn.png"
    result = CliRunner().invoke(command, [str(picture), "--json", "--draw", str(target)])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    DetectAnswer.model_validate(answer)
    assert [each["mask"]["size"] for each in answer["images"][0]["detections"]] == [[480, 640]] * 2
    with Image.open(target) as drawn, Image.open(picture) as plain:
        assert drawn.getpixel((550, 150)) != plain.getpixel((550, 150))
        assert drawn.getpixel((550, 280)) == plain.getpixel((550, 280))
