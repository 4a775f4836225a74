"""Modules that torch cannot export."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dirdet_export.errors import ExportError
from dirdet_export.write.onnx_files import write_onnx


class Failing(nn.Module):
    def forward(self, _: Tensor) -> Tensor:
        raise RuntimeError("no\nsuch kernel")


class WithoutOperator(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return torch.linalg.qr(values)[0]


@pytest.mark.parametrize(
    ("part", "named"), [(Failing, r"RuntimeError in 1\.0 \(Failing\): no$"), (WithoutOperator, r"in 1\.0: .*linalg_qr")]
)
def test_an_error_is_one_line_that_names_the_part(
    part: Callable[[], nn.Module], named: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.Sequential(part())).eval()
    with pytest.raises(ExportError, match=r"trunk\.onnx cannot be written: ") as caught:
        write_onnx(
            module, [torch.rand(3, 3)], tmp_path / "trunk.onnx", inputs=["x"], outputs=["y"], dynamic={}, half=False
        )
    assert "\n" not in str(caught.value)
    caught.match(named)
    assert "graph(" not in capfd.readouterr().out
