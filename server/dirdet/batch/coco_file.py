"""Which pictures a COCO file lists, and whether it has objects; nothing else of it is kept, as it may be large."""

import re
from pathlib import Path

import msgspec

from dirdet.batch.errors import SourceError
from dirdet.files import MOST_ANNOTATIONS_BYTES, read_regular, utf8_json

# Of JSON's whole numbers those with up to 19 digits; 1.0 and 1e3 are none.
_WHOLE = re.compile(rb"-?(?:0|[1-9][0-9]{0,18})")
_NOTHING = re.compile(rb"null|false|0|\[\s*\]|\{\s*\}")


class ListedImage(msgspec.Struct, frozen=True, gc=False):
    """One entry of `images`; its id as it is written."""

    file_name: str
    id: msgspec.Raw

    def id_number(self) -> int | None:
        """The id, if it is a whole number of at most 64 bits: results, evaluation and tables keep such ids exactly."""
        text = bytes(self.id)
        number = int(text) if _WHOLE.fullmatch(text) else None
        return number if number is not None and -(2**63) <= number < 2**63 else None


class CocoFile(msgspec.Struct, frozen=True):
    """A COCO file; its annotations as they are written."""

    images: list[ListedImage]
    annotations: msgspec.Raw = msgspec.Raw(b"[]")

    @property
    def has_objects(self) -> bool:
        """Whether there is any annotation."""
        return _NOTHING.fullmatch(memoryview(self.annotations)) is None


def read_coco_file(path: Path) -> CocoFile:
    """Reads COCO JSON.

    Raises:
        SourceError: the file cannot be read, has more than `MOST_ANNOTATIONS_BYTES`, or is no COCO file.
    """
    try:
        return msgspec.json.decode(utf8_json(read_regular(path, most_bytes=MOST_ANNOTATIONS_BYTES)), type=CocoFile)
    except RecursionError as exc:
        raise SourceError(f"{path}: cannot be read as JSON: it is nested too deeply") from exc
    except msgspec.ValidationError as exc:
        raise SourceError(f"{path}: is no COCO file: {exc}") from exc
    except OSError as exc:
        raise SourceError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except ValueError as exc:  # msgspec's DecodeError, and text that is no UTF-8
        raise SourceError(f"{path}: cannot be read as JSON: {exc}") from exc
