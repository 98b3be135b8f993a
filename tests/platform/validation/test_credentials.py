"""Credentials: grouping, mapping onto nodes and checking, every row of C §2.3 with its corrections of C §2.12."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from graphschedule_platform.facts import CredentialStore, Graph, Node
from graphschedule_platform.stores import OLLAMA
from graphschedule_platform.validation.credentials import group
from graphschedule_platform.verdict import NodeErrors, NodeInputs, VerdictKind

from tests.support.facts import BLOCKS, STORE, decide, graph, link, make_block, node, optional

if TYPE_CHECKING:
    from collections.abc import Mapping

GITHUB = {"id": "github-1", "provider": "github", "type": "api_key"}
OPENAI = {"id": "openai-1", "provider": "openai", "type": "api_key"}
GITHUB_KEY = "github_api_key-oauth2_credentials"
ENTRY = node("in", "AgentInput", name="x")
INTO_N = [link("in.result", "n.body")]


def issue(node_id: str = "n", **constants: object) -> Node:
    return node(node_id, "GithubMakeIssue", repo_url="r", title="t", **constants)


def optional_issue(**constants: object) -> Node:
    return optional(node("n", "GithubMakeIssue", repo_url="r", title="t", **constants))


def text(node_id: str, **constants: object) -> Node:
    return node(node_id, "AITextGenerator", prompt="p", **constants)


ALL_LLM = "aiml_api-anthropic-groq-llama_api-ollama-open_router-openai-v0_api_key_credentials"


@pytest.mark.parametrize(
    ("nodes", "groups"),
    [
        pytest.param([issue("a"), issue("b")], {GITHUB_KEY: {"a", "b"}}, id="2.3-same-providers-and-types"),
        pytest.param([text("a")], {ALL_LLM: {"a"}}, id="2.3-discriminator-without-value"),
        pytest.param(
            [text("a", model="gpt-5-mini-2025-08-07"), text("b", model="llama3.3"), text("c", model=None)],
            {"openai_api_key_credentials": {"a"}, "ollama_api_key_credentials": {"b"}, ALL_LLM: {"c"}},
            id="2.3-discriminator-maps-to-one-provider",
        ),
        pytest.param(
            [
                node("a", "SendAuthenticatedWebRequest", url="https://api.example.com/v1"),
                node("b", "SendAuthenticatedWebRequest", url="api.example.com"),
                node("c", "SendAuthenticatedWebRequest", url="http://localhost:8080/x"),
                node("d", "SendAuthenticatedWebRequest"),
            ],
            {
                "api.example.com-http_host_scoped_credentials": {"a", "b"},
                "http-localhost:8080_host_scoped_credentials": {"c"},
                "http_host_scoped_credentials": {"d"},
            },
            id="2.3-discriminator-is-a-url",
        ),
        pytest.param(
            [node("a", "MCPTool", server_url="https://mcp.sentry.dev/mcp")],
            {"mcp-mcp.sentry.dev_oauth2_credentials": {"a"}},
            id="2.3-discriminator-is-a-server",
        ),
        pytest.param([node("a", "GoogleSheetsRead", range="A1")], {}, id="2.3-pickers-take-no-part"),
        pytest.param([node("a", "no-such-block")], {}, id="2.3-unknown-block"),
    ],
)
def test_credential_fields_are_grouped_by_provider_and_type(nodes: list[Node], groups: Mapping[str, set[str]]) -> None:
    found = group(graph(*nodes), BLOCKS)

    assert {key: {node_id for node_id, _ in places} for key, places in found.items()} == groups


def test_sub_graphs_take_part_in_grouping() -> None:
    """2.3: for the graph and its sub-graphs."""
    asked = graph(issue("a"), sub_graphs=[graph(issue("b"), graph_id="g2")])

    assert set(group(asked, BLOCKS)[GITHUB_KEY]) == {("a", "credentials"), ("b", "credentials")}


def test_without_oauth_clients_the_stored_schema_decides_the_key() -> None:
    """2.12: the platform's settings change a block's types, and with them the key."""
    fields = {"credentials": {"credentials_provider": ["github"], "credentials_types": ["api_key"], "type": "object"}}
    bare = make_block("bare", "BareBlock", {"properties": fields, "required": ["credentials"]}, {})

    assert set(group(graph(node("n", "bare")), {"bare": bare})) == {"github_api_key_credentials"}


@pytest.mark.parametrize(
    ("credentials", "own", "compiled"),
    [
        pytest.param({GITHUB_KEY: GITHUB}, {}, {"n": {"credentials": GITHUB}}, id="2.3-copied-to-the-group"),
        pytest.param(
            {GITHUB_KEY: {**GITHUB, "title": None}}, {}, {"n": {"credentials": GITHUB}}, id="2.3-null-members-dropped"
        ),
        pytest.param(
            {GITHUB_KEY: {**GITHUB, "title": "Mine"}},
            {},
            {"n": {"credentials": {**GITHUB, "title": "Mine"}}},
            id="2.3-title-kept",
        ),
        pytest.param(
            {GITHUB_KEY: GITHUB, "unknown_credentials": OPENAI},
            {},
            {"n": {"credentials": GITHUB}},
            id="2.3-unknown-keys-ignored",
        ),
        pytest.param(
            {GITHUB_KEY: OPENAI},
            {"n": {"credentials": GITHUB, "title": "t2"}, "elsewhere": {"x": 1}},
            {"n": {"credentials": GITHUB, "title": "t2"}, "elsewhere": {"x": 1}},
            id="2.1-3-the-callers-masks-win",
        ),
        pytest.param(
            {GITHUB_KEY: GITHUB},
            {"n": {"title": "t2"}},
            {"n": {"credentials": GITHUB, "title": "t2"}},
            id="2.1-3-masks-are-overlaid-by-field",
        ),
    ],
)
def test_credentials_and_own_masks_are_compiled(
    credentials: Mapping[str, Any], own: NodeInputs, compiled: NodeInputs
) -> None:
    verdict = decide(graph(ENTRY, issue(), links=INTO_N), credentials=credentials, masks=own)

    assert (verdict.kind, verdict.nodes_input_masks) == (VerdictKind.VALID, compiled)


def test_credentials_reach_nodes_of_sub_graphs() -> None:
    asked = graph(ENTRY, sub_graphs=[graph(ENTRY, issue(body="b"), graph_id="g2")])

    verdict = decide(asked, credentials={GITHUB_KEY: GITHUB})

    assert verdict.nodes_input_masks == {"n": {"credentials": GITHUB}}


def test_a_missing_credential_of_a_sub_graph_is_no_error() -> None:
    """2.3: only nodes of the top-level graph are checked."""
    asked = graph(ENTRY, sub_graphs=[graph(ENTRY, issue(body="b"), graph_id="g2")])

    assert decide(asked).valid


BROKEN = CredentialStore(unavailable="the key does not open it")
INVALID: list[tuple[str, Node, Mapping[str, Any], CredentialStore | None, str]] = [
    ("2.3-missing-required", issue(), {}, STORE, "These credentials are required"),
    ("2.3-null-required", issue(credentials=None), {}, STORE, "These credentials are required"),
    ("2.3-object-without-id", issue(credentials={"provider": "github"}), {}, STORE, "These credentials are required"),
    (
        "2.3-mask-wins-over-constant",
        issue(credentials=GITHUB),
        {"credentials": {}},
        STORE,
        "These credentials are required",
    ),
    ("2.3-missing-without-store", issue(), {}, None, "These credentials are required"),
    (
        "2.3-malformed",
        issue(credentials="github-1"),
        {},
        STORE,
        "Invalid credentials: they must be an object with id, provider and type",
    ),
    (
        "2.3-malformed-though-optional",
        optional_issue(),
        {"credentials": "x"},
        STORE,
        "Invalid credentials: they must be an object with id, provider and type",
    ),
    ("2.3-malformed-id", issue(credentials={**GITHUB, "id": 7}), {}, STORE, "Invalid credentials: id must be a text"),
    (
        "2.3-malformed-title",
        issue(credentials={**GITHUB, "title": 7}),
        {},
        STORE,
        "Invalid credentials: title must be a text",
    ),
    (
        "2.3-foreign-provider",
        issue(credentials=OPENAI),
        {},
        STORE,
        "Invalid credentials: provider must be one of github, not 'openai'",
    ),
    (
        "2.3-no-provider",
        issue(credentials={"id": "github-1", "type": "api_key"}),
        {},
        STORE,
        "Invalid credentials: provider must be one of github, not None",
    ),
    (
        "2.3-foreign-type",
        issue(credentials={**GITHUB, "type": "host_scoped"}),
        {},
        None,
        "Invalid credentials: type must be one of api_key, oauth2, not 'host_scoped'",
    ),
    ("2.3-store-error", issue(credentials=GITHUB), {}, BROKEN, "Credentials not available: the key does not open it"),
    ("2.3-unknown-id", issue(credentials={**GITHUB, "id": "gone"}), {}, STORE, "Unknown credentials #gone"),
    (
        "2.3-unknown-id-though-optional",
        optional_issue(),
        {"credentials": {**GITHUB, "id": "gone"}},
        STORE,
        "Unknown credentials #gone",
    ),
    (
        "2.3-type-differs-from-the-stored",
        issue(credentials={**GITHUB, "type": "oauth2"}),
        {},
        STORE,
        "Invalid credentials: type/provider mismatch",
    ),
    (
        "2.3-provider-differs-from-the-stored",
        text("n", credentials={**OPENAI, "id": OLLAMA.id}),
        {},
        STORE,
        "Invalid credentials: type/provider mismatch",
    ),
]


@pytest.mark.parametrize(
    ("asked", "mask", "store", "message"), [pytest.param(*case[1:], id=case[0]) for case in INVALID]
)
def test_a_wrong_credential_is_reported_on_its_field(
    asked: Node, mask: Mapping[str, Any], store: CredentialStore | None, message: str
) -> None:
    verdict = decide(graph(asked), masks={"n": {"body": "b", **mask}}, store=store)

    assert verdict.kind is VerdictKind.INVALID
    assert verdict.node_errors == {"n": {"credentials": message}}


def test_a_credential_error_joins_the_nodes_other_errors() -> None:
    verdict = decide(graph(node("n", "GithubMakeIssue", repo_url="r", body="b")))

    expected: NodeErrors = {"n": {"title": "This field is required", "credentials": "These credentials are required"}}
    assert verdict.node_errors == expected
    assert verdict.message == "Graph validation failed: 2 issues on 1 nodes"


MCP = node("n", "MCPTool", server_url="https://mcp.example.com")


@pytest.mark.parametrize(
    ("asked", "masks", "skipped"),
    [
        pytest.param(graph(ENTRY, optional_issue(), links=INTO_N), {}, ("n",), id="2.3-optional-by-metadata-missing"),
        pytest.param(
            graph(ENTRY, optional_issue(credentials={**GITHUB, "id": "stale"}), links=INTO_N),
            {},
            ("n",),
            id="2.3-constant-of-an-optional-field-ignored",
        ),
        pytest.param(
            graph(ENTRY, optional_issue(), links=INTO_N),
            {"n": {"credentials": GITHUB}},
            (),
            id="2.3-optional-but-given",
        ),
        pytest.param(graph(MCP), {}, (), id="2.3-optional-by-schema-only"),
        pytest.param(
            graph(optional(MCP)),
            {},
            ("n",),
            id="2.3-optional-by-both",
        ),
    ],
)
def test_a_node_is_skipped_when_its_metadata_makes_missing_credentials_optional(
    asked: Graph, masks: NodeInputs, skipped: tuple[str, ...]
) -> None:
    verdict = decide(asked, masks=masks)

    assert (verdict.kind, verdict.nodes_to_skip) == (VerdictKind.VALID, skipped)


def test_skipping_does_not_excuse_a_starting_node() -> None:
    """2.12: a starting node without its optional credential still lacks an input."""
    verdict = decide(graph(optional_issue(body="b")))

    assert verdict.kind is VerdictKind.ERROR
    assert verdict.message == "Input data missing or mismatch for `GithubMakeIssueBlock`: missing input {'credentials'}"


def test_a_starting_node_keeps_the_ignored_constant_in_its_input() -> None:
    """2.12: unless `constantInput` or a mask has a value for it."""
    stale = {**GITHUB, "id": "stale"}

    verdict = decide(graph(optional_issue(body="b", credentials=stale)))

    assert (verdict.kind, verdict.nodes_to_skip) == (VerdictKind.VALID, ("n",))
    assert verdict.starting_nodes["n"]["credentials"] == stale


SHEET = {"id": "file", "_credentials_id": "google-1"}
NEEDED = make_block(
    "needs-file",
    "NeedsFileBlock",
    {
        "properties": {"spreadsheet": {"auto_credentials": {"provider": "google"}, "type": "object"}},
        "required": ["spreadsheet"],
    },
    {},
)
PICKED: list[tuple[str, Any, str | None]] = [
    ("2.3-picker-null", None, "Credentials not available: no file is chosen"),
    (
        "2.3-picker-without-key",
        {"id": "f"},
        "Credentials not available: the chosen file comes without credentials; choose it again",
    ),
    (
        "2.3-picker-blank",
        {"_credentials_id": " "},
        "Credentials not available: the chosen file's credentials id is not valid; choose it again",
    ),
    (
        "2.3-picker-number",
        {"_credentials_id": 7},
        "Credentials not available: the chosen file's credentials id is not valid; choose it again",
    ),
    ("2.3-picker-unknown", {"_credentials_id": "gone"}, "Unknown credentials #gone"),
    ("2.3-picker-null-key", {"id": "f", "_credentials_id": None}, None),
    ("2.3-picker-known", SHEET, None),
    ("2.12-picker-provider-not-checked", {"_credentials_id": "github-1"}, None),
]


@pytest.mark.parametrize(("value", "message"), [pytest.param(*case[1:], id=case[0]) for case in PICKED])
def test_a_required_picked_file_must_come_with_credentials(value: object, message: str | None) -> None:
    asked = graph(ENTRY, node("n", "needs-file"), links=[link("in.result", "n.spreadsheet")])

    verdict = decide(asked, masks={"n": {"spreadsheet": value}}, blocks={**BLOCKS, NEEDED.id: NEEDED})

    assert verdict.node_errors == ({"n": {"spreadsheet": message}} if message else {})


@pytest.mark.parametrize(("value", "message"), [pytest.param(*case[1:], id=case[0]) for case in PICKED])
def test_an_optional_picked_file_without_credentials_skips_the_node(value: object, message: str | None) -> None:
    """2.12: all shipped pickers are optional by schema."""
    asked = graph(ENTRY, node("n", "GoogleSheetsRead"), links=[link("in.result", "n.range")])

    verdict = decide(asked, masks={"n": {"spreadsheet": value}})

    assert (verdict.kind, verdict.nodes_to_skip) == (VerdictKind.VALID, ("n",) if message else ())


@pytest.mark.parametrize(
    ("constants", "skipped"),
    [
        pytest.param({}, (), id="2.3-picker-absent"),
        pytest.param({"spreadsheet": None}, ("n",), id="2.3-picker-constant-null"),
        pytest.param({"spreadsheet": {**SHEET, "_credentials_id": "gone"}}, ("n",), id="2.3-picker-constant-unknown"),
    ],
)
def test_a_picked_file_among_constants_is_checked_too(constants: Mapping[str, Any], skipped: tuple[str, ...]) -> None:
    asked = graph(ENTRY, node("n", "GoogleSheetsRead", **constants), links=[link("in.result", "n.range")])

    verdict = decide(asked)

    assert (verdict.kind, verdict.nodes_to_skip) == (VerdictKind.VALID, skipped)


def test_the_store_may_make_a_picked_file_unavailable() -> None:
    asked = graph(ENTRY, node("n", "needs-file"), links=[link("in.result", "n.spreadsheet")])
    blocks = {**BLOCKS, NEEDED.id: NEEDED}

    verdict = decide(asked, masks={"n": {"spreadsheet": SHEET}}, blocks=blocks, store=BROKEN)

    assert verdict.node_errors == {"n": {"spreadsheet": "Credentials not available: the key does not open it"}}


@pytest.mark.parametrize(
    "asked",
    [
        graph(ENTRY, issue(credentials={**GITHUB, "id": "gone"}), links=INTO_N),
        graph(ENTRY, node("n", "GoogleSheetsRead", spreadsheet=SHEET), links=[link("in.result", "n.range")]),
    ],
)
def test_without_a_store_the_shape_is_enough_and_the_verdict_says_so(asked: Graph) -> None:
    verdict = decide(asked, store=None)

    assert verdict.valid
    assert verdict.nodes_to_skip == ()
    assert not verdict.credentials_checked


def test_with_a_store_the_verdict_says_that_credentials_were_checked() -> None:
    assert decide(graph(ENTRY)).credentials_checked
    assert decide(graph(issue())).credentials_checked


def test_any_provider_is_taken_where_the_platform_says_string() -> None:
    fields = {"credentials": {"credentials_provider": ["string"], "credentials_types": ["api_key"], "type": "object"}}
    block = make_block("any", "AnyBlock", {"properties": fields, "required": ["credentials"]}, {})

    assert decide(graph(node("n", "any", credentials=GITHUB)), blocks={"any": block}).valid
