"""The bundle's side of the comparison as a client sees it: POST /detect of the real application."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from starlette.testclient import TestClient

from dirdet.bundle.bundle import Manifest
from dirdet.detection import Detection
from dirdet.detector.detector import Detector
from dirdet.engines.base import Engine
from dirdet.gateway.app import create_app
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet.pictures.canvas import Fit
from dirdet_export.errors import ParityError
from dirdet_export.parity.found_boxes import Floats, Found

# A large network on a busy machine takes its time.
PATIENCE_S = 3600.0


class ServedFiles:
    """An application that answers about files.

    Attributes:
        engine: that it serves with.
    """

    def __init__(self, client: TestClient, engine: Engine) -> None:
        self._client = client
        self.engine = engine

    def detect(self, files: Sequence[Path], fits: Sequence[Fit], *, score_threshold: float) -> list[Found]:
        """Detections of files in one request, in pixels of their canvases.

        Raises:
            ParityError: the application refuses the files.
        """
        forms = [("image", (file.name, file.read_bytes())) for file in files]
        answer = self._client.post(
            "/detect", params={"score_threshold": score_threshold, "decode": "exact"}, files=forms
        )
        images: list[dict[str, Any]] = answer.json().get("images", [])
        if answer.status_code != 200 or any("error" in image for image in images):
            raise ParityError(f"POST /detect of {', '.join(file.name for file in files)}: {answer.text[:500]}")
        return [_found(image["detections"], fit) for image, fit in zip(images, fits, strict=True)]


def _found(told: list[dict[str, Any]], fit: Fit) -> Found:
    detections = [Detection.from_json(each) for each in told]

    def column(name: str) -> Floats | None:
        values = [getattr(each, name) for each in detections]
        return None if None in values else np.array(values, np.float64)

    def known(name: str) -> Floats:
        return np.array([getattr(each, name) for each in detections], np.float64)

    return Found(
        boxes_xyxy=fit.to_canvas(np.array([each.box_xyxy for each in detections], np.float64).reshape(-1, 4)),
        class_id=np.array([each.class_id for each in detections], np.int64),
        score=known("score"),
        purity=column("purity"),
        integrity=column("integrity"),
        iou=column("iou"),
        confidence=known("confidence"),
    )


@contextmanager
def served(manifest: Manifest, engine: Engine) -> Generator[ServedFiles]:
    """The application over an engine, which is closed with it."""
    limits = ServerLimits(timeout_s=PATIENCE_S, max_timeout_s=PATIENCE_S)
    with TestClient(create_app(Detector(manifest, engine), limits=limits)) as client:
        yield ServedFiles(client, engine)
