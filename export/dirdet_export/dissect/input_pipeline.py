"""The test pipeline of a config: how a picture is resized, padded and normalised; unknown steps are refused by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

from mmengine.config import Config

from dirdet.bundle.bundle import ResizeRule
from dirdet.bundle.interpolation import Interpolation
from dirdet_export.dissect.categories import read_dataset
from dirdet_export.dissect.supported import require
from dirdet_export.errors import UnsupportedError

Step = Mapping[str, Any]

# Steps that do not change a picture in the test pipeline.
WITHOUT_EFFECT = frozenset({"LoadAnnotations", "LoadPanopticAnnotations", "FilterAnnotations", "PackDetInputs"})
# The others, and their place in the pipeline.
PLACES = {
    "LoadImageFromFile": 1,
    "Resize": 2,
    "FixScaleResize": 2,
    "ResizeShortestEdge": 2,
    "Pad": 3,
    "Normalize": 3,
}
# Sides of a rule by a factor, until those of the largest canvas take their place.
ANY_SIDE = 2**31


@dataclass(frozen=True, slots=True)
class Normalisation:
    """A Normalize step.

    Attributes:
        mean: of three channels, in 0..255.
        std: of three channels.
        to_rgb: the channels are turned from BGR to RGB before.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    to_rgb: bool


@dataclass(frozen=True, slots=True)
class Pad:
    """A Pad step: constant pixels right of and below the picture, which MMDetection counts as picture afterwards.

    Attributes:
        multiple: both sides become multiples of this, pixels.
        at_least_hw: both sides become at least these, pixels.
        value: of three channels, in the channels' order at that step.
        normalised: whether the step follows a Normalize step, so that the value is one of normalised pixels.
    """

    multiple: int = 1
    at_least_hw: tuple[int, int] = (0, 0)
    value: tuple[float, ...] = (0.0, 0.0, 0.0)
    normalised: bool = False


@dataclass(frozen=True, slots=True)
class InputPipeline:
    """What becomes of a picture before the data preprocessor.

    Attributes:
        resize: its rule; `short_side` and `long_side` are `ANY_SIDE` if the rule has a factor.
        pad: the Pad step, if there is one.
        normalise: the Normalize step, if there is one.
    """

    resize: ResizeRule
    pad: Pad | None = None
    normalise: Normalisation | None = None


def _name(step: Step) -> str:
    return str(step.get("type")).rpartition(".")[2]


def _check_settings(step: Step, *known: str) -> None:
    unknown = sorted(set(step) - {"type", *known})
    require(unknown, [], name=f"settings of {_name(step)} beside {', '.join(known) or 'none'}")


def _interpolation(step: Step) -> Interpolation:
    backend, kind = step.get("backend", "cv2"), step.get("interpolation", "bilinear")
    name = f"{_library(backend)}_{kind}"
    if name not in get_args(Interpolation):
        raise UnsupportedError(
            f"export supports the interpolations of cv2 and pillow in {_name(step)}; this config has "
            f"backend={backend!r}, interpolation={kind!r}"
        )
    return cast("Interpolation", name)


def _library(backend: object) -> str:
    return {"cv2": "opencv", "pillow": "pillow"}.get(str(backend), "unknown")


def _pair(value: object, *, name: str) -> tuple[int, int]:
    """A scale: one number stands for two."""
    pair = [value, value] if isinstance(value, int) else value
    if not isinstance(pair, Sequence) or len(pair) != 2 or not all(isinstance(side, int) and side > 0 for side in pair):
        raise UnsupportedError(f"export supports {name} of two positive integers only; this config has {value!r}")
    return int(pair[0]), int(pair[1])


def _read_resize(step: Step) -> ResizeRule:
    interpolation = _interpolation(step)
    if _name(step) == "ResizeShortestEdge":
        _check_settings(step, "scale", "max_size", "backend", "interpolation", "resize_type", "keep_ratio")
        require(str(step.get("resize_type", "Resize")).rpartition(".")[2], "Resize", name="resize_type")
        short, long = min(_pair(step.get("scale"), name="scale")), step.get("max_size")
        if not isinstance(long, int) or long < short:
            raise UnsupportedError(
                f"export supports ResizeShortestEdge with a max_size of at least {short}, its scale; "
                f"this config has {long!r}"
            )
        return ResizeRule(short_side=short, long_side=long, interpolation=interpolation)
    _check_settings(step, "scale", "scale_factor", "keep_ratio", "clip_object_border", "backend", "interpolation")
    keeps, down = bool(step.get("keep_ratio", False)), _name(step) == "FixScaleResize"
    if step.get("scale") is None:
        factors = step.get("scale_factor")
        factor = factors[0] if isinstance(factors, Sequence) and len(set(factors)) == 1 else factors
        if not isinstance(factor, float) or factor <= 0 or (down and keeps):
            raise UnsupportedError(
                f"export supports {_name(step)} with one positive scale_factor for both sides; this config has {step!r}"
            )
        return ResizeRule(
            short_side=ANY_SIDE, long_side=ANY_SIDE, interpolation=interpolation, factor=factor, keep_ratio=keeps
        )
    width, height = _pair(step["scale"], name="scale")
    return ResizeRule(
        short_side=min(width, height),
        long_side=max(width, height),
        interpolation=interpolation,
        fixed_hw=None if keeps else (height, width),
        rounds_down=down and keeps,
    )


def _read_pad(step: Step, rule: ResizeRule, *, normalised: bool) -> Pad:
    _check_settings(step, "size", "size_divisor", "pad_to_square", "pad_val", "padding_mode")
    require(step.get("padding_mode", "constant"), "constant", name="Pad.padding_mode")
    told = step.get("pad_val", 0)
    value = told.get("img", 0) if isinstance(told, Mapping) else told
    if not isinstance(value, Sequence):
        # mmcv repeats an integer; of another number OpenCV takes zeros for the other channels.
        value = [value] * 3 if isinstance(value, int) else [value, 0, 0]
    values = tuple(float(each) for each in value)
    require(len(values), 3, name="number of values of Pad.pad_val")
    pad = Pad(value=values, normalised=normalised)
    if step.get("size") is not None:
        width, height = _pair(step["size"], name="Pad.size")
        return replace(pad, at_least_hw=(height, width))
    if step.get("pad_to_square", False):
        # The longer side of every picture is then the rule's.
        require(
            rule.fixed_hw is None and rule.short_side == rule.long_side != ANY_SIDE,
            True,
            name=("Pad.pad_to_square after a Resize to a square with keep_ratio"),
        )
        pad = replace(pad, at_least_hw=(rule.long_side, rule.long_side))
    return replace(pad, multiple=int(step.get("size_divisor") or 1))


def _read_normalise(step: Step) -> Normalisation:
    _check_settings(step, "mean", "std", "to_rgb")
    mean, std = (tuple(float(each) for each in step[name]) for name in ("mean", "std"))
    require((len(mean), len(std)), (3, 3), name="numbers of values of Normalize.mean and std")
    return Normalisation(mean, std, bool(step.get("to_rgb", True)))


def _check_loading(step: Step) -> None:
    _check_settings(
        step, "to_float32", "color_type", "imdecode_backend", "backend_args", "file_client_args", "ignore_empty"
    )
    require(bool(step.get("to_float32", False)), False, name="LoadImageFromFile.to_float32")
    require(step.get("color_type", "color"), "color", name="LoadImageFromFile.color_type")
    # Others read grey with alpha, grey of 16 bits and EXIF in other ways. mmcv takes cv2 for None.
    require(step.get("imdecode_backend") or "cv2", "cv2", name="LoadImageFromFile.imdecode_backend")


def read_pipeline(cfg: Config) -> InputPipeline:
    """The config's test pipeline.

    Raises:
        UnsupportedError: it has a step, an order or a setting that a bundle cannot express; names it.
    """
    steps: Sequence[Step] = read_dataset(cfg).get("pipeline") or cfg.get("test_pipeline") or []
    found = InputPipeline(
        ResizeRule(short_side=ANY_SIDE, long_side=ANY_SIDE, interpolation="opencv_bilinear", factor=1.0)
    )
    place = 0
    for step in steps:
        name = _name(step)
        if name in WITHOUT_EFFECT or (name == "RandomFlip" and step.get("prob") == 0):
            continue
        if name not in PLACES:
            raise UnsupportedError(
                f"export supports the test pipeline's steps {', '.join((*PLACES, *sorted(WITHOUT_EFFECT)))}; "
                f"this config has {name}"
            )
        told_before = (name == "Pad" and found.pad) or (name == "Normalize" and found.normalise)
        if PLACES[name] < place or (PLACES[name] == place != PLACES["Pad"]) or told_before:
            raise UnsupportedError(
                "export supports one LoadImageFromFile, then one resizing step, then Pad and Normalize in either "
                f"order; this config's test pipeline has {name} at another place or twice"
            )
        place = PLACES[name]
        if name == "LoadImageFromFile":
            _check_loading(step)
        elif name == "Pad":
            found = replace(found, pad=_read_pad(step, found.resize, normalised=found.normalise is not None))
        elif name == "Normalize":
            found = replace(found, normalise=_read_normalise(step))
        else:
            found = replace(found, resize=_read_resize(step))
    return found


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """How canvases become the network's input; constructor parameters of `graph.trunk.Trunk` and `graph.padding`.

    Attributes:
        mean: of the network's three channels, in 0..255.
        std: of the network's three channels.
        swap_channels: whether the network's input is BGR.
        padding_value: value of pixels outside the picture and its Pad step, after normalisation.
        multiple: both sides of a picture after its Pad step are multiples of this, pixels.
        at_least_hw: both sides of a picture after its Pad step are at least these, pixels.
        fill: of the network's three channels, value of the Pad step's pixels after normalisation; None without one.
    """

    mean: list[float]
    std: list[float]
    swap_channels: bool
    padding_value: float
    multiple: int = 1
    at_least_hw: tuple[int, int] = (0, 0)
    fill: tuple[float, ...] | None = None


def read_input(preprocessor: Any, pipeline: InputPipeline | None = None) -> NetworkInput:  # noqa: ANN401
    """Combines the test pipeline with the data preprocessor.

    Args:
        preprocessor: MMDetection's DetDataPreprocessor.
        pipeline: None for one without Pad and Normalize.

    Raises:
        UnsupportedError: another preprocessor, or both normalise.
    """
    require(type(preprocessor).__name__, "DetDataPreprocessor", name="data_preprocessor.type")
    step = pipeline.normalise if pipeline is not None else None
    pad = pipeline.pad if pipeline is not None else None
    converts = bool(preprocessor._channel_conversion)
    mean, std = [0.0] * 3, [1.0] * 3
    if step is not None:
        require(preprocessor._enable_normalize, False, name="normalisation in data_preprocessor after a Normalize step")
        # The step's channels, in the order in which the network sees them.
        order = slice(None, None, -1 if converts else 1)
        mean, std = list(step.mean[order]), list(step.std[order])
    elif preprocessor._enable_normalize:
        mean, std = ((each.flatten().tolist() * 3)[:3] for each in (preprocessor.mean, preprocessor.std))
    # MMDetection reads pictures as BGR.
    swaps = converts == (step is not None and step.to_rgb)
    plain = NetworkInput(mean, std, swap_channels=swaps, padding_value=float(preprocessor.pad_value))
    if pad is None:
        return plain
    # The Pad step's channels are BGR unless Normalize turned them before.
    turned = converts != (step is not None and step.to_rgb and not pad.normalised)
    fill = pad.value[:: -1 if turned else 1]
    if not pad.normalised:
        fill = tuple((value - each) / deviation for value, each, deviation in zip(fill, mean, std, strict=True))
    return replace(plain, multiple=pad.multiple, at_least_hw=pad.at_least_hw, fill=fill)
