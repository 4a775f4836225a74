"""docs/reference/ is what the code gives, and nothing that a user can set or see is missing from it."""

import json
import re
from pathlib import Path

import pytest

from dirdet.detector.options import DetectOptions
from dirdet.gateway.telemetry.metrics import Metrics
from reference import FOLDER, PAGES, ROOT, text_of
from reference_api import DOCUMENT, kind
from reference_commands import commands, options
from reference_text import cell

# Read by libraries and processes of dirdet's own, not set by users.
INTERNAL = frozenset({"PROMETHEUS_MULTIPROC_DIR"})


def page(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_gives(name: str) -> None:
    assert page(name) == text_of(name), f"docs/reference/{name}: the code has changed; `make reference` writes it again"


@pytest.mark.parametrize("name", PAGES)
def test_every_row_says_what_it_means(name: str) -> None:
    silent = [line for line in page(name).splitlines() if re.search(r"\| *\|$", line)]
    assert silent == [], "a field, setting or parameter has no description in the code"


def test_every_option_has_a_line_and_a_help_text() -> None:
    text = page("commands.md")
    for name, command in commands().items():
        assert f"\n## `{name}`\n" in text
        for option in options(command):
            assert option.help, f"{name} {option.opts[0]} has no help text"
            assert f"\n| `{option.opts[0]}`" in text, f"{name} {option.opts[0]}"


def test_every_route_has_a_heading_and_every_parameter_a_line() -> None:
    text = page("http.md")
    for path, operations in json.loads(DOCUMENT.read_text(encoding="utf-8"))["paths"].items():
        for method, operation in operations.items():
            assert f"\n## `{method.upper()} {path}`\n" in text
            for each in operation.get("parameters", ()):
                assert f"\n| `{each['name']}` | {each['in']} |" in text


def test_every_metric_has_a_line() -> None:
    text = page("metrics.md")
    kinds = re.findall(r"^# TYPE (\S+) (\w+)$", Metrics().text().decode(), re.MULTILINE)
    names = [name for name, _ in kinds if not name.startswith("process_") and not name.endswith("_created")]
    assert len(names) > 8
    for name in names:
        assert f"\n| `{name}` |" in text


def test_every_setting_has_a_line() -> None:
    text = page("settings.md")
    for name in DetectOptions.model_fields:
        assert f"\n| `{name}` |" in text
    sources = [path for folder in ("server", "training", "export") for path in (ROOT / folder).rglob("*.py")]
    for path in sources:
        for name in re.findall(r'"((?:DIRDET|OTEL|RAY|ORT|PROMETHEUS)_[A-Z_]+)"', path.read_text(encoding="utf-8")):
            assert name in INTERNAL or f"\n| `{name}` |" in text, f"{path} reads {name}: add it to tools/reference.py"


def test_text_of_the_code_is_not_read_as_markup() -> None:
    assert cell("a <b>\n  *c* | d `e|f` `*g*`") == r"a \<b> \*c\* \| d <code>e&#124;f</code> `*g*`"


def test_types_are_told_in_words() -> None:
    assert kind({"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "null"}]}) == (
        "number from 0 to 1 or null"
    )
    assert kind({"type": "array", "items": {"$ref": "#/x/Part"}}) == "list of [Part](#part)"
    four = {"type": "array", "minItems": 4, "maxItems": 4, "prefixItems": [{"type": "number"}]}
    assert kind(four) == "4 of number"
    assert kind({"const": 1}) == "`1`"


def test_the_folder_holds_no_page_that_nothing_writes() -> None:
    assert {path.name for path in Path(FOLDER).iterdir()} == {*PAGES, "python.md"}
