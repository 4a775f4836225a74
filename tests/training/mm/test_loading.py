"""Training, the gateway, a job and the client read one file as OpenCV reads it, or all refuse it."""

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmdet.registry import TRANSFORMS
from picture_features import GREY, RGB, TWELVE_BITS, exif, features, of_mode, saved, scene

from dirdet.batch.source_picture import Entry
from dirdet.client.pictures import read as read_for_sending
from dirdet.errors import NotAPictureError, PictureError
from dirdet.pictures.reading import read_picture
from dirdet_training import mm
from dirdet_training.annotations.errors import AnnotationError
from dirdet_training.annotations.pictures import size_wh

assert mm.loading is not None  # registered
FEATURES = dict(features())
# Decoders of JPEG in TIFF and of CMYK round differently; libtiff rounds 16 bits where Pillow cuts them off.
TOLERANCE = 1
Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def by_opencv(data: bytes) -> Pixels | None:
    """[H, W, 3] RGB, as `mmcv.imfrombytes` reads it."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return None if pixels is None else np.ascontiguousarray(pixels[..., ::-1]).astype(np.uint8)


def in_training(path: Path) -> Pixels:
    loaded = TRANSFORMS.build({"type": "LoadImageFromFile"})({"img_path": str(path)})
    height, width = loaded["img_shape"]
    assert size_wh(path) == (width, height), "the converters' and the check's size"
    return loaded["img"][..., ::-1]


def everywhere(data: bytes, folder: Path) -> list[Pixels | str]:
    """The pixels of the four places, or their messages."""
    path = folder / "picture"
    path.write_bytes(data)
    places = (
        lambda: in_training(path),
        lambda: np.asarray(read_picture(BytesIO(data))),
        lambda: np.asarray(read_picture(Entry("picture", bytes(path)).open())),
        lambda: np.asarray(read_picture(BytesIO(read_for_sending(path).data))),
    )
    found: list[Pixels | str] = []
    for place in places:
        try:
            found.append(place())
        except PictureError as exc:
            found.append(str(exc).removeprefix(f"{path}: "))
    return found


def assert_as_opencv(data: bytes, folder: Path) -> None:
    expected = by_opencv(data)
    first, *others = everywhere(data, folder)
    for other in others:
        np.testing.assert_array_equal(first, other)
    if isinstance(first, str):
        return
    assert expected is not None
    assert first.shape == expected.shape
    assert np.abs(first.astype(int) - expected).max() <= TOLERANCE


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # of EXIF that is broken on purpose
@pytest.mark.parametrize(("kind", "feature"), FEATURES)
def test_a_feature_is_read_as_opencv_reads_it(kind: str, feature: str, tmp_path: Path) -> None:
    assert_as_opencv(FEATURES[kind, feature](), tmp_path)


REFUSED = {
    ("BMP", "16 bits, 4-4-4"): "samples are not supported",
    ("TIFF", "mode LAB"): "CIE L",
    ("TIFF", "mode I"): "32 bits",
    ("TIFF", "mode F"): "32 bits",
    **{("TIFF", f"{bits} bits"): "samples are not supported" for bits in (6, 10, 14)},
    ("TIFF", "RGB of 12 bits"): "samples are not supported",
    **{("TIFF", f"grey and alpha of 16 bits, planar, {end}-endian"): "of their own" for end in ("little", "big")},
    ("TIFF", "BigTIFF, big-endian"): "BigTIFF in big-endian order is not supported",
    ("HEIF", "any"): "HEIF is not supported",
    ("JPEG XL", "any"): "JPEG XL is not supported",
    ("JPEG 2000", "any"): "JPEG 2000 is not supported",
}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_what_is_refused_is_named(tmp_path: Path) -> None:
    for (kind, feature), make in FEATURES.items():
        for found in everywhere(make(), tmp_path):
            if (kind, feature) in REFUSED:
                assert isinstance(found, str)
                assert REFUSED[kind, feature] in found
            else:
                assert not isinstance(found, str), (kind, feature, found)


PAGE = Path(__file__).parents[3] / "docs" / "files.md"
BEGIN, END = "<!-- written by `make files_page` -->\n", "<!-- until here -->\n"


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_the_page_has_the_table_of_what_is_read(tmp_path: Path) -> None:
    lines = ["| format | feature | training | gateway | job | client |", "|---|---|---|---|---|---|"]
    every = {**FEATURES, **{("TIFF", f"12 bits, {name}"): lambda data=data: data for name, data in TWELVE_BITS.items()}}
    for (kind, feature), make in sorted(every.items()):
        found = ["refused" if isinstance(each, str) else "read" for each in everywhere(make(), tmp_path)]
        assert len(set(found)) == 1
        line = f"| {kind} | {feature.rstrip('12345678 ') if 'EXIF' in feature else feature} | {' | '.join(found)} |"
        lines += [line] if line not in lines else []
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    written = before + BEGIN + "\n".join(lines) + "\n" + END + rest.partition(END)[2]
    if "WRITE_FILES_PAGE" in os.environ:
        PAGE.write_text(written, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == written, "`make files_page` writes the table anew"


@pytest.mark.parametrize("name", TWELVE_BITS)
def test_twelve_bits_are_scaled_by_four(name: str, tmp_path: Path) -> None:
    expected = 255 - GREY if name.startswith("white") else GREY
    for found in everywhere(TWELVE_BITS[name], tmp_path):
        assert not isinstance(found, str)
        np.testing.assert_array_equal(found, np.repeat(expected[..., None], 3, axis=2))


KINDS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")
MODES = ("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(KINDS),
    mode=st.sampled_from(MODES),
    orientation=st.integers(0, 9),
    turn=st.integers(0, 3),
    text=st.binary(max_size=200),
)
def test_any_picture_is_read_as_opencv_reads_it(
    kind: str, mode: str, orientation: int, turn: int, text: bytes, tmp_path: Path
) -> None:
    picture = of_mode(mode).rotate(90 * turn, expand=True) if mode != "I;16" else of_mode(mode)
    options: dict[str, Any] = {"exif": exif(orientation)} if kind not in ("BMP", "GIF") else {}
    options |= {"WEBP": {"lossless": True, "exact": True}, "JPEG": {"comment": text}}.get(kind, {})
    try:
        data = saved(picture, kind, **options)
    except (OSError, ValueError):
        return  # the format has no such mode
    assert_as_opencv(data, tmp_path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from([".jpg", ".png", ".webp", ".bmp", ".tiff", ".gif", ".avif"]),
    depth=st.sampled_from([np.uint8, np.uint16, np.int16]),
    channels=st.sampled_from([1, 3, 4]),
    seed=st.integers(0, 99),
)
def test_any_picture_of_opencv_is_read_back(suffix: str, depth: Any, channels: int, seed: int, tmp_path: Path) -> None:
    whole = np.random.default_rng(seed).integers(0, 2**16, (9, 14, channels))
    smooth = cv2.GaussianBlur(whole.astype(np.float32), (5, 5), 2).reshape(9, 14, channels)
    pixels = (smooth if depth == np.uint16 else smooth / 256 if depth == np.uint8 else smooth - 2**15).astype(depth)
    try:
        written, data = cv2.imencode(suffix, pixels)
    except cv2.error:
        return
    if written:
        assert_as_opencv(data.tobytes(), tmp_path)


def test_training_names_the_file_that_it_cannot_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"hello")
    with pytest.raises(NotAPictureError, match=r"a\.jpg: expected a JPEG"):
        in_training(path)
    with pytest.raises(AnnotationError, match=r"a\.jpg"):
        size_wh(path)


def test_a_config_keeps_its_own_way_of_loading(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(saved(RGB, "PNG"))
    grey = TRANSFORMS.build({"type": "LoadImageFromFile", "color_type": "grayscale"})({"img_path": str(path)})
    assert grey["img"].shape == (24, 40)
    whole = TRANSFORMS.build({"type": "LoadImageFromFile", "to_float32": True})({"img_path": str(path)})
    assert whole["img"].dtype == np.float32
    np.testing.assert_array_equal(whole["img"][..., ::-1], scene())
