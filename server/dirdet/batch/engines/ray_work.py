"""A job's computation on a Ray cluster: stages as operators of Ray Data; this process writes the parts."""

import json
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from dirdet.batch.engines.base import EngineChangedError, ResultHandlers
from dirdet.batch.engines.ray_cluster import Share, import_ray, import_ray_data
from dirdet.batch.engines.ray_stages import Infer, ReadPart
from dirdet.batch.parts import MissingParts
from dirdet.batch.redirects import typed
from dirdet.batch.rows import PartRows
from dirdet.detection import Detection
from dirdet.detector.options import Settings
from dirdet.errors import DirdetError, EngineError, PictureError

# Size of the blocks that travel between the stages: a few batches.
BLOCK_BYTES = 8 * 2**20
# Most blocks into which a job's parts are divided.
MOST_BLOCKS = 4096
# Consecutive failures of the cluster, without a finished part in between, before the job stops.
MOST_FAILURES = 3
STOP_S = 15.0
# Ray's errors for a lost worker, node or block.
LOST = (
    "RayActorError",
    "ObjectLostError",
    "WorkerCrashedError",
    "NodeDiedError",
    "RaySystemError",
    "ActorUnschedulableError",
    "TaskUnschedulableError",
)


class RayWork:
    """Continues without lost workers.

    If a node dies, the stages start again with the unfinished parts. Batches, and with them the numbers, are the same.
    """

    def __init__(
        self,
        share: Callable[[], Share],
        folder: Path,
        bundle_sha256: str,
        settings: Settings,
        *,
        engine: str,
        handlers: ResultHandlers,
    ) -> None:
        """Starts nothing yet.

        Args:
            share: returns the cluster's resources to use; called again after a loss.
            folder: of the bundle, on every node.
            bundle_sha256: of its bundle.json.
            settings: of the detections.
            engine: the engine's description in the job.
            handlers: receive the results.
        """
        self._share, self._folder, self._bundle_sha256 = share, folder, bundle_sha256
        self._settings, self._engine, self._handlers = settings, engine, handlers
        self._stop = threading.Event()
        self.read_seconds: float | None = None
        self.notes: SimpleQueue[str] = SimpleQueue()
        self.done = threading.Event()
        self.error: BaseException | None = None
        self.pictures = 0
        self.failures = 0

    @property
    def progress(self) -> float:
        return self.pictures

    @property
    def engine_seconds(self) -> float:
        """Unknown: the engines run in other processes."""
        return 0.0

    def start(self, missing: MissingParts) -> None:
        worker = threading.Thread(target=self._run, args=(missing,), name="ray", daemon=True)
        worker.start()
        threading.Thread(target=self._end, args=(worker,), name="end", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _end(self, worker: threading.Thread) -> None:
        while worker.is_alive() and not self._stop.wait(0.1):
            pass
        worker.join(STOP_S)  # Does not wait for a cluster that hangs.
        self.done.set()

    def _run(self, missing: MissingParts) -> None:
        left, failed = list(missing.parts), 0
        while left and not self._stop.is_set():
            before = len(left)
            try:
                self._compute(missing, left)
            except DirdetError as exc:
                self.error = exc
                return
            except BaseException as exc:
                if self._stop.is_set():
                    return
                if (error := _worker_error(exc)) is not None:
                    self.error = error
                    return
                failed = 1 if len(left) < before else failed + 1
                if not _cluster_failed(exc):
                    self.error = exc
                    return
                if failed > MOST_FAILURES:
                    self.error = EngineError(f"the Ray cluster failed {failed} times in a row: {_first_line(exc)}")
                    return
                self.notes.put(f"a worker of the Ray cluster was lost ({type(exc).__name__}); continuing without it")

    def _compute(self, missing: MissingParts, left: list[int]) -> None:
        """Computes parts and removes finished ones from `left`."""
        outcomes: defaultdict[int, dict[int, dict[str, Any]]] = defaultdict(dict)
        rows = self._dataset(missing, left).iter_rows()
        try:
            for row in rows:
                if self._stop.is_set():
                    return
                if row["engine"] != self._engine:
                    raise EngineChangedError(
                        f"a node of the Ray cluster has another engine than the job: expected {self._engine}, "
                        f"found {row['engine']}"
                    )
                part = outcomes[row["part"]]
                part |= {each["position"]: each for each in json.loads(row["outcomes"])}
                if len(part) == missing.size_of(row["part"]):
                    self._finish(missing.of(row["part"]), outcomes.pop(row["part"]))
                    left.remove(row["part"])
        finally:
            del rows  # Deleting the iterator ends the stages.

    def _finish(self, part: MissingParts, outcomes: dict[int, dict[str, Any]]) -> None:
        rows = PartRows()
        for planned in part:
            outcome = outcomes[planned.position]
            if "error" in outcome:
                error = PictureError(outcome["error"])
                rows.add_failure(planned.position, planned.entry, error, outcome["reason"])
                self._handlers.failed(planned.entry, error)
            else:
                height, width = outcome["picture_hw"]
                found = [Detection.from_json(each) for each in outcome["detections"]]
                rows.add(planned.position, planned.entry, (height, width), found)
        self._handlers.write(part.parts[0], rows)
        self.pictures += len(rows)
        self.failures += rows.failures

    def _dataset(self, missing: MissingParts, parts: list[int]) -> Any:  # noqa: ANN401
        data = import_ray_data()
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        context.target_max_block_size = BLOCK_BYTES
        share = self._share()
        tiled = self._settings.tiling is not None
        numbered = data.from_items([{"part": part} for part in parts], override_num_blocks=min(len(parts), MOST_BLOCKS))
        read = numbered.map_batches(
            ReadPart(missing, self._folder, tiled=tiled, decode=self._settings.decode).__call__,
            batch_size=1,
            batch_format="pyarrow",
            num_cpus=share.read_cpus,
        )
        with warnings.catch_warnings():
            # ActorPoolStrategy has no `max_restarts` as a named option yet; the actor options end with 2.64, which
            # pyproject.toml excludes.
            warnings.simplefilter("ignore", DeprecationWarning)
            # A dying actor ends the stages, which start again on the remaining nodes. A restarted actor would keep its
            # work until a node for it appears.
            return read.map_batches(
                Infer,
                fn_constructor_args=(self._folder, self._bundle_sha256, self._settings, share.threads, typed()),
                batch_size=1,
                batch_format="pyarrow",
                compute=data.ActorPoolStrategy(size=share.actors),
                num_gpus=share.gpus,
                num_cpus=share.cpus,
                max_restarts=0,
                max_task_retries=0,
            )


def _worker_error(exc: BaseException) -> DirdetError | None:
    """The DirdetError that a worker raised, if there is one."""
    return next((each for each in _causes(exc) if isinstance(each, DirdetError)), None)


def _cluster_failed(exc: BaseException) -> bool:
    """Whether the cluster is the cause, and not the computation."""
    errors = import_ray("ray.exceptions")
    lost = tuple(getattr(errors, name) for name in LOST)
    return any(isinstance(each, lost) for each in _causes(exc))


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """An exception and its causes; Ray stores some of them in `cause`."""
    seen: set[int] = set()
    current: BaseException | None = exc
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        cause = getattr(current, "cause", None)
        current = cause if isinstance(cause, BaseException) else current.__cause__ or current.__context__


def _first_line(exc: BaseException) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0]
