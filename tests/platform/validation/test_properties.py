"""What holds of every graph, generated: nodes, links, sub-graphs, inputs, masks (C §2.2-2.4)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from graphschedule_platform.catalogue import BlockKind
from graphschedule_platform.verdict import VerdictKind
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.facts import BLOCK_IDS, BLOCKS, decide, graph, link, node, optional

if TYPE_CHECKING:
    from graphschedule_platform.facts import Graph, Node

NAMES = (
    "AgentInput",
    "AgentNumberInput",
    "AgentOutput",
    "AddToList",
    "AITextGenerator",
    "Calculator",
    "FillTextTemplate",
    "GithubMakeIssue",
    "GoogleSheetsRead",
    "Note",
    "StoreValue",
    "TodoistUpdateTask",
)
VALUES = st.sampled_from([None, "", "text", 3, True, [1], {"k": 1}, "Add"])
GITHUB = {"id": "github-1", "provider": "github", "type": "api_key"}
OPENAI = {"id": "openai-1", "provider": "openai", "type": "api_key"}
CREDENTIALS = st.sampled_from([{}, {"github_api_key-oauth2_credentials": GITHUB}])
SUITABLE = {
    "credentials": OPENAI,
    "operation": "Add",
    "a": 1,
    "b": 2,
    "values": {"k": "v"},
}
"""Values for required fields that are no plain texts."""


@st.composite
def nodes(draw: st.DrawFn, prefix: str) -> list[Node]:
    """Draw nodes with some of their blocks' fields set, in half of the draws all that are required.

    Input and output nodes have a name.
    """
    made = []
    complete = draw(st.booleans())
    for number, name in enumerate(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5))):
        fields = sorted(BLOCKS[BLOCK_IDS[name]].input.fields.keys() - {"model"})
        constants: dict[str, Any] = draw(st.dictionaries(st.sampled_from(fields), VALUES, max_size=4))
        if complete:
            required = BLOCKS[BLOCK_IDS[name]].input.required
            constants = {field: SUITABLE.get(field, "text") for field in sorted(required)}
        if "name" in fields:
            constants["name"] = draw(st.sampled_from(["a", "b", "c" if complete else "my_credentials"]))
        each = node(f"{prefix}{number}", name, **constants)
        made.append(optional(each) if draw(st.booleans()) else each)
    return made


@st.composite
def graphs(draw: st.DrawFn, prefix: str = "n", depth: int = 1) -> Graph:
    """Draw a graph whose links join fields, backwards too, with sub-graphs."""
    made = draw(nodes(prefix))
    links = []
    for _ in range(draw(st.integers(0, 3))):
        source, sink = draw(st.sampled_from(made)), draw(st.sampled_from(made))
        outputs, inputs = sorted(BLOCKS[source.block_id].output_fields), sorted(BLOCKS[sink.block_id].input.fields)
        pin = draw(st.sampled_from(inputs)) + draw(st.sampled_from(["", "_#_k", "_$_0"]))
        links.append(link(f"{source.id}.{draw(st.sampled_from(outputs))}", f"{sink.id}.{pin}"))
    subs = [draw(graphs(f"{prefix}{n}s", depth - 1)) for n in range(draw(st.integers(0, 2)) if depth else 0)]
    return graph(*made, links=links, sub_graphs=[*subs], graph_id=prefix)


@st.composite
def masks_of(draw: st.DrawFn, asked: Graph) -> dict[str, dict[str, Any]]:
    chosen = draw(st.lists(st.sampled_from(asked.nodes), max_size=2, unique_by=lambda n: n.id))
    fields = {n.id: sorted(BLOCKS[n.block_id].input.fields.keys() - {"name"}) for n in chosen}
    return {n.id: draw(st.dictionaries(st.sampled_from(fields[n.id]), VALUES, max_size=2)) for n in chosen}


def sound(verdict_kind: VerdictKind) -> bool:
    return verdict_kind in {VerdictKind.VALID, VerdictKind.INVALID}


@settings(max_examples=300, deadline=None)
@given(st.data(), graphs(), st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES), CREDENTIALS)
def test_every_required_field_is_satisfied_or_reported(
    data: st.DataObject, asked: Graph, inputs: dict[str, Any], credentials: dict[str, Any]
) -> None:
    masks = data.draw(masks_of(asked))

    verdict = decide(asked, inputs=inputs, masks=masks, credentials=credentials)

    if not sound(verdict.kind):
        return
    for member in asked.with_sub_graphs:
        for each in member.nodes:
            inbound = {found.sink_name.split("_#_")[0].split("_$_")[0] for found in member.inbound.get(each.id, ())}
            provided = each.constants.keys() | inbound | masks.get(each.id, {}).keys()
            schema = BLOCKS[each.block_id].input
            for field in schema.required - schema.credential_names - provided:
                assert verdict.node_errors[each.id][field] == "This field is required"


@settings(max_examples=300, deadline=None)
@given(st.data(), graphs(), st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES), CREDENTIALS)
def test_every_starting_node_has_exactly_one_input_and_it_is_complete(
    data: st.DataObject, asked: Graph, inputs: dict[str, Any], credentials: dict[str, Any]
) -> None:
    masks = data.draw(masks_of(asked))

    verdict = decide(asked, inputs=inputs, masks=masks, credentials=credentials)

    if not verdict.valid:
        assert verdict.starting_nodes == {}
        return
    sinks = {found.sink_id for found in asked.links}
    starting = {
        each.id
        for each in asked.nodes
        if BLOCKS[each.block_id].kind is not BlockKind.NOTE
        and (each.id not in sinks or BLOCKS[each.block_id].kind is BlockKind.INPUT)
    }
    assert verdict.starting_nodes.keys() == starting
    for each in asked.nodes:
        if each.id in starting:
            given_input = verdict.starting_nodes[each.id]
            assert given_input.keys() >= each.constants.keys() | verdict.nodes_input_masks.get(each.id, {}).keys()
            assert all(given_input[field] is not None for field in BLOCKS[each.block_id].input.required)


@settings(max_examples=200, deadline=None)
@given(graphs(), CREDENTIALS)
def test_errors_name_fields_of_nodes_and_the_message_counts_them(asked: Graph, credentials: dict[str, Any]) -> None:
    verdict = decide(asked, credentials=credentials)

    fields = {each.id: BLOCKS[each.block_id].input.fields for member in asked.with_sub_graphs for each in member.nodes}
    assert (verdict.kind is VerdictKind.INVALID) == bool(verdict.node_errors)
    for node_id, errors in verdict.node_errors.items():
        assert errors
        assert errors.keys() <= fields[node_id].keys()
    if verdict.node_errors:
        issues = sum(map(len, verdict.node_errors.values()))
        assert verdict.message == f"Graph validation failed: {issues} issues on {len(verdict.node_errors)} nodes"


@settings(max_examples=100, deadline=None)
@given(graphs(), CREDENTIALS, st.dictionaries(st.sampled_from(["a", "b"]), VALUES))
def test_judging_changes_nothing_and_says_the_same_again(
    asked: Graph, credentials: dict[str, Any], inputs: dict[str, Any]
) -> None:
    before = copy.deepcopy((asked.nodes, credentials, inputs))

    first = decide(asked, credentials=credentials, inputs=inputs)

    assert (asked.nodes, credentials, inputs) == before
    assert decide(asked, credentials=credentials, inputs=inputs) == first
