"""Who may run which version of a graph (C §2.1)."""

from __future__ import annotations

import pytest
from graphschedule_platform.facts import Access
from graphschedule_platform.verdict import VerdictKind

from tests.support.facts import GRAPH, USER, decide, graph, node

V1, V2 = frozenset({1}), frozenset({2})
NOT_IN_LIBRARY = f"Graph #{GRAPH} is not in your library"


@pytest.mark.parametrize(
    ("owner", "access", "kind", "message"),
    [
        pytest.param(USER, Access(V1), VerdictKind.VALID, "", id="2.1-2-owner-with-this-version"),
        pytest.param(USER, Access(V2), VerdictKind.VALID, "", id="2.1-2-owner-with-another-version"),
        pytest.param(USER, Access(), VerdictKind.NOT_IN_LIBRARY, NOT_IN_LIBRARY, id="2.1-2-owner-without-entry"),
        pytest.param("other", Access(V1), VerdictKind.VALID, "", id="2.1-2-guest-with-this-version"),
        pytest.param(
            "other",
            Access(V2),
            VerdictKind.NOT_ACCESSIBLE,
            f"Graph #{GRAPH} version 1 is not accessible to user #{USER}",
            id="2.1-2-guest-with-another-version",
        ),
        pytest.param(
            "other",
            Access(frozenset(), V1),
            VerdictKind.NOT_IN_LIBRARY,
            NOT_IN_LIBRARY,
            id="2.1-2-guest-of-published-graph",
        ),
        pytest.param(
            "other",
            Access(V2, V1),
            VerdictKind.NOT_IN_LIBRARY,
            NOT_IN_LIBRARY,
            id="2.1-2-guest-published-other-in-library",
        ),
        pytest.param(
            "other",
            Access(frozenset(), V2),
            VerdictKind.NOT_ACCESSIBLE,
            f"Graph #{GRAPH} version 1 is not accessible to user #{USER}",
            id="2.1-2-guest-of-another-published-version",
        ),
    ],
)
def test_only_who_the_platform_lets_may_run_a_graph(
    owner: str, access: Access, kind: VerdictKind, message: str
) -> None:
    verdict = decide(graph(node("a", "StoreValue", input=1), owner=owner), access=access)

    assert (verdict.kind, verdict.message, verdict.node_errors) == (kind, message, {})


def test_a_graph_the_platform_cannot_hand_out_is_refused_before_access_is_asked() -> None:
    """The scheduler's way to the platform serialises the graph first (C §2.12)."""
    nameless = graph(node("a", "AgentInput"), owner="other")

    verdict = decide(nameless, access=Access())

    assert verdict.kind is VerdictKind.ERROR
