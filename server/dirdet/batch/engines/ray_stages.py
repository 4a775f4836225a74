"""What runs on a Ray cluster's workers: a part's pictures into batches, and batches into what was found.

A row is a batch, or the pictures of a part that could not be read. It is filled as in this process
(`dirdet.batch.filling`), so that it gives the same numbers.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dirdet.batch.arrow import arrow
from dirdet.batch.filling import Filling
from dirdet.batch.missing import Missing
from dirdet.batch.reading import Reader, reason_of
from dirdet.bundle import MANIFEST, Bundle, sha256_of
from dirdet.canvas import Fit
from dirdet.detections import detections_of
from dirdet.detector import Detector, PlacedPicture, canvas_batch
from dirdet.engines.factory import make_engine
from dirdet.errors import BundleError, PictureError
from dirdet.options import Settings
from dirdet.shipped import open_bundle


class _Read(NamedTuple):
    position: int
    picture: PlacedPicture


class ReadPart:
    """Reads, decodes and places the pictures of parts; a generator, so that few are held."""

    def __init__(self, missing: Missing, folder: Path) -> None:
        """For a job, whose plan and pictures every worker sees under the same paths, and a bundle's canvases."""
        self._missing, self._folder = missing, folder

    def __call__(self, parts: Any) -> Iterator[Any]:  # noqa: ANN401 - pyarrow says no types
        """A table of one row after the other, for a table with the column `part`."""
        read = Reader(open_bundle(self._folder).manifest)
        for part in parts["part"].to_pylist():
            filling: Filling[_Read] = Filling()
            failures: list[dict[str, Any]] = []
            for planned in self._missing.of(part):
                try:
                    picture = read(planned.entry)
                except PictureError as exc:
                    failures.append({"position": planned.position, "reason": reason_of(exc), "error": str(exc)})
                    continue
                if batch := filling.add(picture.fit.canvas_hw, _Read(planned.position, picture)):
                    yield _batch_row(part, batch)
            for batch in filling.rest():
                yield _batch_row(part, batch)
            if failures:
                yield _row(part, failures, np.empty((0, 0, 0, 3), np.uint8))


class Infer:
    """An actor with the network."""

    def __init__(self, folder: Path, bundle_sha256: str, settings: Settings, threads: int) -> None:
        """Loads it.

        Args:
            folder: of the bundle, on this worker's machine too.
            bundle_sha256: of its bundle.json, as the job has it.
            settings: which detections are wanted.
            threads: of an inference.

        Raises:
            BundleError: another bundle is there.
        """
        bundle = checked_bundle(folder, bundle_sha256)
        self._detector = Detector(bundle.manifest, make_engine(bundle, threads=threads))
        self._settings = settings

    def __call__(self, rows: Any) -> Any:  # noqa: ANN401
        """A table with `part`, `engine`, and `told`: what is known of each picture of a row, as JSON."""
        told = [self._told(row) for row in rows.to_pylist()]
        engine = self._detector.engine.description
        return arrow().table({"part": rows["part"], "engine": [engine] * len(told), "told": told})

    def _told(self, row: dict[str, Any]) -> str:
        members: list[dict[str, Any]] = json.loads(row["members"])
        if not row["canvas"]:
            return json.dumps(members)
        canvases = np.frombuffer(row["canvas"], np.uint8).reshape(row["shape"])  # [B, H, W, 3]
        fits = [Fit(*(tuple(hw) for hw in member["fit"])) for member in members]
        placed = [PlacedPicture(canvas, fit) for canvas, fit in zip(canvases, fits, strict=True)]
        candidates = self._detector.engine.detect(canvas_batch(placed, [self._settings] * len(placed)))
        found = [
            detections_of(candidates, index, fit=fit, manifest=self._detector.manifest, settings=self._settings)
            for index, fit in enumerate(fits)
        ]
        return json.dumps(
            [
                {
                    "position": member["position"],
                    "picture_hw": fit.picture_hw,
                    "detections": [each.to_json() for each in detections],
                }
                for member, fit, detections in zip(members, fits, found, strict=True)
            ]
        )


def checked_bundle(folder: Path, bundle_sha256: str) -> Bundle:
    """The bundle in a folder.

    Raises:
        BundleError: another one, or none, is there.
    """
    bundle = open_bundle(folder)
    if (found := sha256_of(bundle.folder / MANIFEST)) != bundle_sha256:
        raise BundleError(
            f"{folder} on a node of the cluster has another bundle.json: {found[:12]} is not {bundle_sha256[:12]}"
        )
    return bundle


def describe(folder: Path, bundle_sha256: str) -> str:
    """What computes on a worker, as `dirdet.engines.base.Engine.description` says it."""
    engine = make_engine(checked_bundle(folder, bundle_sha256))
    try:
        return engine.description
    finally:
        engine.close()


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
