"""Every reader of files of strangers as a function of bytes, with files that it reads as a beginning."""

import contextlib
import io
import json
import pickle
import shutil
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dirdet.errors import DirdetError, PictureError

Read = Callable[[bytes], object]


@dataclass(frozen=True)
class Reader:
    """What is fuzzed.

    Attributes:
        ready: imports what it needs and makes a function of bytes, which raises nothing but DirdetError.
        seeds: makes the files to begin with.
        words: that may stand in such a file, for the fuzzer's dictionary.
    """

    ready: Callable[[Path], Read]
    seeds: Callable[[], list[bytes]]
    words: tuple[str, ...] = ()


COCO: dict[str, Any] = {
    "images": [
        {"id": 1, "file_name": "a.png", "width": 64, "height": 48},
        {"id": 2, "file_name": "sub/b.png", "width": 64, "height": 48},
    ],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 2, 10.5, 9], "area": 94.5, "iscrowd": 0},
        {
            "id": 2, "image_id": 1, "category_id": 8, "bbox": [0, 0, 64, 48], "area": 3072, "iscrowd": 1,
            "segmentation": {"size": [48, 64], "counts": "0PP3"},
        },
    ],
    "categories": [{"id": 7, "name": "bird"}, {"id": 8, "name": "fish"}],
}  # fmt: skip
NUMBERS = ("NaN", "Infinity", "1e999", "-1", "99999999999999999999", "1e308", "null", "true", "[]", "{}", '""', "[[")
COCO_WORDS = (
    *("images", "annotations", "categories", "id", "file_name", "width", "height", "image_id", "category_id", "bbox"),
    *("area", "iscrowd", "segmentation", "size", "counts", "name", "ignore"),
    *NUMBERS,
    "\\ud800",
    "\\u0000",
)


def written(content: object) -> bytes:
    return json.dumps(content).encode()


# A picture's file, of 64 x 48.
def png() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(file, "PNG")
    return file.getvalue()


def source(name: str) -> Callable[[Path], Read]:
    """Lists a source of this name, opens each of its pictures and reads 64 KiB of it."""

    def ready(folder: Path) -> Read:
        from dirdet.batch.listing.open_source import open_source
        from dirdet.batch.listing.source import SourceOptions, Tally

        (folder / "a.png").write_bytes(png())
        path = folder / name

        def read(data: bytes) -> None:
            path.write_bytes(data)
            for entry in open_source(str(path), SourceOptions()).entries(Tally()):
                with contextlib.suppress(PictureError), entry.open() as file:
                    file.read(2**16)

        return read

    return ready


def parquet() -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files: list[bytes] = []
    for options in (
        {"compression": "none"},
        {"compression": "zstd"},
        {"compression": "snappy", "use_dictionary": False},
    ):
        file = io.BytesIO()
        pq.write_table(pa.table({"path": ["a.png", "b.png", None], "n": [1, 2, 3]}), file, **options)
        files.append(file.getvalue())
    return files


def tars() -> list[bytes]:
    files: list[bytes] = []
    for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
            for name in ("a.png", "l" * 110 + "/b.png"):
                member = tarfile.TarInfo(name)
                member.size = 5
                archive.addfile(member, io.BytesIO(b"12345"))
        files.append(file.getvalue())
    return files


def zips() -> list[bytes]:
    files: list[bytes] = []
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", kind) as archive:
            archive.writestr("a.png", b"1" * 50)
            archive.writestr("sub/\u00fc.png", b"2")
        files.append(file.getvalue())
    return files


def videos() -> list[bytes]:
    from hostile_files import jpeg, mov
    from videos import write_video

    files: list[bytes] = []
    with tempfile.TemporaryDirectory() as folder:
        files.append(mov(Path(folder, "a.mov"), b"jpeg", jpeg(), samples=2, size_wh=(64, 48)).read_bytes())
        write_video(Path(folder, "a.mp4"), frames=3)
        files.append(Path(folder, "a.mp4").read_bytes())
    return files


def bundle_ready(folder: Path) -> Read:
    from dirdet.bundle.bundle import Bundle
    from dirdet.bundle.copying import copy_with
    from dirdet.engines.triton.repository.config import RepositoryOptions, detector_onnx_config
    from dirdet.engines.triton.repository.pbtxt import render

    inside = folder / "bundle"
    inside.mkdir()
    (inside / "README.md").write_text("card")

    def read(data: bytes) -> None:
        (inside / "bundle.json").write_bytes(data)
        bundle = Bundle.open(inside)
        bundle.model_card()
        render(detector_onnx_config(bundle.manifest, RepositoryOptions()))
        shutil.rmtree(folder / "copy", ignore_errors=True)
        copy_with(bundle, bundle.manifest, folder / "copy")

    return read


def bundles() -> list[bytes]:
    from hashlib import sha256

    from dirdet.bundle.shipped import open_bundle

    told = open_bundle(None).manifest.model_dump()
    return [written(told | {"files": files}) for files in ({}, {"README.md": sha256(b"card").hexdigest()})]


def results_ready(folder: Path) -> Read:
    from dirdet.quality.detections_file import read_results
    from dirdet.quality.ground_truth import read_ground_truth

    (folder / "truth.json").write_bytes(written(COCO))
    truth = read_ground_truth(folder / "truth.json")

    def read(data: bytes) -> None:
        (folder / "results.json").write_bytes(data)
        read_results(folder / "results.json", truth).to_coco()

    return read


def results() -> list[bytes]:
    box = {"category_id": 7, "score": 0.5, "purity": 0.5, "integrity": 0.5}
    return [
        written([box | {"image_id": 1, "bbox": [1, 2, 3, 4]}]),
        written({"images": [{"name": "in/a.png", "detections": [box | {"box": [1, 2, 3, 4]}]}, {"name": "b.png"}]}),
    ]


def truth_ready(folder: Path) -> Read:
    from dirdet.batch.report.truth import known_objects

    def read(data: bytes) -> None:
        (folder / "truth.json").write_bytes(data)
        known_objects(folder / "truth.json")

    return read


def keys_ready(folder: Path) -> Read:
    from dirdet.gateway.access.key_file import read_keys

    def read(data: bytes) -> None:
        (folder / "keys").write_bytes(data)
        read_keys(folder / "keys")

    return read


def job_ready(folder: Path) -> Read:
    """job.json, a line, and parts.jsonl."""
    from dirdet.batch.output_folder import Output

    def read(data: bytes) -> None:
        job, _, parts = data.partition(b"\n")
        (folder / "job.json").write_bytes(job)
        (folder / "parts.jsonl").write_bytes(parts)
        output = Output(folder)
        if (found := output.read_job()) is not None:
            for part in found.parts:
                output.sound(part)

    return read


def jobs() -> list[bytes]:
    import dirdet.batch.job_record as job

    identity = job.Identity(
        dirdet="1",
        source=job.SourceRecord(
            kind="folder", named="x", pictures=3, sha256="0", passed_over=0, repeated=0, limit=None, sample=None, seed=0
        ),
        detector=job.DetectorRecord(
            name="a", architecture="b", localization_confidence="dir", checkpoint_sha256="0", bundle_sha256="0"
        ),
        engine="onnx",
        settings=job.SettingsRecord(
            score_threshold=0.1, nms_iou_threshold=0.5, iou_weight=0.5, min_iou=None, max_detections=100, class_ids=[1]
        ),
        part_pictures=2,
    )
    part = job.PartRecord(number=0, pictures=2, detections=1, failures=0, sha256={"job.json": "0"})
    told = job.Job(identity=identity).model_dump(exclude={"parts"})
    return [written(told) + b"\n" + part.model_dump_json().encode() + b"\n"]


def condition_ready(folder: Path) -> Read:  # noqa: ARG001
    from dirdet.batch.filter_conditions import read_condition
    from dirdet.bundle.shipped import open_bundle

    described = open_bundle(None).manifest
    return lambda data: read_condition(data.decode("utf-8", "replace"), described, parameter="keep")


def answer_ready(folder: Path) -> Read:  # noqa: ARG001
    """What a gateway answers to a client."""
    import httpx

    from dirdet.client.answers import PROBLEM, Answer, failed_pictures, results_of
    from dirdet.client.errors import ClientError, ProblemError
    from dirdet.client.pictures import SentPicture

    pictures = [SentPicture("a", b"")]

    def read(data: bytes) -> None:
        error = Answer(400, httpx.Headers({"content-type": PROBLEM}), data).error()
        if isinstance(error, ProblemError):
            failed_pictures(error, pictures)
        assert isinstance(error, ClientError)
        for result in results_of(Answer(200, httpx.Headers(), data).json(), pictures):
            _ = result.boxes_xyxy, result.labels, result.class_ids

    return read


def answers() -> list[bytes]:
    problem = {"type": "about:blank", "title": "Broken", "status": 400, "code": "broken", "detail": "x", "images": []}
    found = {
        "class_id": 0, "category_id": 7, "label": "bird", "box": [1, 2, 3, 4], "score": 0.5, "purity": 0.5,
        "integrity": 0.5, "iou": 0.4, "confidence": 0.4, "rank": 1, "sure": True,
    }  # fmt: skip
    image = {"name": "a", "width": 64, "height": 48, "detections": [found]}
    detector = {"name": "a", "checkpoint_sha256": "0"}
    return [
        written(problem),
        written({"detector": detector, "images": [image]}),
        written({"detector": detector, "images": [{"name": "a", "error": problem}]}),
    ]


def annotations_ready(folder: Path) -> Read:
    """COCO JSON: checked, completed, split, cut into tiles."""
    from dirdet_training.annotations.check import check
    from dirdet_training.annotations.coco import completed
    from dirdet_training.annotations.findings import summary
    from dirdet_training.annotations.records import records_of
    from dirdet_training.annotations.split import split
    from dirdet_training.annotations.tiles import Tiling, cut
    from dirdet_training.annotations.without_broken import without_broken

    for name in ("a.png", "sub/b.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(png())
    path, tiling = folder / "x.json", Tiling((32, 32), 1, (14.0, 40.0), 20.0, 4)

    def read(data: bytes) -> None:
        path.write_bytes(data)
        content, _ = completed(path)
        report = check(records_of(content, path), path, folder, open_pictures=True)
        summary(report)
        whole = without_broken(content, report)
        split(whole, {"a": 0.5, "b": 0.5}, seed=0)
        cut(whole, folder, folder / "tiles", tiling)

    return read


def voc_ready(folder: Path) -> Read:
    from dirdet_training.annotations.dataset import to_coco
    from dirdet_training.annotations.voc import read_voc

    (folder / "a.png").write_bytes(png())

    def read(data: bytes) -> None:
        (folder / "a.xml").write_bytes(data)
        to_coco(read_voc(folder, folder))

    return read


def voc() -> list[bytes]:
    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox>"
    return [
        f"<annotation><filename>a.png</filename><size><width>64</width><height>48</height><depth>3</depth></size>"
        f"<object><name>bird</name><difficult>1</difficult>{box}</object></annotation>".encode()
    ]


def yolo_ready(folder: Path) -> Read:
    """data.yaml, a line of `---`, and the labels of one picture."""
    from dirdet_training.annotations.classes import class_names
    from dirdet_training.annotations.dataset import to_coco
    from dirdet_training.annotations.lists import listed_names
    from dirdet_training.annotations.yolo import read_yolo

    (folder / "a.png").write_bytes(png())

    def read(data: bytes) -> None:
        names, _, labels = data.partition(b"\n---\n")
        (folder / "data.yaml").write_bytes(names)
        (folder / "a.txt").write_bytes(labels)
        for each in (class_names, listed_names):
            with contextlib.suppress(DirdetError):
                each(folder / "a.txt")
        to_coco(read_yolo(folder, folder))

    return read


def masks_ready(folder: Path) -> Read:
    from dirdet_training.annotations.dataset import to_coco
    from dirdet_training.annotations.masks import read_masks

    for name in ("images", "masks"):
        (folder / "p" / name).mkdir(parents=True)
    (folder / "p" / "images" / "a.png").write_bytes(png())

    def read(data: bytes) -> None:
        (folder / "p" / "masks" / "m.png").write_bytes(data)
        to_coco(read_masks(folder, folder))

    return read


def stage_ready(folder: Path) -> Read:
    """The header of roi_stage.safetensors; its reader's own error is a ValueError."""
    import torch

    from dirdet_export.graph.roi_stage_file import read_roi_stage

    def read(data: bytes) -> None:
        (folder / "x.safetensors").write_bytes(struct.pack("<Q", len(data)) + data)
        with contextlib.suppress(ValueError):
            read_roi_stage(folder / "x.safetensors", torch.device("cpu"))

    return read


def stages() -> list[bytes]:
    linear = {"part": "Linear", "in_features": 4, "out_features": 2, "bias": True}
    head = {"stage": {"part": "Sequential", "layers": [linear, {"part": "ReLU"}]}, "inputs": ["a"], "outputs": ["b"]}
    return [written({"__metadata__": {"roi_stage": json.dumps(head)}})]


def checkpoint_ready(folder: Path) -> Read:
    """The pickle of a checkpoint, in a zip as torch writes it."""
    from dirdet_training.mm.checkpoints import read_checkpoint, weights_in

    def read(data: bytes) -> None:
        with zipfile.ZipFile(folder / "x.pth", "w") as archive:
            archive.writestr("archive/data.pkl", data)
            archive.writestr("archive/data/0", bytes(64))
            archive.writestr("archive/version", "3\n")
            archive.writestr("archive/byteorder", "little")
        weights_in(read_checkpoint(folder / "x.pth"))

    return read


def checkpoints() -> list[bytes]:
    import numpy as np
    import torch

    files: list[bytes] = []
    for content in (
        {"state_dict": {"a.weight": torch.zeros(4, 2)}, "meta": {"epoch": 1, "x": np.zeros(2), "y": np.float64(1)}},
        {"a": torch.nn.Parameter(torch.zeros(2))},
    ):
        file = io.BytesIO()
        torch.save(content, file)
        with zipfile.ZipFile(file) as archive:
            files.append(archive.read("archive/data.pkl"))
    return [*files, pickle.dumps({"state_dict": {}}, 2)]


KEY = b"# keys\noperator sha256:" + b"a" * 64 + b" rate=10/s burst=20 admin\n"
READERS: dict[str, Reader] = {
    "list": Reader(source("a.txt"), lambda: [b"a.png\nb.png\nx.mp4\n", "\ufeffa.png\r\n../b.png\n".encode()]),
    "csv": Reader(source("a.csv"), lambda: [b'path,n\na.png,1\n"b,c.png",2\n']),
    "tsv": Reader(source("a.tsv"), lambda: [b"path\tn\na.png\t1\n"]),
    "parquet": Reader(source("a.parquet"), parquet),
    "coco": Reader(source("a.json"), lambda: [written(COCO)], COCO_WORDS),
    "tar": Reader(source("a.tar"), tars, ("path=", "size=", "linkpath=", "GNU.sparse.map=")),
    "zip": Reader(source("a.zip"), zips, ("PK\x01\x02", "PK\x05\x06", "PK\x06\x06", "PK\x06\x07")),
    "video": Reader(source("a.mp4"), videos, ("moov", "trak", "stsz", "stts", "stco", "mdhd", "ctts", "elst", "free")),
    "bundle": Reader(bundle_ready, bundles, (*NUMBERS, "\\ud800", "\\u0000", "../", "README.md", "float32")),
    "results": Reader(results_ready, results, COCO_WORDS),
    "truth": Reader(truth_ready, lambda: [written(COCO)], COCO_WORDS),
    "keys": Reader(keys_ready, lambda: [KEY], ("sha256:", "rate=", "burst=", "admin", "/s", "/min")),
    "job": Reader(job_ready, jobs, NUMBERS),
    "condition": Reader(
        condition_ready,
        lambda: [b"iou >= 0.8 AND label = 'bird'", b"pow(score, 2) + 1 > 0.5 OR regexp_matches(label, 'b.*')"],
        ("CASE WHEN", "THEN", "END", "BETWEEN", "IN (", "::INTEGER", "CAST(", "NOT", "NULL", "[1]", "->", "lambda"),
    ),
    "answer": Reader(answer_ready, answers, NUMBERS),
    "annotations": Reader(annotations_ready, lambda: [written(COCO)], COCO_WORDS),
    "voc": Reader(voc_ready, voc, ("<!DOCTYPE", "<!ENTITY", "&a;", "SYSTEM", "<object>", "<bndbox>", "nan", "inf")),
    "yolo": Reader(
        yolo_ready,
        lambda: [b"names: [bird, fish]\n---\n0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.2 0.2 0.3 0.4\n", b"names: {0: a}\n---\n"],
        ("nan", "inf", "1e999", "-1", "!!python/object", "&a", "*a", "<<:", "? ", "- ", "!!binary", "!!timestamp"),
    ),
    "masks": Reader(masks_ready, lambda: [png()], ("IHDR", "IDAT", "PLTE", "tRNS", "iCCP", "eXIf")),
    "roi stage": Reader(
        stage_ready, stages, ('\\"part\\"', "Conv2d", "BatchNorm2d", "RoIStage", "Proposals", "ReLU", "dtype", "F32")
    ),
    "checkpoint": Reader(
        checkpoint_ready,
        checkpoints,
        ("cbuiltins\ngetattr\n", "cnumpy\nndarray\n", "cnumpy\ndtype\n", "ctorch\nFloatStorage\n", "(", "R", "Q"),
    ),
}
