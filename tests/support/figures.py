"""Figures that the gateway tells at /metrics."""

import httpx
from prometheus_client.parser import text_string_to_metric_families
from waiting import PATIENCE_S


def value_in(metrics: str, name: str, **labels: str) -> float:
    """Of one series of what /metrics answered, 0 where there is none yet."""
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return 0


def value_at(url: str, name: str, **labels: str) -> float:
    """Of one series of the gateway at an address."""
    return value_in(httpx.get(f"{url}/metrics", timeout=PATIENCE_S).text, name, **labels)
