"""Chooses the type of an answer from the Accept header (RFC 9110, section 12.5.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

from dirdet.errors import NotAcceptableError

# Of a header: browsers send ten. Those beyond count no more than if they were not there.
MOST_RANGES = 100
MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class _Range:
    """One element of Accept: type/subtype, either of which may be *, and its weight."""

    main: str
    sub: str
    quality: float
    position: int

    def specificity(self, media_type: str) -> int | None:
        """How closely this range names the type: 2 exactly, 1 its main type, 0 anything; None not at all."""
        main, _, sub = media_type.partition("/")
        if (self.main, self.sub) == (main, sub):
            return 2
        if (self.main, self.sub) == (main, "*"):
            return 1
        return 0 if (self.main, self.sub) == ("*", "*") else None


def negotiate(accept: str | None, offered: Sequence[str]) -> str:
    """The offered type that the client likes best.

    Of types with equal weight the more closely named wins, then the one named first, then the one offered first.

    Args:
        accept: the header, of which `MOST_RANGES` are read; None or empty accepts anything.
        offered: media types, the server's favourite first.

    Raises:
        NotAcceptableError: the client accepts none of them.
    """
    ranges = _parse(accept or "*/*") or _parse("*/*")
    best: tuple[float, int, int] | None = None
    chosen = None
    for media_type in offered:
        matches = [(found, each) for each in ranges if (found := each.specificity(media_type)) is not None]
        if not matches:
            continue
        specificity, closest = max(matches, key=lambda match: (match[0], -match[1].position))
        key = (closest.quality, specificity, -closest.position)
        if closest.quality > 0 and (best is None or key > best):
            best, chosen = key, media_type
    if chosen is None:
        shown = accept if accept is None or len(accept) <= MOST_SHOWN else f"{accept[:MOST_SHOWN]}..."
        raise NotAcceptableError(f"the answer can be {', '.join(offered)}; the request accepts {shown!r}")
    return chosen


def _parse(accept: str) -> list[_Range]:
    ranges: list[_Range] = []
    for position, element in enumerate(accept.split(",", MOST_RANGES)[:MOST_RANGES]):
        media_type, *parameters = (part.strip().lower() for part in element.split(";"))
        main, slash, sub = media_type.partition("/")
        if slash and main and sub:
            ranges.append(_Range(main, sub, _quality(parameters), position))
    return ranges


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0  # a weight that cannot be read must not win
    return 1.0
