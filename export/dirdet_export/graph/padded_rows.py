"""Operations on rows of unequal length in one padded tensor."""

from typing import Any

import torch
from torch import Tensor


def top(values: Tensor, limit: int | None) -> tuple[Tensor, Tensor]:
    """The highest values of each row, in descending order.

    Args:
        values: [B, N].
        limit: largest number of values; None takes all.

    Returns:
        Values and their positions, [B, min(N, limit)] each.
    """
    if not torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return torch.topk(values, values.shape[1] if limit is None else min(values.shape[1], limit), dim=1)
    # The number of columns as a tensor: the comparison then is in the traced graph, unlike a Python min.
    columns: Any = torch._shape_as_tensor(values)[1]  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
    count = columns if limit is None else columns.clamp(max=limit)
    return torch.topk(values, count, dim=1)


def fit(values: Tensor, length: int) -> Tensor:
    """The rows with exactly `length` columns: [B, N, ...] to [B, length, ...], cut or zero-padded."""
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
    """The largest number of valid columns in any row, at least 1, if the valid ones [B, N] come first in each row: [].

    At least 1, because not every operator accepts an empty tensor.
    """
    return present.sum(1).max().clamp(min=1)


def distinct(values: Tensor, limit: int) -> tuple[Tensor, Tensor]:
    """The positions of each row's distinct values, so that results that depend on the value are computed once.

    Args:
        values: [B, N], integers in 0..limit-1.
        limit: exclusive upper bound of the values.

    Returns:
        [B, U], columns that together have all distinct values of the row; U is the largest number in any row. [B, N],
        the index of each value in those columns.
    """
    column = torch.ones_like(values).cumsum(1) - 1  # [B, N]
    last = values.new_zeros((values.shape[0], limit)).scatter(1, values, column)  # [B, limit], a column with the value
    chosen = last.gather(1, values)  # [B, N]
    stands = chosen == column  # [B, N]
    _, columns = top(stands.to(torch.float32), None)  # [B, N]
    columns = columns[:, : longest(stands)]  # [B, U]
    number = torch.ones_like(columns).cumsum(1) - 1  # [B, U]
    place = torch.zeros_like(values).scatter(1, columns, number).gather(1, chosen)  # [B, N]
    return columns, place
