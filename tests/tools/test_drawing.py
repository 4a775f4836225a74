"""The drawing says what imports what, and a house that nobody could draw is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

import drawing
from drawing import House, HouseError

Build = Callable[..., House]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Build:
    """Writes a package of a name of its own, from paths to texts in which PACKAGE is its name."""
    name = f"house_{abs(hash(request.node.nodeid))}"
    monkeypatch.syspath_prepend(tmp_path / "server")

    def write(files: dict[str, str], *, most_rooms: int = 9, most_floors: int = 9) -> House:
        for path, text in {"__init__.py": "", **files}.items():
            file = tmp_path / "server" / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace("PACKAGE", name))
        return House((name,), most_rooms, most_floors)

    return write


def test_one_room_is_one_box(build: Build, tmp_path: Path) -> None:
    house = build({"errors.py": "", "files.py": "import PACKAGE.errors"})
    lines = list(drawing.mermaid(house, tmp_path))
    assert "1 rooms on 1 floors" in lines[0]
    assert lines[3].strip() == 'modules["<b>modules</b><br>errors, files"]'
    assert not any("-->" in line for line in lines)


def test_rooms_stand_above_what_they_import(build: Build, tmp_path: Path) -> None:
    """A room has its package's first sentence; an arrow that a longer way replaces is left out."""
    house = build(
        {
            "errors.py": "",
            "low/__init__.py": '"""Where it "begins"."""',
            "low/deep/thing.py": "from PACKAGE import errors",
            "low/deep/__init__.py": "",
            "high/__init__.py": '"""Where it ends."""\nfrom PACKAGE.low.deep import thing\nfrom PACKAGE import errors',
        }
    )
    lines = [line.strip() for line in drawing.mermaid(house, tmp_path)]
    assert "3 rooms on 3 floors" in lines[0]
    assert lines[3:8] == [
        'high["<b>high</b><br>Where it ends"]',
        'low["<b>low</b><br>Where it begins"]',
        'modules["<b>modules</b><br>errors"]',
        "high --> low",
        "low --> modules",
    ]


def test_what_a_package_offers_by_its_own_name_is_no_arrow_up(build: Build, tmp_path: Path) -> None:
    house = build({"__init__.py": "from PACKAGE.low import thing", "low/__init__.py": "", "low/thing.py": ""})
    assert drawing.floors(house, drawing.rooms(house, tmp_path)) == [["low"]]


def test_a_circle_is_refused_with_its_imports(build: Build, tmp_path: Path) -> None:
    house = build(
        {
            "low/__init__.py": "",
            "low/thing.py": "from PACKAGE.high import other",
            "high/__init__.py": "",
            "high/other.py": "import PACKAGE.low",
        }
    )
    [name] = house.packages
    with pytest.raises(HouseError) as refused:
        drawing.floors(house, drawing.rooms(house, tmp_path))
    assert f"{name}.low.thing imports {name}.high.other" in str(refused.value)
    assert f"{name}.high.other imports {name}.low" in str(refused.value)


@pytest.mark.parametrize(
    ("most", "said"),
    [({"most_rooms": 1}, "at most 1 rooms are allowed, there are 2: a, b"), ({"most_floors": 1}, "at most 1 floors")],
)
def test_too_many_rooms_or_floors_are_refused(most: dict[str, int], said: str, build: Build, tmp_path: Path) -> None:
    house = build({"a/__init__.py": "from PACKAGE.b import thing", "b/__init__.py": "", "b/thing.py": ""}, **most)
    with pytest.raises(HouseError, match=said):
        drawing.floors(house, drawing.rooms(house, tmp_path))


def test_the_drawing_stands_between_its_marks() -> None:
    text = f"# Before\n{drawing.BEGIN}old\n{drawing.END}After\n"
    new = drawing.put(text, "new")
    assert new == f"# Before\n{drawing.BEGIN}\nnew\n{drawing.END}After\n"
    assert drawing.put(new, "new") == new
    with pytest.raises(HouseError, match="found not both"):
        drawing.put("nothing", "new")


def test_a_drawing_of_other_imports_is_refused(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "HOUSES", (build({"errors.py": ""}),))
    file = tmp_path / drawing.PLACE
    file.write_text(drawing.BEGIN + drawing.END)
    with pytest.raises(HouseError, match="make drawing"):
        drawing.main(tmp_path, check=True)
    assert file.read_text() == drawing.BEGIN + drawing.END
    drawing.main(tmp_path, check=False)
    drawing.main(tmp_path, check=True)
