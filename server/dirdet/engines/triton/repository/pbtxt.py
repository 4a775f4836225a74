"""Writes Protobuf's text format, limited to the constructs of config.pbtxt."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias


class Word(str):
    """A value without quotes: the name of an enum's member."""

    __slots__ = ()


Scalar: TypeAlias = bool | int | str
Message: TypeAlias = "Mapping[str, Scalar | Message | Sequence[Scalar] | Sequence[Message]]"


def render(message: Message) -> str:
    """The message as text, one field per line; a sequence is a repeated field, an empty one is `[ ]`."""
    return "".join(f"{line}\n" for line in _lines(message))


def _lines(message: Message) -> Iterator[str]:
    for name, value in message.items():
        if isinstance(value, Mapping):
            yield from _block(name, value)
        elif isinstance(value, bool | int | str):
            yield f"{name}: {_scalar(value)}"
        else:
            blocks = [item for item in value if isinstance(item, Mapping)]
            scalars = [_scalar(item) for item in value if not isinstance(item, Mapping)]
            for block in blocks:
                yield from _block(name, block)
            if not blocks:
                yield f"{name}: [ {', '.join(scalars)} ]"


def _block(name: str, message: Message) -> Iterator[str]:
    yield f"{name} {{"
    for line in _lines(message):
        yield f"  {line}"
    yield "}"


def _scalar(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and not isinstance(value, Word):
        return json.dumps(value)  # ASCII; JSON's escapes are valid in protobuf too
    return str(value)
