"""The facts about user and library that an execution's context carries (C §2.6), read for many at once."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from graphschedule_platform import tables
from graphschedule_platform.dialects import among, insert, pair_among

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Table

    from graphschedule_platform.probe import PlatformSchema

NO_TIME_ZONE = "not-set"
"""What `User.timezone` holds until the user chooses one."""


class SafeModes(NamedTuple):
    """Which blocks wait for a person: the platform's defaults, unless the library entry says otherwise."""

    human_in_the_loop: bool = True
    sensitive_action: bool = False

    @classmethod
    def of_settings(cls, settings: object) -> SafeModes:
        """Return the flags of a `LibraryAgent.settings` value; a malformed one means the defaults."""
        if not isinstance(settings, Mapping):
            return cls()
        flags = (settings.get("human_in_the_loop_safe_mode"), settings.get("sensitive_action_safe_mode"))
        if not all(flag is None or isinstance(flag, bool) for flag in flags):
            return cls()
        default = cls()
        return cls(
            default.human_in_the_loop if flags[0] is None else flags[0],
            default.sensitive_action if flags[1] is None else flags[1],
        )


class LibraryFacts(NamedTuple):
    """What a library entry says of its runs; only newer releases know an organization and a team (C §1.4)."""

    safe_modes: SafeModes = SafeModes()
    organization_id: str | None = None
    team_id: str | None = None


class RunContext(NamedTuple):
    """What the executor is told about the user and the graph's library entry."""

    user_timezone: str
    workspace_id: str
    library: LibraryFacts


def load_many(
    connection: Connection, schema: PlatformSchema, runs: Iterable[tuple[str, str]], now: datetime
) -> dict[tuple[str, str], RunContext]:
    """Return the context of each (user id, graph id); a pair whose user does not exist is left out.

    Users without a workspace are given one, as the platform does.
    """
    pairs = sorted(set(runs))
    users = _users(connection, [user_id for user_id, _ in pairs], now)
    entries = _library(connection, schema.library_agent, pairs)
    return {
        (user_id, graph_id): RunContext(*users[user_id], entries.get((user_id, graph_id), LibraryFacts()))
        for user_id, graph_id in pairs
        if user_id in users
    }


def _users(connection: Connection, user_ids: list[str], now: datetime) -> dict[str, tuple[str, str]]:
    """Return the time zone and the workspace id of each user."""
    rows = _users_and_workspaces(connection, user_ids)
    homeless = sorted(row.id for row in rows if row.workspace_id is None)
    if homeless:
        _create_workspaces(connection, homeless, now)
        rows = _users_and_workspaces(connection, user_ids)
    return {row.id: ("UTC" if row.timezone == NO_TIME_ZONE else row.timezone, row.workspace_id) for row in rows}


def _users_and_workspaces(connection: Connection, user_ids: list[str]) -> list[Any]:
    user, workspace = tables.user, tables.user_workspace
    query = (
        select(user.c.id, user.c.timezone, workspace.c.id.label("workspace_id"))
        .outerjoin_from(user, workspace, workspace.c.user_id == user.c.id)
        .where(among(connection, user.c.id, user_ids))
    )
    return list(connection.execute(query))


def _create_workspaces(connection: Connection, user_ids: list[str], now: datetime) -> None:
    """Give each user a workspace, unless somebody else just did."""
    rows = [{"id": str(uuid.uuid4()), "user_id": user_id, "updated_at": now} for user_id in user_ids]
    connection.execute(insert(connection, tables.user_workspace).on_conflict_do_nothing(), rows)


def _library(
    connection: Connection, library: Table, pairs: list[tuple[str, str]]
) -> dict[tuple[str, str], LibraryFacts]:
    """Return what each pair's live library entry of the highest graph version says."""
    later = [library.c[name] for name in ("organization_id", "team_id") if name in library.c]
    query = (
        select(library.c.user_id, library.c.agent_graph_id, library.c.settings, *later)
        .where(
            pair_among(connection, (library.c.user_id, library.c.agent_graph_id), pairs),
            library.c.is_deleted.is_(False),
            library.c.is_archived.is_(False),
        )
        .order_by(library.c.agent_graph_version)
    )
    return {
        (user_id, graph_id): LibraryFacts(SafeModes.of_settings(settings), *tenancy)
        for user_id, graph_id, settings, *tenancy in connection.execute(query)
    }
