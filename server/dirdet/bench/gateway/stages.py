"""Where the gateway's processor time goes: by stage, as its own metrics and the system tell."""

from collections.abc import Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families

from dirdet.bench.gateway.processes import Running

EVENT_LOOP, REST = "event loop: HTTP, forms, handing over", "the rest"
SAMPLE = "dirdet_stage_cpu_seconds_total"


def cpu_by_stage(server: Running) -> dict[str, float]:
    """Seconds of processor time that dirdet's gateway has taken so far, all of it.

    The event loop runs in the main thread, whose number is the process's.
    """
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(httpx.get(f"http://127.0.0.1:{server.port}/metrics").text):
        for sample in family.samples:
            if sample.name == SAMPLE:
                stage = sample.labels["stage"]
                found[stage] = found.get(stage, 0.0) + sample.value
    [loop] = [each for each in server.process.threads() if each.id == server.process.pid]
    found[EVENT_LOOP] = loop.user_time + loop.system_time
    return found | {REST: server.cpu_seconds() - sum(found.values())}


def between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What was taken meanwhile."""
    return {stage: seconds - before.get(stage, 0.0) for stage, seconds in after.items()}
