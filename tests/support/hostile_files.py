"""Small files that claim to be large."""

import io
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

from PIL import Image

GIB = 2**30


def _tar_header(name: bytes, size: int, kind: bytes) -> bytes:
    """A header of 512 bytes; sizes above 8 GiB as GNU writes them."""
    octal = b"%011o\0" % size
    block = bytearray(512)
    block[0 : len(name)] = name
    block[100:108], block[108:116], block[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    block[124:136], block[136:148] = octal, b"00000000000\0"
    block[148:156], block[156:157], block[257:265] = b" " * 8, kind, b"ustar\x0000"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def sparse(path: Path, *parts: bytes, size: int) -> Path:
    """A file that begins with the parts and is otherwise a hole: it takes no room on the disk."""
    with path.open("wb") as file:
        for part in parts:
            file.write(part)
        file.truncate(size)
    return path


def tar_of_one_header(path: Path, kind: bytes) -> Path:
    """A long name (b"L"), or pax headers (b"x", b"g"), of 3 GiB less a bit."""
    return sparse(path, _tar_header(b"././@LongLink", 3 * GIB - 4096, kind), size=3 * GIB)


def tar_of_many_headers(path: Path, kind: bytes) -> Path:
    """One header after the other, each of which needs the next."""
    content = b"x" * 400 if kind == b"L" else b"12 path=abc\n"
    with path.open("wb") as file:
        for _ in range(20_000):
            file.write(_tar_header(b"h", len(content), kind) + content.ljust(512, b"\0"))
    return path


def tar_that_leads_back(path: Path, *, by: str) -> Path:
    """A member of less than no bytes: what comes after it is it again."""
    header = bytearray(_tar_header(b"a.png", 0, b"0"))
    if by == "size":
        header[124:136] = b"\xff" * 10 + b"\xfe\x00"  # -512, as GNU writes numbers that octal digits cannot
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        path.write_bytes(bytes(header) + bytes(1024))
    else:
        record = b"14 size=-1536\n"
        pax = _tar_header(b"h", len(record), b"x") + record.ljust(512, b"\0")
        path.write_bytes(pax + bytes(header) + bytes(1024))
    return path


def tar_of_global_headers(path: Path, picture: bytes) -> Path:
    """Pictures, and before each a megabyte of headers that count for all that come after."""
    with path.open("wb") as file:
        for number in range(200):
            record = b"key%04d=" % number + b"v" * 900_000 + b"\n"
            record = b"%d %s" % (len(record) + 7, record)
            file.write(_tar_header(b"g", len(record), b"g") + record + bytes(-len(record) % 512))
            file.write(_tar_header(b"%04d.png" % number, len(picture), b"0") + picture + bytes(-len(picture) % 512))
        file.write(bytes(1024))
    return path


def zip_of_a_large_directory(path: Path) -> Path:
    """3 GiB before the end's record, which calls all of it the directory."""
    size = 3 * GIB
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, size, 0, 0)
    with sparse(path, b"PK\1\2", size=size).open("r+b") as file:
        file.seek(0, io.SEEK_END)
        file.write(end)
    return path


def zip_that_unpacks_to_more(path: Path, method: int) -> Path:
    """A member of 384 MiB of zeros in some kilobytes, said to have 1,000 bytes."""
    with zipfile.ZipFile(path, "w", method) as archive, archive.open("a.png", "w") as member:
        for _ in range(48):
            member.write(bytes(8 * 2**20))
    data = bytearray(path.read_bytes())
    directory = data.rindex(b"PK\1\2")
    data[directory + 24 : directory + 28] = struct.pack("<L", 1000)
    path.write_bytes(data)
    return path


def tar_of(path: Path, picture: bytes) -> Path:
    """One that is as it should be."""
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("a.png")
        member.size = len(picture)
        archive.addfile(member, io.BytesIO(picture))
    return path


def parquet_of_a_long_name(path: Path, *, mib: int) -> Path:
    """A value of this size, stored once, in 8,192 rows: some kilobytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    column = pa.DictionaryArray.from_arrays(pa.array([0] * 8192, pa.int32()), pa.array(["x" * mib * 2**20]))
    pq.write_table(pa.table({"path": column}), path, compression="zstd")
    return path


def parquet_of_many_names(path: Path) -> Path:
    """A million names, all the same, of which one is stored with their number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"path": pa.repeat("a.jpg", 1_000_000)}), path, compression="zstd")
    return path


def _box(name: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", len(content) + 8, name) + content


def _full_box(name: bytes, *parts: bytes, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", flags), *parts)


def mov(path: Path, codec: bytes, sample: bytes, *, samples: int, size_wh: tuple[int, int]) -> Path:
    """A video with one sample in it.

    Args:
        path: where it is written.
        codec: four letters.
        sample: its picture's file.
        samples: how many its header claims, each as long as the one.
        size_wh: of its pictures, in pixels.
    """
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    clock = struct.pack(">IIII", 0, 0, 1000, samples)
    header = _full_box(b"mvhd", clock, struct.pack(">IH", 0x10000, 0x100), bytes(10), matrix, bytes(24), b"\0\0\0\2")
    width, height = size_wh
    track = _full_box(
        b"tkhd", struct.pack(">IIIII", 0, 0, 1, 0, samples), bytes(16), matrix,
        struct.pack(">II", width << 16, height << 16), flags=3,
    )  # fmt: skip
    picture = _box(
        codec, bytes(6), struct.pack(">H", 1), bytes(16), struct.pack(">HH", width, height),
        struct.pack(">II", 0x480000, 0x480000), bytes(4), struct.pack(">H", 1), bytes(32), struct.pack(">Hh", 24, -1),
    )  # fmt: skip

    def whole(offset: int) -> bytes:
        table = _box(
            b"stbl",
            _full_box(b"stsd", struct.pack(">I", 1), picture),
            _full_box(b"stts", struct.pack(">III", 1, samples, 1)),
            _full_box(b"stsc", struct.pack(">IIII", 1, 1, samples, 1)),
            _full_box(b"stsz", struct.pack(">II", len(sample), samples)),
            _full_box(b"stco", struct.pack(">II", 1, offset)),
        )
        where = _box(b"dinf", _full_box(b"dref", struct.pack(">I", 1), _full_box(b"url ", flags=1)))
        media = _box(
            b"mdia",
            _full_box(b"mdhd", clock, bytes(4)),
            _full_box(b"hdlr", struct.pack(">I4s", 0, b"vide"), bytes(12), b"v\0"),
            _box(b"minf", _full_box(b"vmhd", bytes(8), flags=1), where, table),
        )
        begin = _box(b"ftyp", b"isom\0\0\2\0isomqt  ") + _box(b"moov", header, _box(b"trak", track, media))
        return begin + struct.pack(">I4s", len(sample) + 8, b"mdat")

    path.write_bytes(whole(len(whole(0))) + sample)
    return path


def jpeg() -> bytes:
    """A picture of 64x48."""
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(file, "JPEG")
    return file.getvalue()


def large_png(side: int) -> bytes:
    """A grey picture of side x side pixels, in some kilobytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packing = zlib.compressobj(9)
    rows = b"".join(packing.compress(bytes(side + 1)) for _ in range(side)) + packing.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
