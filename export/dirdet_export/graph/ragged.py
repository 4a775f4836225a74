"""Rows of unequal number in one padded tensor: take the best, cut, fill up, pick."""

from typing import Any

import torch
from torch import Tensor


def top(values: Tensor, limit: int | None) -> tuple[Tensor, Tensor]:
    """The highest values of each row, highest first.

    Args:
        values: [B, N].
        limit: how many at most; None takes all.

    Returns:
        Values and their positions, [B, min(N, limit)] each.
    """
    # The number of columns as a tensor: the comparison stays in the traced graph, as a Python min would not.
    columns: Any = torch._shape_as_tensor(values)[1]  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
    count = columns if limit is None else columns.clamp(max=limit)
    return torch.topk(values, count, dim=1)


def fit(values: Tensor, length: int) -> Tensor:
    """The same rows with exactly `length` columns: [B, N, ...] to [B, length, ...], cut or filled with zeros."""
    filling = values.new_zeros((values.shape[0], length, *values.shape[2:]))
    return torch.cat([values, filling], dim=1)[:, :length]


def pick(values: Tensor, columns: Tensor) -> Tensor:
    """Chosen columns of each row.

    Args:
        values: [B, N, D].
        columns: [B, K], positions in 0..N-1.

    Returns:
        [B, K, D].
    """
    return values.gather(1, columns.unsqueeze(-1).expand(-1, -1, values.shape[2]))


def longest(present: Tensor) -> Tensor:
    """How many columns the fullest row uses, at least 1, when each row's present ones [B, N] come first: [].

    At least 1, because not every operator takes an empty tensor.
    """
    return present.sum(1).max().clamp(min=1)


def distinct(values: Tensor, limit: int) -> tuple[Tensor, Tensor]:
    """Where each distinct value of a row stands, so that what depends on it alone is computed once.

    Args:
        values: [B, N], integers in 0..limit-1.
        limit: above all values.

    Returns:
        [B, U], columns with a value each, all of the row's among them; U is as small as the row with the most allows.
        [B, N], the position among those columns of each value.
    """
    column = torch.ones_like(values).cumsum(1) - 1  # [B, N]
    last = values.new_zeros((values.shape[0], limit)).scatter(1, values, column)  # [B, limit], one that has the value
    chosen = last.gather(1, values)  # [B, N]
    stands = chosen == column  # [B, N]
    _, columns = top(stands.to(torch.float32), None)  # [B, N]
    columns = columns[:, : longest(stands)]  # [B, U]
    number = torch.ones_like(columns).cumsum(1) - 1  # [B, U]
    place = torch.zeros_like(values).scatter(1, columns, number).gather(1, chosen)  # [B, N]
    return columns, place
