"""Names and ids have the type that they have in their file, or are refused before the job."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirdet.batch.arrow import arrow, parquet
from dirdet.batch.coco_file import read_coco_file
from dirdet.batch.errors import SourceError
from dirdet.batch.listing.open_source import open_source
from dirdet.batch.listing.parquet_process import names_in
from dirdet.batch.listing.source import SourceOptions, Tally
from dirdet.batch.source_picture import Entry
from dirdet.errors import ResultsError
from dirdet.quality.ground_truth import read_ground_truth

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)


def coco(*images: dict[str, Any]) -> str:
    """COCO JSON with these pictures."""
    sized = [{"width": 1, "height": 1, **image} for image in images]
    return json.dumps({"images": sized, "annotations": [], "categories": []}, ensure_ascii=False)


def listed(path: Path, **options: Any) -> list[Entry]:
    return list(open_source(str(path), SourceOptions(**options)).entries(Tally()))


def column(values: list[Any], kind: str) -> Any:
    pa = arrow()
    types = {
        "dictionary": pa.dictionary(pa.int32(), pa.string()),
        "struct": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        "list": pa.list_(pa.string()),
    }
    return pa.array(values, types.get(kind) or getattr(pa, kind)())


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "dictionary"])
def test_text_of_any_layout(kind: str) -> None:
    assert names_in("t", "c", column(["a.jpg", None, "", "b.jpg"], kind)) == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("kind", ["binary", "large_binary", "binary_view"])
def test_bytes_are_names_or_pictures_by_their_content(kind: str) -> None:
    assert names_in("t", "c", column(["é.jpg".encode(), None], kind)) == ["é.jpg"]
    with pytest.raises(SourceError, match="column 'c' holds the pictures themselves"):
        names_in("t", "c", column([PNG], kind))


def test_hugging_faces_pictures(tmp_path: Path) -> None:
    assert names_in("t", "c", column([{"bytes": None, "path": "a.jpg"}, None], "struct")) == ["a.jpg"]
    table = arrow().table({"image": column([{"bytes": PNG, "path": "a.jpg"}], "struct")})
    parquet().write_table(table, tmp_path / "a.parquet")
    with pytest.raises(SourceError, match="column 'image' holds the pictures themselves"):
        listed(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("kind", "values"), [("int64", [1]), ("list", [["a.jpg"]]), ("float64", [0.5]), ("bool_", [True])]
)
def test_other_types_are_refused_by_name(kind: str, values: list[Any]) -> None:
    with pytest.raises(SourceError, match=r"column 'c' has the type \w+.*; expected names as text"):
        names_in("t", "c", column(values, kind))


IDS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=9),
    st.booleans(),
    st.none(),
)


@given(image_id=IDS)
def test_any_id_comes_back_as_it_was_or_is_refused(image_id: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("ids") / "a.json"
    path.write_text(
        json.dumps(
            {
                "images": [{"id": image_id, "file_name": "a.jpg", "width": 1, "height": 1}],
                "annotations": [],
                "categories": [],
            }
        )
    )
    kept = type(image_id) is int and -(2**63) <= image_id < 2**63
    if kept:
        assert [entry.image_id for entry in listed(path)] == [image_id]
        assert list(read_ground_truth(path).pictures) == [image_id]
        return
    with pytest.raises(SourceError, match=r"has the id .*expected a whole number|cannot be read as JSON"):
        listed(path)
    with pytest.raises(ResultsError):
        read_ground_truth(path)


@pytest.mark.parametrize("written", ["1.0", "1e3", '"0001"', "99999999999999999999", "Infinity", "NaN", "-0.0"])
def test_an_id_that_is_no_whole_number_is_refused(written: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(f'{{"images": [{{"id": {written}, "file_name": "a.jpg"}}]}}')
    with pytest.raises(SourceError) as caught:
        listed(tmp_path / "a.json")
    assert "\n" not in str(caught.value)


def test_two_pictures_of_one_id_are_refused_before_the_job(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(coco({"id": 3, "file_name": "a.jpg"}, {"id": 3, "file_name": "b.jpg"}))
    with pytest.raises(SourceError, match=r"the id 3 belongs to two pictures, 'a.jpg' and 'b.jpg'"):
        listed(tmp_path / "a.json")
    with pytest.raises(ResultsError, match="2 of `images` have the id 3"):
        read_ground_truth(tmp_path / "a.json")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_json_in_any_encoding_of_unicode(encoding: str, tmp_path: Path) -> None:
    text = json.dumps(
        {"images": [{"id": 7, "file_name": "é.jpg", "width": 1, "height": 1}], "annotations": [], "categories": []},
        ensure_ascii=False,
    )
    (tmp_path / "a.json").write_bytes(text.encode(encoding))
    assert read_coco_file(tmp_path / "a.json").images[0].file_name == "é.jpg"
    assert read_ground_truth(tmp_path / "a.json").pictures[7].file_name == "é.jpg"


@pytest.mark.parametrize(
    "data",
    [
        b'{"images": [{"id": 1, "file_name": "\\ud800.jpg"}]}',
        b'{"images": [{"id": 1, "file_name": 7}]}',
        b'{"images": ' + b"[" * 100_000,
        b"\xff\xfe{",
        b'{"images": [{"id": 1, "file_name": "\xff"}]}',
    ],
)
def test_json_that_cannot_be_kept_is_refused_in_one_line(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(SourceError) as caught:
        listed(tmp_path / "a.json")
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)
    with pytest.raises(ResultsError):
        read_ground_truth(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"picture;label\na.jpg;cat\n", "separated by semicolons"),
        (b"picture|label\na.jpg|cat\n", "separated by bars"),
        (b"picture\tlabel\na.jpg\tcat\n", "separated by tabs"),
        (b"a.jpg\nb.jpg\n", "its first line has the picture 'a.jpg'; expected the columns' names"),
        (b'picture\n"a.jpg\n', "unexpected end of data"),
        ("picture\na.jpg\n".encode("utf-16-le"), "has zero bytes, as text in UTF-16"),
        ("picture\na.jpg\n".encode("utf-16"), "is text in UTF-16"),
        (b'picture,x\n"' + b"a\n" * 100_000 + b'",1\n', "field larger than field limit"),
    ],
)
def test_tables_of_other_kinds_are_refused_with_a_hint(data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(SourceError, match=words):
        listed(tmp_path / "a.csv")


def test_a_list_in_utf16_is_refused_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("a.jpg\n".encode("utf-16"))
    with pytest.raises(SourceError, match="is text in UTF-16; expected UTF-8"):
        listed(tmp_path / "a.txt")


def test_line_ends_and_a_mark_of_windows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbfpicture,x\r\na.jpg,1\r\n"b,c.jpg",2\r\n')
    assert [entry.name for entry in listed(tmp_path / "a.csv")] == ["a.jpg", "b,c.jpg"]
