"""Rows of unequal number in one padded tensor."""

import pytest
import torch

from dirdet_export.graph.padded_rows import distinct


@pytest.mark.parametrize(
    "rows", [[[0]], [[3, 3, 3]], [[0, 1, 2]], [[2, 5, 2, 0, 5, 0], [1, 1, 1, 1, 1, 1], [0, 1, 2, 3, 4, 5]]]
)
def test_each_value_stands_once_and_is_found_again(rows: list[list[int]]):
    values = torch.tensor(rows)
    columns, place = distinct(values, 6)
    assert columns.shape[1] == max(len(set(row)) for row in rows)
    for row, chosen in zip(rows, values.gather(1, columns).tolist(), strict=True):
        assert set(chosen) == set(row)
    assert torch.equal(values.gather(1, columns).gather(1, place), values)
