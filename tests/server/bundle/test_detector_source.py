"""`--detector [NAME=]PATH`."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from dirdet.bundle.bundle import Bundle
from dirdet.bundle.shipped import shipped_detectors
from dirdet.bundle.sources import DetectorSource, open_all
from dirdet.commands.serve import command
from dirdet.errors import BundleError, ParameterError


@pytest.mark.parametrize(
    ("text", "name", "path"),
    [
        ("bundle", None, "bundle"),
        ("new=bundle", "new", "bundle"),
        ("new=a=b", "new", "a=b"),
        ("./new=bundle", None, "./new=bundle"),
        ("/a b=c", None, "/a b=c"),
    ],
)
def test_a_name_and_a_path(text: str, name: str | None, path: str) -> None:
    assert DetectorSource.parse(text, option="--detector") == DetectorSource(name, Path(path))


@pytest.mark.parametrize("text", ["", "new="])
def test_no_path(text: str) -> None:
    with pytest.raises(ParameterError, match=r"--detector: expected \[NAME=\]PATH"):
        DetectorSource.parse(text, option="--detector")


def test_two_of_one_name_are_refused(bundle_folder: Path) -> None:
    with pytest.raises(ParameterError, match=r"two are named 'scenes'.*--detector NAME=PATH"):
        open_all([DetectorSource(None, bundle_folder), DetectorSource("scenes", bundle_folder)])
    found = open_all([DetectorSource(None, bundle_folder), DetectorSource("other", bundle_folder)])
    assert [each.name for each in found] == ["scenes", "other"]


def test_one_model_of_triton_is_not_two_detectors() -> None:
    options = ["--triton", "a:1", "--triton-model", "mine", "--detector", "a=.", "--detector", "b=."]
    result = CliRunner().invoke(command, options)
    assert isinstance(result.exception, ParameterError)
    assert "--triton-model" in str(result.exception)


def test_the_packages_detectors_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert [each.name for each in open_all([DetectorSource(), DetectorSource(None, Path("cells"))])] == [
        "scenes",
        "cells",
    ]
    (tmp_path / "cells").mkdir()
    with pytest.raises(BundleError, match=r"cells is not a bundle: it has no bundle\.json"):
        DetectorSource(None, Path("cells")).open()  # a folder of that name is what is meant
    with pytest.raises(BundleError, match=r"cell is not a bundle: .*package's detectors are scenes, cells"):
        DetectorSource(None, Path("cell")).open()


@pytest.mark.parametrize("name", shipped_detectors())
def test_each_of_the_packages_detectors_has_its_model_card(name: str) -> None:
    card = Bundle.open(shipped_detectors()[name]).model_card()
    assert card is not None
    assert card.startswith(f"# Model card: {name}")
