"""A job's work on a Ray cluster: the stages as operators of Ray Data, the parts written here."""

import json
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from dirdet.batch.engines.base import EngineChangedError, Sink
from dirdet.batch.engines.ray_cluster import Share, import_ray, import_ray_data
from dirdet.batch.engines.ray_stages import Infer, ReadPart
from dirdet.batch.missing import Missing
from dirdet.batch.rows import PartRows
from dirdet.detection import Detection
from dirdet.errors import DirdetError, EngineError, PictureError
from dirdet.options import Settings

# Blocks of about so many bytes travel between the stages: some batches.
BLOCK_BYTES = 8 * 2**20
# Blocks that a job's parts are handed out in.
MOST_BLOCKS = 4096
# How often the cluster may fail in a row, without a part done between, until the job stops.
MOST_FAILURES = 3
STOP_S = 15.0
# Ray's names for a worker, node or block that is gone.
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
    """See `dirdet.batch.engines.base.Work`.

    What a node that dies was computing is computed again by others: the stages begin anew with the parts that are not
    done. Batches, and with them the numbers, are the same.
    """

    def __init__(
        self,
        share: Callable[[], Share],
        folder: Path,
        bundle_sha256: str,
        settings: Settings,
        *,
        engine: str,
        sink: Sink,
    ) -> None:
        """Begins nothing yet.

        Args:
            share: what of the cluster is taken, asked anew after a node was lost.
            folder: of the bundle, on every node.
            bundle_sha256: of its bundle.json.
            settings: which detections are wanted.
            engine: what computes, as the job has it.
            sink: where the results go.
        """
        self._share, self._folder, self._bundle_sha256 = share, folder, bundle_sha256
        self._settings, self._engine, self._sink = settings, engine, sink
        self._stop = threading.Event()
        self.read_seconds: float | None = None
        self.notes: SimpleQueue[str] = SimpleQueue()
        self.done = threading.Event()
        self.error: BaseException | None = None
        self.pictures = 0
        self.failures = 0

    @property
    def engine_seconds(self) -> float:
        """Not known: the engines are elsewhere."""
        return 0.0

    def start(self, missing: Missing) -> None:
        """See `Work.start`."""
        worker = threading.Thread(target=self._run, args=(missing,), name="ray", daemon=True)
        worker.start()
        threading.Thread(target=self._end, args=(worker,), name="end", daemon=True).start()

    def stop(self) -> None:
        """See `Work.stop`."""
        self._stop.set()

    def _end(self, worker: threading.Thread) -> None:
        while worker.is_alive() and not self._stop.wait(0.1):
            pass
        worker.join(STOP_S)  # a cluster that hangs is left to itself
        self.done.set()

    def _run(self, missing: Missing) -> None:
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
                if (error := _told_by(exc)) is not None:
                    self.error = error
                    return
                failed = 1 if len(left) < before else failed + 1
                if not _cluster_failed(exc):
                    self.error = exc
                    return
                if failed > MOST_FAILURES:
                    self.error = EngineError(f"the Ray cluster failed {failed} times in a row: {_first_line(exc)}")
                    return
                self.notes.put(f"a worker of the Ray cluster was lost ({type(exc).__name__}); going on without it")

    def _compute(self, missing: Missing, left: list[int]) -> None:
        """Takes parts that are done out of `left`."""
        outcomes: defaultdict[int, dict[int, dict[str, Any]]] = defaultdict(dict)
        rows = self._dataset(missing, left).iter_rows()
        try:
            for row in rows:
                if self._stop.is_set():
                    return
                if row["engine"] != self._engine:
                    raise EngineChangedError(
                        f"a node of the Ray cluster computes otherwise than the job: expected {self._engine}, "
                        f"found {row['engine']}"
                    )
                part = outcomes[row["part"]]
                part |= {told["position"]: told for told in json.loads(row["told"])}
                if len(part) == missing.size_of(row["part"]):
                    self._finish(missing.of(row["part"]), outcomes.pop(row["part"]))
                    left.remove(row["part"])
        finally:
            del rows  # which ends the stages

    def _finish(self, part: Missing, outcomes: dict[int, dict[str, Any]]) -> None:
        rows = PartRows()
        for planned in part:
            told = outcomes[planned.position]
            if "error" in told:
                error = PictureError(told["error"])
                rows.add_failure(planned.position, planned.entry, error, told["reason"])
                self._sink.failed(planned.entry, error)
            else:
                height, width = told["picture_hw"]
                found = [Detection.from_json(each) for each in told["detections"]]
                rows.add(planned.position, planned.entry, (height, width), found)
        self._sink.write(part.parts[0], rows)
        self.pictures += len(rows)
        self.failures += rows.failures

    def _dataset(self, missing: Missing, parts: list[int]) -> Any:  # noqa: ANN401
        data = import_ray_data()
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        context.target_max_block_size = BLOCK_BYTES
        share = self._share()
        numbered = data.from_items([{"part": part} for part in parts], override_num_blocks=min(len(parts), MOST_BLOCKS))
        read = numbered.map_batches(
            ReadPart(missing, self._folder).__call__, batch_size=1, batch_format="pyarrow", num_cpus=share.read_cpus
        )
        with warnings.catch_warnings():
            # Named options have no `max_restarts` yet; those of actors go in 2.64, which pyproject.toml keeps out.
            warnings.simplefilter("ignore", DeprecationWarning)
            # An actor that dies ends the stages, which then begin anew where there is room: one that was to be placed
            # again would keep what it has been given until a node comes.
            return read.map_batches(
                Infer,
                fn_constructor_args=(self._folder, self._bundle_sha256, self._settings, share.threads),
                batch_size=1,
                batch_format="pyarrow",
                compute=data.ActorPoolStrategy(size=share.actors),
                num_gpus=share.gpus,
                num_cpus=share.cpus,
                max_restarts=0,
                max_task_retries=0,
            )


def _told_by(exc: BaseException) -> DirdetError | None:
    """The error of dirdet's own that a worker raised, if one did."""
    return next((each for each in _causes(exc) if isinstance(each, DirdetError)), None)


def _cluster_failed(exc: BaseException) -> bool:
    """Whether the cluster is why, and not what was to be computed."""
    errors = import_ray("ray.exceptions")
    lost = tuple(getattr(errors, name) for name in LOST)
    return any(isinstance(each, lost) for each in _causes(exc))


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """An exception and what it came from; Ray has some of them in `cause`."""
    seen: set[int] = set()
    current: BaseException | None = exc
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        cause = getattr(current, "cause", None)
        current = cause if isinstance(cause, BaseException) else current.__cause__ or current.__context__


def _first_line(exc: BaseException) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0]
