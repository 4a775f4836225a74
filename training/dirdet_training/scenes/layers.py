"""Turns cut-outs and photographs into layers: scaled, turned, toned and blurred at random."""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from dirdet_training.scenes.canvas import Layer, Plane
from dirdet_training.scenes.difficulty import Difficulty, Range
from dirdet_training.scenes.tone import tone_curves

# More than the widest blur reaches.
_MARGIN_PX = 5
# A stamp enlarged further is a smear.
_MOST_ENLARGED = 2.5
_THINNEST_PX = 8.0
# A Gaussian this narrow changes nothing that JPEG keeps.
_NARROWEST_BLUR_PX = 0.2


def log_uniform(rng: np.random.Generator, bounds: Range) -> float:
    """A number between two positive bounds whose logarithm is uniform."""
    return math.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1])))


def _to_layer(premultiplied: Image.Image) -> Layer:
    values = np.asarray(premultiplied, dtype=np.float32)  # [h, w, 4]
    return Layer(values[..., :3], values[..., 3] / np.float32(255))


def blurred(picture: Image.Image, radius: float) -> Image.Image:
    """The picture under a Gaussian of this radius in pixels."""
    return picture.filter(ImageFilter.GaussianBlur(radius)) if radius > _NARROWEST_BLUR_PX else picture


def _target_size(rng: np.random.Generator, picture: Image.Image, difficulty: Difficulty) -> tuple[int, int]:
    """Width and height in pixels of an object before it is turned."""
    width, height = float(picture.width), float(picture.height)
    width *= log_uniform(rng, (1 / difficulty.aspect, difficulty.aspect))
    longer = max(width, height)
    scale = min(log_uniform(rng, difficulty.longer_side_px) / longer, _MOST_ENLARGED)
    thin_limit = min(_THINNEST_PX / min(width, height), difficulty.longer_side_px[1] / longer)
    scale = max(scale, thin_limit, difficulty.longer_side_px[0] / longer)
    return max(1, round(width * scale)), max(1, round(height * scale))


def object_layer(rng: np.random.Generator, cutout: Image.Image, difficulty: Difficulty) -> Layer:
    """A cut-out as it appears in a scene, with a transparent margin.

    Args:
        rng: what everything is drawn from.
        cutout: RGBA, straight alpha.
        difficulty: the ranges.
    """
    # Pillow premultiplies inside resize and rotate of RGBA, so no colour leaks in from transparent pixels.
    picture = cutout.resize(_target_size(rng, cutout, difficulty), Image.Resampling.BICUBIC, reducing_gap=2.0)
    if rng.random() < 0.5:
        picture = ImageOps.mirror(picture)
    picture = picture.point([*tone_curves(rng, strength=difficulty.object_tone), *range(256)])
    angle = rng.uniform(-difficulty.rotation_deg, difficulty.rotation_deg)
    picture = picture.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    picture = ImageOps.expand(picture.convert("RGBa"), _MARGIN_PX)
    return _to_layer(blurred(picture, rng.uniform(*difficulty.object_blur_px)))


def shadow_layer(rng: np.random.Generator, layer: Layer) -> tuple[Layer, tuple[int, int]]:
    """The shadow that a layer drops.

    Returns:
        A black layer and its offset (down, right) in pixels from the layer's first pixel.
    """
    reach = 0.12 * max(layer.alpha.shape)
    radius = max(1.0, rng.uniform(0.2, 0.5) * reach)
    margin = math.ceil(2.5 * radius)
    flat = ImageOps.expand(Image.fromarray(np.rint(layer.alpha * 255).astype(np.uint8)), margin)
    soft = np.asarray(blurred(flat, radius), dtype=np.float32) / np.float32(255)
    alpha = soft * np.float32(rng.uniform(0.25, 0.55))
    down, right = rng.uniform(0.1, 0.8) * reach, rng.uniform(-0.8, 0.8) * reach
    offset = round(down) - margin, round(right) - margin
    return Layer(np.zeros((*alpha.shape, 3), dtype=np.float32), alpha), offset


def crop_photograph(rng: np.random.Generator, photograph: Image.Image, size_wh: tuple[int, int]) -> Image.Image:
    """A random window of a photograph, of random scale and side, as RGB of exactly `size_wh` pixels."""
    width, height = size_wh
    widest = min(photograph.width / width, photograph.height / height)
    scale = log_uniform(rng, (min(0.7, widest), widest))
    left = rng.uniform(0, photograph.width - scale * width)
    top = rng.uniform(0, photograph.height - scale * height)
    box = (left, top, min(left + scale * width, photograph.width), min(top + scale * height, photograph.height))
    window = photograph.resize(size_wh, Image.Resampling.BILINEAR, box=box)
    return ImageOps.mirror(window) if rng.random() < 0.5 else window


def background(rng: np.random.Generator, photograph: Image.Image, size_wh: tuple[int, int]) -> Plane:
    """What a scene is laid on, [H, W, 3], 0 to 255."""
    return np.array(crop_photograph(rng, photograph, size_wh), dtype=np.float32)


def occluder_layer(rng: np.random.Generator, photograph: Image.Image, difficulty: Difficulty) -> Layer:
    """A patch of a photograph in a random star-like outline: it hides objects and is none."""
    side = round(log_uniform(rng, (24.0, 90.0)))
    corners = int(rng.integers(5, 12))
    angles = (np.arange(corners) + rng.uniform(-0.35, 0.35, corners)) * (2 * math.pi / corners)
    radii = rng.uniform(0.45, 1.0, corners) * 2 * side  # of an outline drawn four times too large
    outline = [
        (2 * side + radius * math.cos(angle), 2 * side + radius * math.sin(angle))
        for angle, radius in zip(angles.tolist(), radii.tolist(), strict=True)
    ]
    mask = Image.new("L", (4 * side, 4 * side))
    ImageDraw.Draw(mask).polygon(outline, fill=255)
    patch = crop_photograph(rng, photograph, (side, side))
    patch = patch.point(tone_curves(rng, strength=difficulty.object_tone))
    patch.putalpha(mask.resize((side, side), Image.Resampling.BOX))
    patch = ImageOps.expand(patch.convert("RGBa"), _MARGIN_PX)
    return _to_layer(blurred(patch, rng.uniform(*difficulty.object_blur_px)))
