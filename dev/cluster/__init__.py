"""One entry point to a Kubernetes cluster for the demo, the tests and the benches.

    with up(name="mine") as cluster:
        cluster.kubectl("get", "nodes")

By hand: `python -m dev.cluster up`, `down`, `status`, `build`, `kubeconfig`.
"""

from dev.cluster.cluster import Cluster, ClusterError
from dev.cluster.provider import build, down, keep_up, up

__all__ = ["Cluster", "ClusterError", "build", "down", "keep_up", "up"]
