"""Assigns identities to train, val and test by hash order, so that no machine and no listing order matters."""

import hashlib
from collections.abc import Iterable
from typing import Final

from dirdet_training.scenes.errors import ScenesError
from dirdet_training.scenes.taxonomy import SPLITS

_SHARE: Final = {"val": 0.15, "test": 0.25}


def split_by_hash(identities: Iterable[str], *, kind: str) -> dict[str, str]:
    """Divides identities about 60/15/25, at least one to each split.

    Args:
        identities: names; duplicates count once.
        kind: what they are, for the error message.

    Returns:
        The split of every identity.

    Raises:
        ScenesError: fewer identities than splits.
    """
    ranked = sorted(set(identities), key=lambda name: hashlib.sha256(f"split:{name}".encode()).hexdigest())
    if len(ranked) < len(SPLITS):
        raise ScenesError(f"{kind}: {len(ranked)} usable, at least {len(SPLITS)} are needed, one for each split")
    count = {split: max(1, round(len(ranked) * share)) for split, share in _SHARE.items()}
    ends = (("val", count["val"]), ("test", count["val"] + count["test"]), ("train", len(ranked)))
    return {name: next(split for split, end in ends if rank < end) for rank, name in enumerate(ranked)}
