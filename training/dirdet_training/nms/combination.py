"""Functions that combine purity and integrity into one localization confidence (Table 5)."""

from collections.abc import Callable

from torch import Tensor

# The functions of a purity p and an integrity i that replace Eq. 5 as localization confidence (Table 5).
COMBINATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "purity": lambda purities, _: purities,
    "integrity": lambda _, integrities: integrities,
    "geometric": lambda purities, integrities: (purities * integrities).sqrt(),
    "arithmetic": lambda purities, integrities: (purities + integrities) / 2,
}


def localization_confidence(
    combination: str, ious: Tensor, purities: Tensor | None, integrities: Tensor | None
) -> Tensor:
    """Computes the localization confidence, [N].

    Args:
        combination: "iou", the prediction itself (Eq. 5), or a name from COMBINATIONS.
        ious: [N].
        purities: [N], None if a single branch predicts the IoU.
        integrities: [N], None as above.

    Raises:
        ValueError: the combination is unknown, or needs a purity and an integrity that are not predicted.
    """
    if combination == "iou":
        return ious
    if combination not in COMBINATIONS:
        raise ValueError(f"combination must be one of iou, {', '.join(COMBINATIONS)}, not {combination!r}")
    if purities is None or integrities is None:
        raise ValueError(f"combination {combination!r} needs purity and integrity; a single branch predicts neither")
    return COMBINATIONS[combination](purities, integrities)
