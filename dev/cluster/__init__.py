"""One entry point to a Kubernetes cluster for the demo, the tests and the benches.

    with up(name="mine") as cluster:
        cluster.kubectl("get", "nodes")

By hand: `python -m dev.cluster up`, `down`, `status`, `build`, `kubeconfig`.

Where Docker answers, the cluster is kind's; elsewhere it is made of programs built from Go modules, a node of
which needs Linux and root. The environment decides otherwise:

* `GRAPHSCHEDULE_KUBECONFIG` names a cluster that exists. Then `GRAPHSCHEDULE_LOAD_IMAGE` is a command that gives its
  nodes an image archive, whose path is appended, and `GRAPHSCHEDULE_NODE_ADDRESS` this machine's address as its
  pods see it, if that is not the one on the way to its API server.
* `GRAPHSCHEDULE_CLUSTER` is `kind` or `local`.
"""

from dev.cluster.cluster import Cluster, ClusterError
from dev.cluster.provider import build, down, keep_up, up

__all__ = ["Cluster", "ClusterError", "build", "down", "keep_up", "up"]
