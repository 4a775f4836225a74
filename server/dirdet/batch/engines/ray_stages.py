"""The code of a Ray cluster's workers: reads a part's pictures into batches, and detects on batches.

A row is a batch, or a part's pictures that could not be read. Batches are filled as in this process
(`dirdet.batch.parts`), so they give the same numbers.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dirdet.batch.arrow import arrow
from dirdet.batch.parts import BatchFiller, MissingParts
from dirdet.batch.reading import Reader, reason_of
from dirdet.batch.redirects import allow, typed
from dirdet.batch.source_picture import Entry
from dirdet.batch.unreachable_sources import Unreached
from dirdet.bundle.bundle import MANIFEST, Bundle, sha256_of
from dirdet.bundle.interpolation import Decode
from dirdet.bundle.shipped import open_bundle
from dirdet.detection import Detection, all_to_json
from dirdet.detector.detector import Detector
from dirdet.detector.options import Settings
from dirdet.detector.postprocess import detections_of
from dirdet.engines.factory import make_engine
from dirdet.engines.tensors import CanvasBatch
from dirdet.errors import BundleError, PictureError
from dirdet.pictures.canvas import Fit, PlacedPicture
from dirdet.pictures.reading import silence_parsers

_NO_CANVAS = np.empty((0, 0, 0, 3), np.uint8)


class _Read(NamedTuple):
    position: int
    picture: PlacedPicture


class ReadPart:
    """Reads, decodes and places the pictures of parts; a generator, so that few pictures are in memory."""

    def __init__(self, missing: MissingParts, folder: Path, *, tiled: bool, decode: Decode) -> None:
        """Takes a job whose plan and pictures have the same paths on every worker, and the folder of the bundle.

        With `tiled`, pictures are only named: the actor that detects reads them, tile by tile.
        """
        self._missing, self._folder, self._typed, self._tiled = missing, folder, typed(), tiled
        self._decode: Decode = decode

    def __call__(self, parts: Any) -> Iterator[Any]:  # noqa: ANN401 - pyarrow says no types
        """Yields tables of one row each, for a table with the column `part`."""
        allow(self._typed)
        silence_parsers()
        read, unreached = Reader(open_bundle(self._folder).manifest, decode=self._decode), Unreached()
        for part in parts["part"].to_pylist():
            if self._tiled:
                for planned in self._missing.of(part):
                    yield _row(part, [{"position": planned.position, "entry": _told(planned.entry)}], _NO_CANVAS)
                continue
            filling: BatchFiller[_Read] = BatchFiller()
            failures: list[dict[str, Any]] = []
            for planned in self._missing.of(part):
                try:
                    with unreached.counted():
                        picture = read(planned.entry)
                except PictureError as exc:
                    failures.append(_failure(planned.position, exc))
                    continue
                if batch := filling.add(picture.fit.canvas_hw, _Read(planned.position, picture)):
                    yield _batch_row(part, batch)
            for batch in filling.rest():
                yield _batch_row(part, batch)
            if failures:
                yield _row(part, failures, _NO_CANVAS)


class Infer:
    """An actor that holds the network."""

    def __init__(
        self, folder: Path, bundle_sha256: str, settings: Settings, threads: int, typed_addresses: Sequence[str]
    ) -> None:
        """Loads the network.

        Args:
            folder: of the bundle, also on this worker's machine.
            bundle_sha256: of the job's bundle.json.
            settings: of the detections.
            threads: of an inference.
            typed_addresses: as `typed` returned them where the job was typed.

        Raises:
            BundleError: the folder holds another bundle.
        """
        bundle = checked_bundle(folder, bundle_sha256)
        self._detector = Detector(bundle.manifest, make_engine(bundle, threads=threads))
        self._settings = settings
        self._reader, self._unreached = Reader(bundle.manifest, decode=settings.decode), Unreached()
        silence_parsers()
        allow(typed_addresses)

    def __call__(self, rows: Any) -> Any:  # noqa: ANN401
        """A table with `part`, `engine`, and `outcomes`: the outcome of each picture of a row, as JSON."""
        outcomes = [self._outcomes(row) for row in rows.to_pylist()]
        engine = self._detector.engine.description
        return arrow().table({"part": rows["part"], "engine": [engine] * len(outcomes), "outcomes": outcomes})

    def _outcomes(self, row: dict[str, Any]) -> str:
        members: list[dict[str, Any]] = json.loads(row["members"])
        if not row["canvas"]:
            return json.dumps([self._in_tiles(each) if "entry" in each else each for each in members])
        canvases = np.frombuffer(row["canvas"], np.uint8).reshape(row["shape"])  # [B, H, W, 3]
        fits = [Fit(*(tuple(hw) for hw in member["fit"])) for member in members]
        placed = [PlacedPicture(canvas, fit) for canvas, fit in zip(canvases, fits, strict=True)]
        candidates = self._detector.engine.detect(CanvasBatch.of(placed, [self._settings] * len(placed)))
        found = [
            detections_of(candidates, index, fit=fit, manifest=self._detector.manifest, settings=self._settings)
            for index, fit in enumerate(fits)
        ]
        return json.dumps(
            [
                _outcome(member["position"], fit.picture_hw, detections)
                for member, fit, detections in zip(members, fits, found, strict=True)
            ]
        )

    def _in_tiles(self, member: dict[str, Any]) -> dict[str, Any]:
        position, entry = member["position"], member["entry"]
        try:
            with ExitStack() as stack:
                with self._unreached.counted():
                    regions = stack.enter_context(self._reader.regions(_entry(entry)))
                found = self._detector.detect_regions(regions, self._settings)
                return _outcome(position, regions.size[::-1], found.detections)
        except PictureError as exc:
            return _failure(position, exc)


def checked_bundle(folder: Path, bundle_sha256: str) -> Bundle:
    """Opens the bundle in a folder.

    Raises:
        BundleError: the folder holds another bundle, or none.
    """
    bundle = open_bundle(folder)
    if (found := sha256_of(bundle.folder / MANIFEST)) != bundle_sha256:
        raise BundleError(
            f"{folder} on a node of the cluster has another bundle.json: {found[:12]} is not {bundle_sha256[:12]}"
        )
    return bundle


def describe(folder: Path, bundle_sha256: str) -> str:
    """Description of a worker's engine (`dirdet.engines.base.Engine.description`)."""
    engine = make_engine(checked_bundle(folder, bundle_sha256))
    try:
        return engine.description
    finally:
        engine.close()


def _outcome(position: int, picture_hw: tuple[int, ...], detections: Sequence[Detection]) -> dict[str, Any]:
    return {"position": position, "picture_hw": picture_hw, "detections": all_to_json(detections)}


def _failure(position: int, error: PictureError) -> dict[str, Any]:
    return {"position": position, "reason": reason_of(error), "error": str(error)}


def _told(entry: Entry) -> dict[str, Any]:
    return asdict(entry) | {"path": os.fsdecode(entry.path)}


def _entry(told: dict[str, Any]) -> Entry:
    return replace(Entry(**told), path=os.fsencode(told["path"]))


def _batch_row(part: int, batch: list[_Read]) -> Any:  # noqa: ANN401
    fits = [read.picture.fit for read in batch]
    members = [
        {"position": read.position, "fit": (fit.picture_hw, fit.resized_hw, fit.canvas_hw)}
        for read, fit in zip(batch, fits, strict=True)
    ]
    return _row(part, members, np.stack([read.picture.canvas for read in batch]))


def _row(part: int, members: list[dict[str, Any]], canvases: np.ndarray[Any, np.dtype[np.uint8]]) -> Any:  # noqa: ANN401
    return arrow().table(
        {
            "part": [part],
            "members": [json.dumps(members)],
            "shape": [list(canvases.shape)],
            "canvas": [canvases.tobytes()],
        }
    )
