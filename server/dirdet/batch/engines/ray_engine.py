"""Engine of a job on a Ray cluster, whose nodes all have the bundle, the pictures and the results' folder."""

from typing import Any

from dirdet.batch.engines.base import ResultHandlers, Work
from dirdet.batch.engines.ray_cluster import Share, connect
from dirdet.batch.engines.ray_stages import describe
from dirdet.batch.engines.ray_work import RayWork
from dirdet.batch.job_record import detector_record
from dirdet.bundle.bundle import MANIFEST, Bundle, sha256_of
from dirdet.detector.options import Settings
from dirdet.errors import EngineError


class RayJobEngine:
    def __init__(self, bundle: Bundle, *, address: str | None, actors: int | None) -> None:
        """Does not connect yet.

        Args:
            bundle: at the same path on every node.
            address: of the cluster, as in `dirdet.batch.engines.ray_cluster.connect`.
            actors: copies of the network that compute at once, as in `Share.of`.
        """
        self._bundle, self._address, self._actors = bundle, address, actors
        self._sha256 = sha256_of(bundle.folder / MANIFEST)
        self.described = bundle.manifest
        self.detector = detector_record(bundle, self._sha256)
        self._ray: Any = None
        self._engine = ""

    def begin(self) -> str:
        """The engine that a worker reports: the same as in this process if the machines are alike."""
        self._ray = connect(self._address)
        share = self._share()
        ask = self._ray.remote(num_gpus=share.gpus, num_cpus=share.cpus)(describe)
        try:
            self._engine = self._ray.get(ask.remote(self._bundle.folder.absolute(), self._sha256))
        except self._ray.exceptions.RayError as exc:
            cause = getattr(exc, "cause", None) or exc
            raise EngineError(f"a worker of the Ray cluster cannot compute: {str(cause).splitlines()[-1]}") from exc
        return self._engine

    def work(self, settings: Settings, *, workers: int, handlers: ResultHandlers) -> Work:  # noqa: ARG002 - the cluster reads
        folder = self._bundle.folder.absolute()
        return RayWork(self._share, folder, self._sha256, settings, engine=self._engine, handlers=handlers)

    def close(self) -> None:
        """Disconnects; ends the cluster if this job started it."""
        if self._ray is not None:
            self._ray.shutdown()

    def _share(self) -> Share:
        return Share.of(self._ray.nodes(), self._actors)
