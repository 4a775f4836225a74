"""The process that reads names from Parquet (`dirdet.batch.listing.parquet_names`)."""

import json
import os
import sys
from typing import Any

from dirdet.batch.arrow import arrow, parquet
from dirdet.batch.errors import SourceError
from dirdet.batch.listing.columns import MOST_CHARACTERS, chosen_column
from dirdet.batch.process_limits import limit_memory, limit_time
from dirdet.errors import MAX_SHOWN
from dirdet.pictures.formats import START_BYTES, format_of

ROWS_AT_ONCE = 256
INSIDE = "column {!r} holds the pictures themselves; expected their names: write the pictures to files first"
# Text of all names: a base, and a factor of the file's bytes. Each name counts with what it takes elsewhere.
BASE_BYTES, EXPANSION, NAME_BYTES = 16 * 2**20, 64, 64


def main() -> None:
    """Writes a line of JSON for each list of names in standard input, then an object with the fault or null."""
    path, seconds, *column = sys.argv[1:]
    pq, broken = parquet(), arrow().ArrowException
    limit_memory()
    limit_time(int(seconds))
    fault: str | None = None
    try:
        _tell(pq, path, column[0] if column else None)
    except SourceError as exc:
        fault = str(exc)
    except MemoryError:  # also Arrow's
        os._exit(1)  # The state is unknown after a failed allocation.
    except (OSError, ValueError, broken) as exc:  # ValueError: text that is no UTF-8
        fault = f"{path}: cannot be read as Parquet: {exc}"
    print(json.dumps({"fault": fault}), flush=True)


def _tell(pq: Any, path: str, column: str | None) -> None:  # noqa: ANN401 - pyarrow says no types
    most_bytes = BASE_BYTES + EXPANSION * os.fstat(sys.stdin.fileno()).st_size
    with pq.ParquetFile(sys.stdin.buffer) as file:
        chosen = chosen_column(path, list(file.schema_arrow.names), column)
        told = 0
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=[chosen], use_threads=False):
            names = names_in(path, chosen, batch.column(0))
            if any(len(name) > MOST_CHARACTERS for name in names):
                raise SourceError(f"{path}: a name in column {chosen!r} has more than {MOST_CHARACTERS} characters")
            told += sum(map(len, names)) + NAME_BYTES * len(names)
            if told > most_bytes:
                raise SourceError(f"{path} unpacks to far more names than a file of its size can hold")
            if names:
                print(json.dumps(names), flush=True)


def names_in(path: str, column: str, cells: Any) -> list[str]:  # noqa: ANN401
    """The names in a column's cells, by its type: text, bytes that are text, or Hugging Face's {bytes, path}.

    Raises:
        SourceError: the column has another type, or holds pictures themselves.
    """
    types = arrow("pyarrow.types")
    kind = cells.type.value_type if types.is_dictionary(cells.type) else cells.type
    if types.is_struct(kind) and {each.name for each in kind} == {"bytes", "path"}:
        values = cells.to_pylist()
        if any(value is not None and value["bytes"] is not None for value in values):
            raise SourceError(f"{path}: {INSIDE.format(column)}")
        return [value["path"] for value in values if value is not None and value["path"]]
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return [value for value in cells.to_pylist() if value]
    if not any(is_kind(kind) for is_kind in (types.is_binary, types.is_large_binary, types.is_binary_view)):
        raise SourceError(f"{path}: column {column!r} has the type {str(kind)[:MAX_SHOWN]}; expected names as text")
    names: list[str] = []
    for value in filter(None, cells.to_pylist()):
        if format_of(value[:START_BYTES]) is not None:
            raise SourceError(f"{path}: {INSIDE.format(column)}")
        names.append(value.decode())
    return names


if __name__ == "__main__":
    main()
