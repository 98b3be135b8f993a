"""Validation: what the platform's `add_graph_execution` would say to requests (C §2.1-2.4, §2.12; M2, M9)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from graphschedule_platform import graphs
from graphschedule_platform.facts import Access, Block, CredentialStore, StoredCredential
from graphschedule_platform.stores import OLLAMA, check_key, open_store
from graphschedule_platform.validation.access import not_found
from graphschedule_platform.validation.judge import Examination, judge, refused
from graphschedule_platform.verdict import ExecutionRequest, Verdict, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from graphschedule_platform.catalogue import Catalogue

_log = logging.getLogger(__name__)


def validate_many(
    connection: Connection,
    requests: Sequence[ExecutionRequest],
    *,
    catalogue: Catalogue,
    cipher: str | None = None,
    system_credentials: Collection[StoredCredential] = (OLLAMA,),
) -> list[Verdict]:
    """Return the platform's verdict on each request, in their order.

    `cipher` is the platform's Fernet key; without it credentials are judged by shape only, and the verdicts say so.
    `system_credentials` are those the platform offers to everybody. Graphs are loaded and examined once each,
    however many requests name them. A request that cannot be judged gets an `ERROR` verdict and harms no other.

    Raises:
        InvalidValueError: `cipher` is not a Fernet key.
        DatabaseUnavailableError: the database cannot be read now.

    """
    library = graphs.load_library(connection, requests)
    found = [library.find(request.graph_id, request.graph_version) for request in requests]
    loaded = graphs.load_graphs(connection, {heading for heading in found if heading})
    blocks = graphs.load_blocks(connection, loaded.values(), catalogue)
    examinations = {version: Examination(graph, blocks) for version, graph in loaded.items()}
    stores = _stores(connection, {request.user_id for request in requests}, blocks.values(), cipher, system_credentials)
    verdicts = []
    for request, heading in zip(requests, found, strict=True):
        examination = examinations[heading.id, heading.version] if heading else None
        access = library.access_of(request.user_id, request.graph_id)
        verdicts.append(_verdict(request, examination, access, stores.get(request.user_id)))
    return verdicts


def validate(
    connection: Connection,
    request: ExecutionRequest,
    *,
    catalogue: Catalogue,
    cipher: str | None = None,
    system_credentials: Collection[StoredCredential] = (OLLAMA,),
) -> Verdict:
    """Return the platform's verdict on one request; see `validate_many`."""
    (verdict,) = validate_many(
        connection, [request], catalogue=catalogue, cipher=cipher, system_credentials=system_credentials
    )
    return verdict


def _verdict(
    request: ExecutionRequest, examination: Examination | None, access: Access, store: CredentialStore | None
) -> Verdict:
    """Judge one request; whatever goes wrong in it stays in it."""
    if examination is None:
        return refused(not_found(request.graph_id), store=store)
    try:
        return judge(request, examination, access, store)
    except Exception:
        _log.exception("graph %s of user %s cannot be judged", request.graph_id, request.user_id)
        return Verdict(
            VerdictKind.ERROR,
            "The graph or its inputs are of a form that cannot be judged; the log has the details",
            graph_version=examination.graph.version,
        )


def _stores(
    connection: Connection,
    user_ids: Collection[str],
    blocks: Iterable[Block],
    cipher: str | None,
    system: Collection[StoredCredential],
) -> Mapping[str, CredentialStore]:
    """Return users' credential stores; none without a key, and empty ones if no block takes credentials."""
    if cipher is None:
        return {}
    check_key(cipher)
    if not any(block.input.credentials or block.input.pickers for block in blocks):
        return dict.fromkeys(user_ids, CredentialStore())
    integrations = graphs.load_integrations(connection, user_ids)
    return {user_id: open_store(integrations.get(user_id), cipher, system) for user_id in user_ids}
