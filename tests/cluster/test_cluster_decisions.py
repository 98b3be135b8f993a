"""What decides which cluster is used and how, with no cluster at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dev.cluster import ClusterError, binaries, given, kind, leftovers, local, network
from dev.cluster.provider import choice


@pytest.mark.parametrize(
    ("kubeconfig", "wish", "docker", "provider"),
    [
        ("mine.yaml", None, True, "given"),
        ("mine.yaml", "local", False, "given"),
        (None, None, True, "kind"),
        ("", "", True, "kind"),
        (None, None, False, "local"),
        (None, "local", True, "local"),
        (None, "kind", True, "kind"),
    ],
)
def test_a_named_cluster_comes_before_kind_and_kind_before_own_programs(
    kubeconfig: str | None, wish: str | None, docker: bool, provider: str
) -> None:
    assert choice(kubeconfig, wish, docker=docker) == provider


@pytest.mark.parametrize(
    ("wish", "remedy"), [("minikube", "is not valid: say 'kind' or 'local'"), ("kind", "start one, or say 'local'")]
)
def test_a_wish_that_cannot_be_granted_is_refused_with_the_remedy(wish: str, remedy: str) -> None:
    with pytest.raises(ClusterError, match=f"GRAPHSCHEDULE_CLUSTER: '{wish}' .*{remedy}"):
        choice(None, wish, docker=False)


def test_kind_writes_a_kubeconfig_of_its_own_and_takes_the_image_made_for_it() -> None:
    command = kind.create_command("demo", Path("/state/demo"))
    assert command[:4] == ["/state/demo/bin/kind", "create", "cluster", "--name=graphschedule-demo"]
    assert "--kubeconfig=/state/demo/kubeconfig" in command
    assert any(option.startswith("--image=kindest/node:v1.37.0@sha256:") for option in command)


def test_images_reach_kind_as_archives() -> None:
    command = kind.load_command("demo", Path("/state/demo"), Path("/images/runner.tar"))
    assert command[1:] == ["load", "image-archive", "/images/runner.tar", "--name=graphschedule-demo"]


def test_kinds_pods_reach_this_machine_at_the_bridge_or_where_docker_is_virtual_by_name() -> None:
    config = [{"Subnet": "fc00::/64", "Gateway": "fc00::1"}, {"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}]
    networks = json.dumps([{"Name": "kind", "IPAM": {"Config": config}}])
    assert kind.host_address("Linux", networks) == "172.18.0.1"
    assert kind.host_address("Darwin", networks) == "host.docker.internal"


def test_a_given_cluster_without_a_loader_says_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAPHSCHEDULE_LOAD_IMAGE", raising=False)
    with pytest.raises(ClusterError, match=r"GRAPHSCHEDULE_LOAD_IMAGE is not set: .*minikube image load"):
        given.load_image(Path("image.tar"))


def test_a_given_kubeconfig_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHSCHEDULE_KUBECONFIG", "/nowhere/config")
    with pytest.raises(ClusterError, match="GRAPHSCHEDULE_KUBECONFIG: there is no file /nowhere/config"):
        given.cluster()


def test_the_address_towards_a_cluster_is_this_machines_own() -> None:
    kubeconfig = {"clusters": [{"cluster": {"server": "https://127.0.0.1:6443"}}]}
    assert given.address_towards(kubeconfig) == "127.0.0.1"


@pytest.mark.parametrize(
    ("system", "user", "controllers", "remedy"),
    [
        ("Darwin", 0, {"cpu", "memory", "pids"}, "start a Docker engine"),
        ("Linux", 1000, {"cpu", "memory", "pids"}, "run as root, or start a Docker engine"),
        ("Linux", 0, {"cpu", "io"}, "need the cgroup controllers memory, pids: mount them"),
    ],
)
def test_a_machine_that_cannot_run_pods_is_told_what_would_help(
    system: str, user: int, controllers: set[str], remedy: str
) -> None:
    with pytest.raises(ClusterError, match=remedy):
        local.check_machine(system, user, controllers)


def test_a_path_too_long_for_sockets_is_refused_before_anything_starts() -> None:
    with pytest.raises(ClusterError, match="set GRAPHSCHEDULE_CACHE to a shorter folder"):
        local.check_path(Path("/" + "long/" * 20))


def test_staging_modules_are_read_from_kubernetes_own_module_file() -> None:
    go_mod = "replace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n\tk8s.io/kms => ./staging/src/k8s.io/kms\n)\n"
    assert binaries.replacements(go_mod + "require k8s.io/klog/v2 v2.1.0\n") == ["k8s.io/api", "k8s.io/kms"]


def test_links_of_different_clusters_differ_and_stay_in_the_range_for_benchmarks() -> None:
    tags = ["gs-00000000", "gs-00000001", "gs-ffffffff"]
    links = [network.planned(tag) for tag in tags]
    assert [(link.host, link.address) for link in links] == [
        ("198.18.0.1", "198.18.0.2"),
        ("198.18.0.5", "198.18.0.6"),
        ("198.19.255.253", "198.19.255.254"),
    ]


def test_mounts_are_undone_from_the_innermost_and_only_below_the_folder() -> None:
    table = "a /state/x tmpfs rw 0 0\nb /state/x/y tmpfs rw 0 0\nc /state/xy tmpfs rw 0 0\n"
    assert leftovers.mounts_under(Path("/state/x"), table) == ["/state/x/y", "/state/x"]
