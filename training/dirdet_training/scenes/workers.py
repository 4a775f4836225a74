"""Makes scenes in several processes; the result does not depend on how many."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from dirdet_training.scenes.coco import Record, annotation_records, image_record
from dirdet_training.scenes.compose import compose
from dirdet_training.scenes.difficulty import DIFFICULTIES
from dirdet_training.scenes.errors import ScenesError
from dirdet_training.scenes.library import Library
from dirdet_training.scenes.plan import Job

_CHUNK = 20


@dataclass(frozen=True)
class Made:
    """What became of a job: its entries for the annotation file, without annotation ids."""

    image: Record
    annotations: list[Record]


@dataclass(frozen=True)
class Maker:
    """Makes scenes into a folder whose subfolders exist.

    Attributes:
        library: the sources.
        seed: of the data set.
        folder: the data set.
    """

    library: Library
    seed: int
    folder: Path

    def make(self, job: Job) -> Made:
        """Writes one picture."""
        scene = compose(
            self.library.shelves[job.split],
            seed=self.seed,
            split=job.split,
            difficulty=DIFFICULTIES[job.difficulty_index],
            index=job.index,
        )
        (self.folder / job.file_name).write_bytes(scene.jpeg)
        image = image_record(scene, image_id=job.image_id, file_name=job.file_name)
        return Made(image, annotation_records(scene, image_id=job.image_id))


_maker_of_this_process: Maker | None = None


def _start(maker: Maker) -> None:
    global _maker_of_this_process
    _maker_of_this_process = maker


def _make(job: Job) -> Made:
    if _maker_of_this_process is None:
        raise RuntimeError("worker process not started by make_all")
    return _maker_of_this_process.make(job)


def make_all(maker: Maker, jobs: Sequence[Job], *, processes: int) -> Iterator[Made]:
    """Makes scenes.

    Args:
        maker: what makes one.
        jobs: which scenes.
        processes: 1 makes them in this one.

    Yields:
        What became of each job, in the order of the jobs.

    Raises:
        ScenesError: a worker process was ended from outside.
    """
    if processes <= 1:
        yield from map(maker.make, jobs)
        return
    context = multiprocessing.get_context("spawn")  # fork is unsafe where threads run
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_start, initargs=(maker,)) as pool:
        try:
            yield from pool.map(_make, jobs, chunksize=_CHUNK)
        except BrokenProcessPool as exc:
            raise ScenesError("a worker process was ended from outside; was there enough memory?") from exc
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
