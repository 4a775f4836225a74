"""Writes the pages of docs/reference/ from the code: commands, the HTTP API, metrics and settings.

    python tools/reference.py [--check]

With --check a page that the code would write otherwise is an error; without, it is written.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from dirdet.api.examples import BIRD
from dirdet.bundle.bundle import Manifest
from dirdet.bundle.shipped import open_bundle
from dirdet.detector.options import DetectOptions, settle
from dirdet.gateway.telemetry.metrics import Metrics
from reference_api import api_page, fields_table
from reference_commands import commands, commands_page, environment_rows
from reference_text import cell, table

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
# What no option of a command declares.
VARIABLES: Mapping[str, str] = {
    "DIRDET_API_KEY": "The API key that the Python client sends, unless its `api_key` is given.",
    "DIRDET_TRACEBACK": "1 shows the traceback of an unexpected error of a command.",
    "DIRDET_CACHE": "Folder of what `make test-triton` and `dirdet bench` install; `~/.cache/dirdet` by default.",
    "NO_COLOR": "Output without colours. `dirdet` sets it where standard output is not a terminal.",
    "ORT_DISABLE_TELEMETRY": "`dirdet` sets it to 1: ONNX Runtime sends nothing. 0 allows it.",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "The collector to which `dirdet serve` sends traces and metrics by OTLP.",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "The same for metrics alone.",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "The same for traces alone.",
    "OTEL_SERVICE_NAME": "The name of the service in traces; `dirdet` by default.",
    "RAY_ADDRESS": "The Ray cluster of `dirdet batch --engine ray`, unless an option names it.",
    "RAY_USAGE_STATS_ENABLED": "`dirdet batch` sets it to 0: Ray sends no usage statistics. 1 allows it.",
}


def metrics_page() -> Iterator[str]:
    """Every metric of `GET /metrics` that the gateway itself counts."""
    metrics = Metrics()
    metrics.request_began()
    metrics.request_ended("POST", "/detect", 200, 0.1)
    metrics.shed("queue")
    metrics.stage_ended("infer", 0.1, cpu_s=0.1, detector="scenes")
    metrics.batch_ended((256, 320), 1, detector="scenes", failed=True)
    metrics.served("scenes", [BIRD])
    yield "# Metrics"
    yield (
        "`GET /metrics` answers in Prometheus' text format. A histogram has `_bucket`, `_sum` and `_count`. On Linux "
        "there are also `process_...`: memory, processor time and open files."
    )
    rows = [
        (f"`{name}`", family.type, ", ".join(f"`{each}`" for each in labels), cell(family.documentation))
        for family in text_string_to_metric_families(metrics.text().decode())
        if not family.name.startswith("process_") and not family.name.endswith("_created")
        for name in [family.name + "_total" * (family.type == "counter")]
        for labels in [list(dict.fromkeys(key for each in family.samples for key in each.labels if key != "le"))]
    ]
    yield table(("metric", "type", "labels", "meaning"), rows)


def settings_page() -> Iterator[str]:
    """Environment variables, the parameters of a detection, and the fields of bundle.json."""
    yield "# Settings"
    yield (
        "Options of commands are on [another page](commands.md). Training's settings are those of MMDetection's "
        "configs: [Training](../training.md)."
    )
    yield "## Environment variables"
    rows = [*environment_rows(), *((f"`{name}`", "", meaning) for name, meaning in VARIABLES.items())]
    yield table(("variable", "option", "meaning"), sorted(rows))
    yield "## Parameters of a detection"
    yield (
        "The same names are query parameters of `POST /detect`, options of `dirdet detect` and `dirdet batch` (with "
        "hyphens), and arguments of the Python client. The defaults are those of the shipped detector."
    )
    defaults = settle(DetectOptions(), open_bundle(None).manifest)
    rows = [
        (f"`{name}`", _shown(getattr(defaults, name, None)), cell(field.description or ""))
        for name, field in DetectOptions.model_fields.items()
    ]
    yield table(("parameter", "default", "meaning"), rows)
    yield "## `bundle.json`"
    yield "`dirdet export` writes it. [Your own detector](../own-detector.md) shows how."
    schema = Manifest.model_json_schema()
    for name, part in {"The file": schema, **dict(sorted(schema["$defs"].items()))}.items():
        yield f"### {name}"
        yield fields_table(part)


def _shown(value: object) -> str:
    return "" if value is None else f"`{json.dumps(value)}`"


PAGES: Mapping[str, Callable[[], Iterator[str]]] = {
    "commands.md": lambda: commands_page(commands()),
    "http.md": api_page,
    "metrics.md": metrics_page,
    "settings.md": settings_page,
}


def text_of(name: str) -> str:
    """The whole text of a page."""
    return "\n\n".join(["<!-- Written by `make reference`. -->", *PAGES[name]()]) + "\n"


def main() -> None:
    """Writes or checks every page."""
    FOLDER.mkdir(exist_ok=True)
    for name in PAGES:
        path, text = FOLDER / name, text_of(name)
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path}: the code has changed; `make reference` writes it again")


if __name__ == "__main__":
    main()
