"""RoIAlign's loops, compiled by Numba: pooling of a range of boxes, and the gradients of a slice of channels."""

# Channels are the innermost dimension, so that LLVM's vectoriser processes several at once. A bin's samples form a
# grid: the weights of the map's rows and columns in each bin are computed first, so that a pixel that several samples
# share is read once. A sample's place is computed as in torchvision, step by step in float32.

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats, Indices = NDArray[np.float32], NDArray[np.int64]

HALF, ONE, ZERO = np.float32(0.5), np.float32(1), np.float32(0)
# Pixels; every map is smaller than this.
ENDLESS = np.float32(1e6)


@njit(cache=True, nogil=True, error_model="numpy")
def _reach(bin_size: np.float32, length: int) -> int:  # pragma: no cover - compiled
    """Returns the largest number of pixels of a line that one bin can weigh."""
    return min(int(abs(bin_size)) + 3, length) if abs(bin_size) < length else length


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh(  # pragma: no cover - compiled
    start: np.float32,
    bin_size: np.float32,
    samples: int,
    length: int,
    firsts: Indices,
    weights: Floats,
) -> None:
    """Fills in the weight of each pixel of a line in each bin.

    Args:
        start: the start of the box, pixels of the map.
        bin_size: pixels of the map; negative if the box's end is before its start.
        samples: samples per bin.
        length: the length of the line.
        firsts: [bins], the first pixel with a weight.
        weights: [bins, pixels], the weights of the pixels from the first one on.
    """
    weights[:] = ZERO
    for index in range(len(firsts)):
        first = length
        # Two passes: the leftmost pixel must be known before weights can be stored relative to it.
        for again in range(2):
            for sample in range(samples):
                place = (
                    start + np.float32(index) * bin_size + (np.float32(sample) + HALF) * bin_size / np.float32(samples)
                )
                if not -ONE <= place <= np.float32(length):
                    continue
                place = max(place, ZERO)
                low = int(place)
                beyond = low >= length - 1
                low = length - 1 if beyond else low
                if again == 0:
                    first = min(first, low)
                    continue
                share = ZERO if beyond else place - np.float32(low)
                weights[index, low - first] += ONE - share
                if not beyond:
                    weights[index, low + 1 - first] += share
        firsts[index] = first


@njit(cache=True, nogil=True, error_model="numpy")
def _samples(size: np.float32, bins: int, ratio: int) -> int:  # pragma: no cover - compiled
    """Returns the samples per side of a bin: the ratio, or as many as a bin has pixels; 0 for an infinite box."""
    if ratio > 0 or not ZERO < size < ENDLESS:
        return ratio
    return int(np.ceil(size / np.float32(bins)))


@njit(cache=True, nogil=True, error_model="numpy")
def _prepare(  # pragma: no cover - compiled
    roi: Floats, scale: np.float32, shift: np.float32, least: np.float32, size: int, length: int, ratio: int, axis: int
) -> tuple[Indices, Floats, int]:
    """Computes firsts and weights (see `_weigh`) of a box along one axis; returns its samples per bin."""
    start = roi[1 + axis] * scale - shift
    extent = max(roi[3 + axis] * scale - shift - start, least)
    bin_size = extent / np.float32(size)
    samples = _samples(extent, size, ratio)
    firsts = np.empty(size, np.int64)
    weights = np.empty((size, _reach(bin_size, length)), np.float32)
    _weigh(start, bin_size, samples, length, firsts, weights)
    return firsts, weights, samples


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _add(into: Floats, values: Floats, weight: np.float32) -> None:  # pragma: no cover - compiled
    for channel in range(len(into)):
        into[channel] += weight * values[channel]


@njit(cache=True, nogil=True, error_model="numpy")
def _pool_line(  # pragma: no cover - compiled
    line: Floats, bins: Floats, of_line: np.float32, firsts: Indices, weights: Floats
) -> None:
    """Adds one line of a map [W, C] to a row of bins [bins, C]."""
    for j in range(len(firsts)):
        for x in range(weights.shape[1]):
            weight = of_line * weights[j, x]
            if weight != ZERO:
                _add(bins[j], line[firsts[j] + x], weight)


@njit(cache=True, nogil=True, error_model="numpy")
def _send_line_back(  # pragma: no cover - compiled
    bins: Floats, line: Floats, of_line: np.float32, firsts: Indices, weights: Floats, start: int, end: int
) -> None:
    """Adds a row of bins [bins, end - start] to the channels start to end of one line of a map [W, C]."""
    for j in range(len(firsts)):
        for x in range(weights.shape[1]):
            weight = of_line * weights[j, x]
            if weight != ZERO:
                _add(line[firsts[j] + x][start:end], bins[j], weight)


@njit(cache=True, nogil=True, error_model="numpy")
def pool(  # pragma: no cover - compiled
    maps: Floats,
    rois: Floats,
    out: Floats,
    scale: np.float32,
    shift: np.float32,
    least: np.float32,
    ratio: int,
    start: int,
    end: int,
) -> None:
    """Fills out[start:end].

    Args:
        maps: [B, H, W, C].
        rois: [N, 5], picture, x1, y1, x2, y2.
        out: [N, C, bins down, bins across].
        scale: the factor from box coordinates to pixels of the map.
        shift: half a pixel if boxes are aligned, else 0.
        least: the least length of a box's side, pixels of the map; a value below every side sets no bound.
        ratio: samples per side of a bin; 0 takes as many as the bin has pixels.
        start: the start of the range.
        end: the end of the range.
    """
    _, height, width, channels = maps.shape
    down, across = out.shape[2:]
    bins = np.empty((down * across, channels), np.float32)
    for n in range(start, end):
        picture = int(rois[n, 0])
        columns, in_columns, wide = _prepare(rois[n], scale, shift, least, across, width, ratio, 0)
        rows, in_rows, high = _prepare(rois[n], scale, shift, least, down, height, ratio, 1)
        share = ONE / np.float32(max(wide * high, 1))
        bins[:] = ZERO
        for i in range(down):
            for y in range(in_rows.shape[1]):
                weight = in_rows[i, y] * share
                if weight != ZERO:
                    of_row = bins[i * across : (i + 1) * across]
                    _pool_line(maps[picture, rows[i] + y], of_row, weight, columns, in_columns)
        for channel in range(channels):
            for i in range(down):
                for j in range(across):
                    out[n, channel, i, j] = bins[i * across + j, channel]


@njit(cache=True, nogil=True, error_model="numpy")
def send_back(  # pragma: no cover - compiled
    grad_out: Floats,
    rois: Floats,
    grad_maps: Floats,
    scale: np.float32,
    shift: np.float32,
    least: np.float32,
    ratio: int,
    start: int,
    end: int,
) -> None:
    """Adds the gradient from grad_out [N, C, h, w] to channels start to end of grad_maps [B, H, W, C]; see `pool`."""
    _, height, width, _ = grad_maps.shape
    down, across = grad_out.shape[2:]
    bins = np.empty((down * across, end - start), np.float32)
    for n in range(len(rois)):
        picture = int(rois[n, 0])
        columns, in_columns, wide = _prepare(rois[n], scale, shift, least, across, width, ratio, 0)
        rows, in_rows, high = _prepare(rois[n], scale, shift, least, down, height, ratio, 1)
        share = ONE / np.float32(max(wide * high, 1))
        for channel in range(start, end):
            for i in range(down):
                for j in range(across):
                    bins[i * across + j, channel - start] = grad_out[n, channel, i, j]
        for i in range(down):
            for y in range(in_rows.shape[1]):
                weight = in_rows[i, y] * share
                if weight != ZERO:
                    of_row, line = bins[i * across : (i + 1) * across], grad_maps[picture, rows[i] + y]
                    _send_line_back(of_row, line, weight, columns, in_columns, start, end)
