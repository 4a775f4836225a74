"""Pictures as nobody's camera writes them, by number: the same number is always the same file."""

import random
import struct
import zlib
from collections.abc import Callable

from hostile_pictures import bombs
from picture_seeds import seeds

SEEDS = seeds()
BOMBS = bombs()
# One in so many is a bomb, which takes longer than all others together.
BOMB_EVERY = 200
LIES = (0, 1, 2, 3, 4, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
SIGNATURE = b"\x89PNG\r\n\x1a\n"
Mutation = Callable[[random.Random, bytearray], bytearray]


def mutated(number: int) -> tuple[str, bytes]:
    """What it is made of, and the file."""
    dice = random.Random(number)
    if number % BOMB_EVERY == 0:
        name = sorted(BOMBS)[number // BOMB_EVERY % len(BOMBS)]
        return f"{number}: bomb {name}", BOMBS[name]
    name = dice.choice(list(SEEDS))
    kind, file = SEEDS[name]
    data, steps = bytearray(file), []
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 5))):
        mutation = dice.choice(MUTATIONS)
        data = mutation(dice, data) if data else data
        steps.append(mutation.__name__)
    if kind == "PNG" and dice.random() < 0.7:
        data = _with_checksums(data)  # or a decoder looks no further than the first
    return f"{number}: {name}, {', '.join(steps)}", bytes(data)


def _place(dice: random.Random, data: bytearray) -> int:
    """Anywhere, and more often near the start, where headers are."""
    return int(len(data) * dice.random() ** dice.choice((1, 3)))


def flip_bits(dice: random.Random, data: bytearray) -> bytearray:
    for _ in range(dice.choice((1, 1, 2, 8, 40))):
        data[_place(dice, data)] ^= 1 << dice.randrange(8)
    return data


def change_bytes(dice: random.Random, data: bytearray) -> bytearray:
    for _ in range(dice.choice((1, 2, 4, 16))):
        data[_place(dice, data)] = dice.randrange(256)
    return data


def lie(dice: random.Random, data: bytearray) -> bytearray:
    """A number that is at the edge of its type, where a size may stand."""
    width = dice.choice((1, 2, 4, 8))
    number = dice.choice(LIES) & (256**width - 1)
    at = _place(dice, data)
    data[at : at + width] = number.to_bytes(width, dice.choice(("big", "little")))
    return data


def truncate(dice: random.Random, data: bytearray) -> bytearray:
    return data[: _place(dice, data)]


def cut_out(dice: random.Random, data: bytearray) -> bytearray:
    at = _place(dice, data)
    del data[at : at + dice.choice((1, 2, 4, 30, 500))]
    return data


def repeat(dice: random.Random, data: bytearray) -> bytearray:
    at = _place(dice, data)
    piece = data[at : at + dice.choice((1, 4, 12, 100, 600))]
    data[at:at] = piece * dice.choice((1, 2, 20))
    return data


def insert(dice: random.Random, data: bytearray) -> bytearray:
    at = _place(dice, data)
    data[at:at] = dice.choice((bytes(20), b"\xff" * 20, dice.randbytes(40)))
    return data


def blank(dice: random.Random, data: bytearray) -> bytearray:
    at, length = _place(dice, data), dice.choice((4, 40, 400))
    data[at : at + length] = dice.choice((b"\0", b"\xff")) * len(data[at : at + length])
    return data


def splice(dice: random.Random, data: bytearray) -> bytearray:
    """The beginning of one and the end of another, often of another type."""
    _, other = SEEDS[dice.choice(list(SEEDS))]
    return data[: _place(dice, data)] + other[_place(dice, bytearray(other)) :]


def append(dice: random.Random, data: bytearray) -> bytearray:
    """A polyglot: one whole file, and another after it."""
    _, other = SEEDS[dice.choice(list(SEEDS))]
    return data + dice.choice((other, b"PK\3\4<script>", b"%PDF-1.7"))


def shuffle_chunks(dice: random.Random, data: bytearray) -> bytearray:
    """Chunks of PNG and WebP, segments of JPEG, in another order, twice or not at all; other types stay."""
    head, chunks = _chunks(bytes(data))
    if len(chunks) < 2:
        return data
    first, second = dice.randrange(len(chunks)), dice.randrange(len(chunks))
    match dice.randrange(4):
        case 0:
            chunks[first], chunks[second] = chunks[second], chunks[first]
        case 1:
            chunks.insert(second, chunks[first])
        case 2:
            del chunks[first]
        case _:
            chunks[second:second] = [chunks[first]] * 50
    return bytearray(head + b"".join(chunks))


MUTATIONS: tuple[Mutation, ...] = (
    *(flip_bits, change_bytes, lie, lie, truncate, cut_out, repeat, insert, blank, splice, append),
    *(shuffle_chunks, shuffle_chunks),
)


def _chunks(data: bytes) -> tuple[bytes, list[bytes]]:
    if data.startswith(SIGNATURE):
        return SIGNATURE, _cut(data, 8, lambda at: 12 + struct.unpack(">I", data[at : at + 4])[0])
    if data[8:12] == b"WEBP":
        return data[:12], _cut(data, 12, lambda at: 8 + (struct.unpack("<I", data[at + 4 : at + 8])[0] + 1) // 2 * 2)
    if data.startswith(b"\xff\xd8"):
        return data[:2], _cut(data, 2, lambda at: 2 + struct.unpack(">H", data[at + 2 : at + 4])[0])
    return data, []


def _cut(data: bytes, at: int, length: Callable[[int], int]) -> list[bytes]:
    pieces: list[bytes] = []
    while at + 8 <= len(data) and len(pieces) < 100:
        end = at + length(at)
        pieces.append(data[at:end])
        at = end
    return [*pieces, data[at:]]


def _with_checksums(data: bytearray) -> bytearray:
    """Every chunk of a PNG with the checksum that it should have."""
    if not data.startswith(SIGNATURE):
        return data
    head, chunks = _chunks(bytes(data))
    whole = [each[:-4] + zlib.crc32(each[4:-4]).to_bytes(4, "big") if len(each) >= 12 else each for each in chunks]
    return bytearray(head + b"".join(whole))
