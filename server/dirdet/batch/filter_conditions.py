"""Conditions on a detection in SQL, `iou >= 0.8 AND label = 'bird'`; DuckDB parses and computes them."""

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from dirdet.batch.arrow import arrow
from dirdet.batch.filter_names import BEFORE, TABLE, NameCheck, columns_of, cuts_of
from dirdet.batch.rows import detection_schema
from dirdet.detector.options import Described
from dirdet.errors import ParameterError
from dirdet.extras import import_extra

# DuckDB sees only the table that it is given: no files, no extensions, no variables of Python.
LOCKED: dict[str, str | bool | int] = {
    "enable_external_access": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
    "temp_directory": "",
    "memory_limit": "256MB",
    # One thread also keeps the order of the rows.
    "threads": 1,
    "lock_configuration": True,
}
TIME_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that fits a detector; use it in one thread at a time.

    Attributes:
        text: as typed.
        parameter: the option that gave it.
        query: the query that DuckDB computes.
        connection: to DuckDB.
        columns: that it names.
        cuts: the numbers that it compares each column with.
        terms: the conditions that AND joins in it; none if there is no AND at its top.
    """

    text: str
    parameter: str
    query: str
    connection: Any
    columns: tuple[str, ...] = ()
    cuts: dict[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])
    terms: tuple["Condition", ...] = ()

    def holds(self, table: Any) -> Any:  # noqa: ANN401 - pyarrow says no types
        """Evaluates the condition on each row of a table of detections; a pyarrow array [N]; NULL counts as false.

        Raises:
            ParameterError: the value is not a truth value, it cannot be computed on these rows, or it takes longer than
                `TIME_LIMIT_S`.
        """
        duckdb = _duckdb()
        timer = threading.Timer(TIME_LIMIT_S, self.connection.interrupt)
        timer.start()
        try:
            self.connection.register(TABLE, table)
            relation = self.connection.sql(self.query)
            if (kind := str(relation.types[0])) != "BOOLEAN":
                raise ParameterError(self.parameter, f"expected a truth value, got a value of type {kind}")
            return arrow("pyarrow.compute").fill_null(relation.to_arrow_table().column(0), fill_value=False)
        except duckdb.InterruptException as exc:
            raise ParameterError(self.parameter, f"takes more than {TIME_LIMIT_S:g} s on a part of the job") from exc
        except duckdb.Error as exc:
            raise ParameterError(self.parameter, str(exc).partition("\n")[0]) from exc
        finally:
            timer.cancel()
            self.connection.unregister(TABLE)


def read_condition(text: str, described: Described, *, parameter: str) -> Condition:
    """Parses a condition on a detector's detections.

    Raises:
        ParameterError: it is not one expression, it uses an unknown column, class or function, or its value is not a
            truth value; the message names the option and the position.
        MissingExtraError: duckdb is not installed.
    """
    connection = _duckdb().connect(":memory:", config=LOCKED)
    names = NameCheck(text, parameter, described)
    statement = _parsed(connection, names)
    node = statement["statements"][0]["node"]
    tree = node["where_clause"]
    names.check(tree)

    def condition_of(expression: dict[str, Any], text: str | None, terms: tuple[Condition, ...] = ()) -> Condition:
        node["select_list"], node["where_clause"] = [expression], None
        query: str = connection.execute("SELECT json_deserialize_sql(?)", [json.dumps(statement)]).fetchall()[0][0]
        columns, cuts = columns_of(expression), cuts_of(expression)
        return Condition(text or _told(query, columns), parameter, query, connection, columns, cuts, terms)

    joined: list[dict[str, Any]] = tree["children"] if tree["type"] == "CONJUNCTION_AND" else []
    condition = condition_of(tree, text, tuple(condition_of(each, None) for each in joined))
    condition.holds(_typical(described))
    return condition


def _told(query: str, columns: tuple[str, ...]) -> str:
    """The condition in DuckDB's words."""
    text = query.removeprefix("SELECT ").removesuffix(f" FROM {TABLE}")
    text = text[1:-1] if text.startswith("(") and text.endswith(")") else text
    for name in columns:
        text = text.replace(f'"{name}"', name)
    return text.replace(" ~~ ", " LIKE ")


def _duckdb() -> Any:  # noqa: ANN401
    return import_extra("duckdb", needs="conditions need", extra="batch")


def _parsed(connection: Any, names: NameCheck) -> dict[str, Any]:  # noqa: ANN401
    """DuckDB's parse of the condition: exactly one expression, and no other clause in the query."""

    def read(condition: str) -> dict[str, Any]:
        answer = connection.execute("SELECT json_serialize_sql(?)", [BEFORE + condition]).fetchall()
        return json.loads(answer[0][0])

    def without_condition(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [each["node"] | {"where_clause": None} for each in statements]

    try:
        found, plain = read(names.text), read("true")
    except RecursionError as exc:
        raise ParameterError(names.parameter, "has too many nested expressions") from exc
    except _duckdb().Error as exc:
        raise ParameterError(names.parameter, f"is not text in UTF-8: {names.text!r}") from exc
    if found["error"] and found["error_type"] == "parser":
        if "position" not in found:
            raise ParameterError(names.parameter, found["error_message"])
        names.refuse(found["error_message"], int(found["position"]))
    if found["error"] or without_condition(found["statements"]) != without_condition(plain["statements"]):
        raise ParameterError(names.parameter, f"expected one expression, as after WHERE in SQL, got {names.text!r}")
    return found


def _typical(described: Described) -> Any:  # noqa: ANN401
    """A table of two detections; every optional value is missing in the second."""
    schema = detection_schema()
    label = next((category.name for category in described.categories), "object")
    row = {field.name: label if str(field.type) == "string" else 1 for field in schema}
    return arrow().Table.from_pylist([row, dict.fromkeys(row)], schema=schema)
