"""MMDetection's own test pipeline in three parts: loading a file, resizing, and the rest."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.registry import TRANSFORMS
from mmengine.config import Config
from numpy.typing import NDArray

from dirdet_export.dissect.categories import read_dataset
from dirdet_export.dissect.input_pipeline import PLACES, WITHOUT_EFFECT

Results = dict[str, Any]
PACK = "PackDetInputs"


class FilePipeline:
    """The steps of a config that `read_pipeline` accepts, as MMDetection's `inference_detector` runs them."""

    def __init__(self, cfg: Config) -> None:
        steps: Sequence[Mapping[str, Any]] = read_dataset(cfg).get("pipeline") or cfg.get("test_pipeline") or []
        self._parts: dict[int, list[Any]] = {1: [], 2: [], 3: []}
        for step in [*steps, *([] if any(_name(step) == PACK for step in steps) else [{"type": PACK}])]:
            name = _name(step)
            if name == PACK or name in PLACES:
                self._parts[PLACES.get(name, 3)].append(TRANSFORMS.build(dict(step)))
            elif name not in WITHOUT_EFFECT:
                self._parts[3].insert(0, TRANSFORMS.build(dict(step)))

    def _run(self, part: int, results: Results) -> Results:
        for step in self._parts[part]:
            results = step.transform(results)
        return results

    def load(self, file: Path) -> Results:
        """The file's pixels, BGR uint8 [H, W, 3], as `img`."""
        return self._run(1, {"img_path": str(file), "img_id": 0})

    def resize(self, loaded: Results) -> Results:
        """The resized pixels, BGR uint8 [h, w, 3], as `img`."""
        return self._run(2, {"scale_factor": (1.0, 1.0), **loaded})

    def pack(self, resized: Results, pixels: NDArray[np.uint8] | None = None) -> dict[str, Any]:
        """The batch of one picture for the data preprocessor.

        Args:
            resized: from `resize`.
            pixels: BGR [h, w, 3]; replaces the resized ones, also in another size.
        """
        results = dict(resized)
        if pixels is not None:
            scales = np.divide(pixels.shape[1::-1], results["ori_shape"][1::-1])
            results |= {"img": pixels.copy(), "img_shape": pixels.shape[:2], "scale_factor": tuple(scales.tolist())}
        scale = results["scale_factor"]
        packed = self._run(3, results)
        sample = packed["data_samples"]
        # The config may leave out what inference needs.
        sample.set_metainfo({"scale_factor": scale, "ori_shape": resized["ori_shape"]})
        if "img_shape" not in sample:
            sample.set_metainfo({"img_shape": packed["inputs"].shape[-2:]})
        return {"inputs": [packed["inputs"]], "data_samples": [sample]}


def _name(step: Mapping[str, Any]) -> str:
    return str(step.get("type")).rpartition(".")[2]
