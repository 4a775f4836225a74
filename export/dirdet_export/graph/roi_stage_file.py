"""Reads roi_stage.safetensors: the weights and, in the header, the description of the RoI stage."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from dirdet_export.graph.description import Description, build
from dirdet_export.graph.roi_stage import RoIStage

# The header's only entry: JSON with the keys of `StageFile`; the stage is a description.
HEADER = "roi_stage"
MOST_CHARACTERS = 2**22


class StageFile(NamedTuple):
    """Content of the file.

    Attributes:
        stage: with its weights in float32, in evaluation mode.
        inputs: names of its inputs, in order.
        outputs: names of its outputs, in order.
    """

    stage: RoIStage
    inputs: list[str]
    outputs: list[str]


def read_roi_stage(path: Path, device: torch.device) -> StageFile:
    """Reads a RoI stage to a device.

    Raises:
        ValueError: another kind of file, or its weights do not fit the description.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            text = (file.metadata() or {})[HEADER]
            if len(text) > MOST_CHARACTERS:
                raise ValueError(f"its description has more than {MOST_CHARACTERS} characters")
            header: Any = json.loads(text)
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no dict
        _check_shapes(header["stage"], shapes)
        stage = build(header["stage"])
        stage.load_state_dict(load_file(str(path)))
        return StageFile(stage.to(device), list(header["inputs"]), list(header["outputs"]))
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as exc:
        raise ValueError(f"{path.name} holds no RoI stage that this can run: {' '.join(str(exc).split())}") from exc


def _check_shapes(description: Description, found: dict[str, tuple[int, ...]]) -> None:
    """Compares a description with the file's weights before it takes memory: its layers may have any size.

    Raises:
        ValueError: not a valid description, or its weights are others.
    """
    with torch.device("meta"):
        expected = {name: tuple(values.shape) for name, values in build(description).state_dict().items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            described, stored = (
                str(list(shape)) if shape is not None else "none" for shape in (expected.get(name), found.get(name))
            )
            raise ValueError(f"the weights {name} are {stored} in the file and {described} in its description")
