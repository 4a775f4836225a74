"""Random weights with which a detector detects: scores and boxes differ, and no layer is dead."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage] - what mmcv itself asks

# The deviation of what the last layers say, by the end of their names; 1 of every other layer in a head.
SPREAD = {
    r"(fc_cls|cls_score|fc_reg_cls)$": 3.0,
    r"rpn_cls$": 2.0,
    r"(rpn_reg|fc_reg|fc_reg_offset)$": 0.5,
    r"(conv_logits|fc_logits)$": 2.0,
    r"rfp_conv$": 0.5,
    # A switch between two convolutions, about 1 by its bias: far outside of 0 to 1, each block multiplies its input.
    r"\.switch$": 0.1,
    # A deformable layer multiplies the rounding of the layers before it: of 0.5 px, six of them by ten.
    r"conv_offset$": 0.2,
}
# That of other layers that are zero when a training begins: offsets of samples, and what is added to a residual. More
# would make a chaotic detector, in which rounding alone moves boxes.
WOKEN = 0.5
# Fewer values of a channel have no variance of their own.
FEW = 16
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)


def enliven(model: Any, batch: dict[str, Any], *, only: tuple[str, ...] = ("",), seed: int = 0) -> None:  # noqa: ANN401
    """Draws weights for a detector that detects in a batch of pictures, in place.

    The detector predicts once. Before a layer computes, its weights are drawn and scaled by what it is about to say:
    batch norms take the statistics of their input, the heads' layers get outputs of deviation 1, and their last layers
    those of SPREAD. Weights that are zero when a training begins are drawn as well, since a fault behind them would not
    be seen; their outputs get the deviation WOKEN.

    Args:
        model: an MMDetection detector in evaluation mode.
        batch: for `test_step`.
        only: prefixes of the names of the layers that get new weights.
        seed: of the weights.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad(), _prepared(model, only, generator):
        model.test_step(batch)


@contextmanager
def _prepared(model: nn.Module, only: tuple[str, ...], generator: torch.Generator) -> Generator[None]:
    hooks: list[Any] = []
    done: set[nn.Module] = set()
    woken: set[nn.Module] = set()

    def before(name: str, part: Any) -> Any:  # noqa: ANN401
        def prepare(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if part in done or not inputs or not inputs[0].numel():
                return
            done.add(part)
            if isinstance(part, _BatchNorm):
                _follow(part, inputs[0])
            else:
                _scale(part, inputs[0], _spread(name, woken=part in woken), generator)

        return prepare

    chosen = [(name, part) for name, part in model.named_modules() if f"{name}.".startswith(only)]
    for name, part in chosen:
        _draw_unset(part, generator)
        if _wake(part, generator):
            woken.add(part)
        if isinstance(part, (_BatchNorm, *LAYERS)):
            hooks.append(part.register_forward_pre_hook(before(name, part)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _draw_unset(part: nn.Module, generator: torch.Generator) -> None:
    """Draws a kernel that its layer leaves to `init_weights`, as TridentNet's does: until then it is any memory."""
    weight = getattr(part, "weight", None)
    if isinstance(weight, nn.Parameter) and weight.ndim > 2 and not hasattr(part, "reset_parameters"):
        weight.normal_(0, weight[0].numel() ** -0.5, generator=generator)


def _wake(part: nn.Module, generator: torch.Generator) -> bool:
    """Draws a part's own weights that are all zero, and says whether there were any."""
    woken = False
    norm = isinstance(part, (_BatchNorm, nn.GroupNorm, nn.LayerNorm))
    for name, value in part.named_parameters(recurse=False):
        if name != "bias" and not value.any():
            value.fill_(1.0 if norm else 0.5) if value.ndim < 2 else value.normal_(0, 0.05, generator=generator)
            woken = True
    return woken


def _follow(norm: Any, features: Tensor) -> None:  # noqa: ANN401
    """Sets a batch norm's statistics to those of its input [B, C, ...]."""
    axes = [axis for axis in range(features.ndim) if axis != 1]
    norm.running_mean.copy_(features.mean(axes))
    # The variance of a few values, as behind a global pooling, may be near zero, and then rounding would be enlarged.
    few = features[:, 0].numel() < FEW
    variance = features.var(unbiased=False).expand(features.shape[1]) if few else features.var(axes, unbiased=False)
    norm.running_var.copy_(variance.clamp(min=1e-4))


def _spread(name: str, *, woken: bool) -> float | None:
    """The deviation of a layer's outputs; None to leave its weights as they are."""
    told = next((value for pattern, value in SPREAD.items() if re.search(pattern, name)), None)
    usual = 1.0 if name.startswith(("rpn_head.", "roi_head.")) else None
    return told or (WOKEN if woken else usual)


def _scale(layer: Any, features: Tensor, spread: float | None, generator: torch.Generator) -> None:  # noqa: ANN401
    if spread is None:
        return
    if layer.weight.std() < 0.02:
        layer.weight.normal_(0, 0.05, generator=generator)
    # The layer itself: calling it here would call this hook again.
    said = type(layer).forward(layer, features)
    deviation = float(said.std()) if said.numel() > 1 else 0.0
    if deviation > 0:
        layer.weight.mul_(spread / deviation)
