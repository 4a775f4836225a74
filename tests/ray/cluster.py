"""A Ray cluster of several nodes on this machine, each a raylet of its own, on loopback addresses only."""

import contextlib
from collections.abc import Generator, Sequence
from typing import Any

from dirdet.batch.engines.ray_cluster import import_ray

STORE_BYTES = 200 * 2**20


class LocalCluster:
    """See the module.

    Attributes:
        address: of its head.
    """

    def __init__(self, cpus: Sequence[int]) -> None:
        """Starts a node for each number of CPUs; the first is the head, which jobs are started from."""
        cluster: Any = import_ray("ray.cluster_utils").Cluster()
        self._cluster = cluster
        # Ray puts 127.0.0.1 and localhost in place of an address that is reached from outside; these it leaves.
        self._nodes = [
            cluster.add_node(
                num_cpus=count,
                node_ip_address=f"127.0.0.{number}",
                object_store_memory=STORE_BYTES,
                include_dashboard=False,
            )
            for number, count in enumerate(cpus, 2)
        ]
        self.address: str = cluster.address

    def kill(self, number: int) -> None:
        """As a machine that loses its power: no goodbye."""
        self._cluster.remove_node(self._nodes[number], allow_graceful=False)

    def stop(self) -> None:
        """Ends all nodes."""
        self._cluster.shutdown()


@contextlib.contextmanager
def local_cluster(*cpus: int) -> Generator[LocalCluster]:
    """A running one, ended at the end."""
    cluster = LocalCluster(cpus)
    try:
        yield cluster
    finally:
        cluster.stop()
