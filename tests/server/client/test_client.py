"""Both clients against a running gateway: what they take, what they give, in which order."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loopback import serving
from PIL import Image
from waiting import PATIENCE_S

from dirdet import AsyncClient, Client
from dirdet.client import ImageResult, PictureProblemError, ProblemError, TooLargeError, WrongParameterError
from dirdet.client.pictures import encode_image
from dirdet.client.settings import DetectParameters
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.errors import NotFoundError, ParameterError, UnreadableError
from dirdet.gateway.app import create_app
from dirdet.pictures.reading import read_picture

Rectangles = Callable[..., Image.Image]
Encode = Callable[..., bytes]
BOXES = {"red": (100, 60, 300, 200), "blue": (80, 260, 560, 440)}


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url, timeout_s=PATIENCE_S) as client:
        yield client


@pytest.fixture
def scene(rectangles: Rectangles) -> Image.Image:
    return rectangles(**BOXES)


def has_both(result: ImageResult, *, tolerance: float = 2.5) -> None:
    assert result.error is None
    assert result.labels == ["blue", "red"]
    np.testing.assert_allclose(result.boxes_xyxy, [BOXES["blue"], BOXES["red"]], atol=tolerance)


def test_every_kind_of_picture_gives_the_same(
    client: Client, scene: Image.Image, encode: Encode, tmp_path: Path
) -> None:
    path = tmp_path / "scene.png"
    data = encode(scene)
    path.write_bytes(data)
    with path.open("rb") as file:
        pictures: list[Any] = [path, str(path), data, bytearray(data), memoryview(data), BytesIO(data), file]
        pictures += [scene, np.asarray(scene), np.asarray(scene)[:, :, ::-1][:, :, ::-1]]
        results = client.detect_many(pictures)
    assert len(results) == len(pictures)
    for result in results:
        has_both(result)
        assert (result.width, result.height) == (640, 480)
        assert result.detections == results[0].detections
    assert results[0].name == str(path)
    assert results[0].detector == "rectangles"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "LA", "L", "I;16"])
def test_a_pil_image_of_any_mode_is_sent_as_its_pixels_are(
    mode: str, client: Client, scene: Image.Image, encode: Encode
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.open(BytesIO(encode(scene, "PNG", exif=exif)))
    turned.load()
    shown = turned.convert("L").convert(mode) if mode == "I;16" else turned.convert(mode)
    result = client.detect(shown)
    assert (result.width, result.height) == shown.size
    if mode not in ("LA", "L", "I;16"):
        has_both(result, tolerance=8 if mode == "P" else 2.5)


def test_alpha_changes_nothing(client: Client, scene: Image.Image) -> None:
    clear = scene.convert("RGBA")
    clear.putalpha(0)
    has_both(client.detect(clear))


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L"])
def test_sixteen_bits_of_any_byte_order_keep_their_high_byte(mode: str) -> None:
    grey = np.linspace(0, 65535, 24 * 40).reshape(24, 40).astype(np.uint16)
    order = ">u2" if mode == "I;16B" else "<u2"
    picture = Image.frombytes(mode, (40, 24), grey.astype(order).tobytes())
    sent = np.asarray(read_picture(BytesIO(encode_image(picture))))
    np.testing.assert_array_equal(sent[..., 0], grey >> 8)


def test_the_pil_image_a_file_gives_has_the_files_name(client: Client, scene: Image.Image, tmp_path: Path) -> None:
    scene.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert client.detect(picture).name == str(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros((4, 4), np.uint8), r"uint8 \(4, 4\)"),
        (np.zeros((4, 4, 3), np.float32), r"float32 \(4, 4, 3\)"),
        (np.zeros((3, 4, 4), np.uint8), r"\(3, 4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), r"\(0, 4, 3\)"),
        (Image.new("F", (4, 4)), "mode F"),
        (object(), "found builtins.object"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_picture_is_said_before_anything_is_sent(picture: Any, words: str) -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(ParameterError, match=words):
        client.detect(picture)


def test_a_text_file_object(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a")
    with path.open() as file, Client("http://127.0.0.1:9") as client, pytest.raises(ParameterError, match="binary"):
        client.detect(file)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "one", ["a.jpg", b"abc", np.zeros((4, 4, 3), np.uint8), BytesIO(b"abc"), Image.new("L", (4, 4))]
)
def test_one_picture_is_not_taken_for_several(one: Any) -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(ParameterError, match="`detect` takes"):
        client.detect_iter(one)
    with pytest.raises(ParameterError, match="`detect` takes"):
        AsyncClient("http://127.0.0.1:9").detect_iter(one)


def test_frames_as_one_array(client: Client, scene: Image.Image) -> None:
    for result in client.detect_many(np.stack([np.asarray(scene)] * 3)):
        has_both(result)


def test_parameters_reach_the_detector(client: Client, scene: Image.Image) -> None:
    assert client.detect(scene, classes=["red"]).labels == ["red"]
    assert client.detect(scene, classes=["red", 2], max_detections=1).labels == ["blue"]
    assert client.detect(scene, min_iou=0.5).labels == ["blue"]
    assert client.detect(scene, iou_weight=0.0, score_threshold=None).labels == ["red", "blue"]
    with pytest.raises(ParameterError, match="leave it out"):
        client.detect(scene, classes=[])
    with pytest.raises(WrongParameterError, match="score_threshold") as caught:
        client.detect(scene, score_threshold=2)
    assert list(caught.value.parameters) == ["score_threshold"]
    assert caught.value.status == 422


def test_the_client_knows_every_parameter() -> None:
    # Its results are detections; who ranks candidates again asks over HTTP.
    assert set(DetectParameters.__annotations__) == set(DetectOptions.model_fields) - {"candidates"}


def test_a_result_as_arrays(client: Client, scene: Image.Image) -> None:
    result = client.detect(scene)
    np.testing.assert_allclose(result.confidences, np.sqrt(result.scores * result.ious), rtol=1e-4)
    np.testing.assert_allclose(result.ious, 1 / (1 / result.purities + 1 / result.integrities - 1), rtol=1e-4)
    assert result.class_ids.tolist() == [2, 0]
    assert result.category_ids.tolist() == [30, 10]
    assert result.masks is None
    empty = client.detect(Image.new("RGB", (64, 48)))
    assert empty
    assert empty.boxes_xyxy.shape == (0, 4)
    assert empty.ious.shape == empty.class_ids.shape == (0,)


def test_one_picture_that_cannot_be_read_raises(client: Client, tmp_path: Path) -> None:
    with pytest.raises(PictureProblemError, match="begins with 'nonsense'") as caught:
        client.detect(b"nonsense")
    assert (caught.value.status, caught.value.type) == (415, "urn:dirdet:problem:not-a-picture")
    with pytest.raises(NotFoundError, match=r"missing\.jpg"):
        client.detect(tmp_path / "missing.jpg")
    with pytest.raises(UnreadableError):
        client.detect(tmp_path)


@pytest.mark.parametrize("per_request", [1, 2, 3, 64])
def test_pictures_that_fail_among_many_are_results(
    per_request: int, client: Client, scene: Image.Image, encode: Encode, tmp_path: Path
) -> None:
    good, broken = encode(scene), encode(scene)[:200]
    pictures: list[Any] = [good, b"nonsense", broken, tmp_path / "missing.jpg", b"", b"x", good]
    results = client.detect_many(pictures, per_request=per_request)
    kinds = [getattr(each.error, "type", each.error and type(each.error).__name__) for each in results]
    problem = "urn:dirdet:problem:"
    assert kinds == [None, f"{problem}not-a-picture", f"{problem}broken-picture", "NotFoundError"] + [
        f"{problem}not-a-picture"
    ] * 2 + [None]
    assert (results[1].width, results[1].detections) == (0, ())
    assert client.detect_many([]) == []


def test_results_come_as_pictures_are_taken(client: Client, scene: Image.Image, encode: Encode) -> None:
    data, taken = encode(scene), 0

    def pictures() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield data

    for _ in client.detect_iter(pictures(), per_request=2):
        break
    assert taken == 2


def test_requests_are_split_to_what_the_server_takes(url_small: str, scene: Image.Image, encode: Encode) -> None:
    with Client(url_small) as client:
        assert [len(each) for each in client.detect_many([encode(scene)] * 10)] == [2] * 10
        # Uncompressed 640x480 is 900 kB, more than this server takes at all.
        with pytest.raises(TooLargeError, match="in one request"):
            client.detect_many([scene])


@pytest.mark.parametrize("concurrency", [1, 3])
def test_the_asynchronous_client_keeps_the_order(
    concurrency: int, url: str, rectangles: Rectangles, encode: Encode
) -> None:
    lefts = list(range(0, 400, 20))
    pictures = [encode(rectangles(red=(x, 50, x + 100, 150))) for x in lefts]

    async def endless() -> AsyncIterator[bytes]:
        for data in pictures:
            yield data

    async def ask() -> None:
        async with AsyncClient(url) as client:
            for several in (pictures, endless()):
                results = await client.detect_many(several, per_request=3, concurrency=concurrency)
                np.testing.assert_allclose([each.boxes_xyxy[0, 0] for each in results], lefts, atol=2.5)
            assert (await client.detect(pictures[1])).boxes_xyxy[0, 0] == pytest.approx(20, abs=2.5)
            assert await client.ready()
            assert (await client.detector()).name == "rectangles"
            async with aclosing(client.detect_iter(pictures, per_request=1)) as found:
                async for result in found:
                    assert result.labels == ["red"]
                    break
            assert len(asyncio.all_tasks()) == 1

    asyncio.run(ask())


def test_a_failing_request_stops_the_others(url: str, scene: Image.Image, encode: Encode) -> None:
    async def ask() -> None:
        async with AsyncClient(url) as client:
            with pytest.raises(WrongParameterError):
                await client.detect_many([encode(scene)] * 8, per_request=1, max_detections=0)
            assert len(asyncio.all_tasks()) == 1

    asyncio.run(ask())


def test_the_detector_and_whether_it_is_ready(client: Client, engine: Any) -> None:
    about = client.detector()
    assert [each.name for each in about.classes] == ["red", "green", "blue"]
    assert client.ready()
    engine.is_ready = False
    assert not client.ready()
    with Client("http://127.0.0.1:9") as nobody:
        assert not nobody.ready()


def test_of_several_detectors_the_one_that_is_named(
    detector: Detector, plain_detector: Detector, scene: Image.Image
) -> None:
    plain = plain_detector.manifest.model_copy(update={"name": "plain"})
    with serving(create_app(detector, Detector(plain, plain_detector.engine))) as address:
        url = address.url

        async def ask(name: str | None) -> tuple[str, bool]:
            async with AsyncClient(url, detector=name) as client:
                [result] = await client.detect_many([scene])
                assert (await client.detect(scene)).labels == result.labels
                return (await client.detector()).name, result.detections[0].iou is None

        for name, expected in ((None, ("rectangles", False)), ("plain", ("plain", True))):
            with Client(url, detector=name) as client:
                assert (client.detector().name, client.detect(scene).detections[0].iou is None) == expected
                [result] = client.detect_many([scene])
                assert (result.detections[0].iou is None) == expected[1]
            assert asyncio.run(ask(name)) == expected
        with Client(url, detector="nobody") as client:
            for asked in (lambda: client.detect(scene), client.detector):
                with pytest.raises(ProblemError, match="there is no detector 'nobody'; there is 'rectangles', 'plain'"):
                    asked()
    for nonsense in ("", "a/b", "../x", "Scenes"):
        with pytest.raises(ParameterError, match="detector: expected a name"):
            Client(detector=nonsense)


def test_both_clients_take_the_same() -> None:
    for name in ("detect", "detect_many", "detect_iter", "detector", "ready", "close"):
        asked = inspect.signature(getattr(AsyncClient, name)).parameters
        waited = inspect.signature(getattr(Client, name)).parameters
        assert set(asked) - set(waited) <= {"concurrency"}
        assert set(waited) <= set(asked)
