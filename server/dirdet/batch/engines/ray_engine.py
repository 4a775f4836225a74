"""A Ray cluster as what a job computes with: every node sees the bundle, the pictures and the folder of results."""

from typing import Any

from dirdet.batch.engines.base import Sink, Work
from dirdet.batch.engines.ray_cluster import Share, connect
from dirdet.batch.engines.ray_stages import describe
from dirdet.batch.engines.ray_work import RayWork
from dirdet.batch.job import detector_told
from dirdet.bundle import MANIFEST, Bundle, sha256_of
from dirdet.errors import EngineError
from dirdet.options import Settings


class RayJobEngine:
    """See `dirdet.batch.engines.base.JobEngine`."""

    def __init__(self, bundle: Bundle, *, address: str | None, actors: int | None) -> None:
        """Does not connect yet.

        Args:
            bundle: under the same path on every node.
            address: of the cluster, see `dirdet.batch.engines.ray_cluster.connect`.
            actors: networks that compute at once; see `Share.of`.
        """
        self._bundle, self._address, self._actors = bundle, address, actors
        self._sha256 = sha256_of(bundle.folder / MANIFEST)
        self.described = bundle.manifest
        self.detector = detector_told(bundle, self._sha256)
        self._ray: Any = None
        self._engine = ""

    def begin(self) -> str:
        """What a worker says that it computes with: the same as in this process, where the machines are alike."""
        self._ray = connect(self._address)
        share = self._share()
        ask = self._ray.remote(num_gpus=share.gpus, num_cpus=share.cpus)(describe)
        try:
            self._engine = self._ray.get(ask.remote(self._bundle.folder.absolute(), self._sha256))
        except self._ray.exceptions.RayError as exc:
            cause = getattr(exc, "cause", None) or exc
            raise EngineError(f"a worker of the Ray cluster cannot compute: {str(cause).splitlines()[-1]}") from exc
        return self._engine

    def work(self, settings: Settings, *, workers: int, sink: Sink) -> Work:  # noqa: ARG002 - the cluster reads
        """See `JobEngine.work`."""
        folder = self._bundle.folder.absolute()
        return RayWork(self._share, folder, self._sha256, settings, engine=self._engine, sink=sink)

    def close(self) -> None:
        """Disconnects; ends the cluster if it was begun here."""
        if self._ray is not None:
            self._ray.shutdown()

    def _share(self) -> Share:
        return Share.of(self._ray.nodes(), self._actors)
