"""Whose schedules they are: users, graphs, and what each schedule asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphschedule import labels
from graphschedule.payload import RunPayload

from tests.support import builders

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from bench.api import Object

SCHEDULES_PER_USER = 10
SCHEDULES_PER_GRAPH = 100
INPUT = "topic"


@dataclass(frozen=True)
class Ask:
    """A schedule that somebody wants."""

    name: str
    user_id: str
    graph_id: str
    inputs: dict[str, Any]

    def manifest(self, cron: str, dispatch: str) -> Object:
        """Return it as a GraphSchedule."""
        return {
            "apiVersion": labels.API_VERSION,
            "kind": labels.KIND,
            "metadata": {"name": self.name},
            "spec": {
                "graph": {"id": self.graph_id, "version": 1},
                "userId": self.user_id,
                "cron": cron,
                "timeZone": "Etc/UTC",
                "inputs": self.inputs,
                "dispatch": dispatch,
            },
        }

    def payload(self, uid: str) -> RunPayload:
        """Return it as the arguments of a run, for a schedule of that uid."""
        return RunPayload(
            schedule_uid=uid,
            namespace="bench",
            name=self.name,
            cronjob=self.name,
            graph_id=self.graph_id,
            graph_version=1,
            user_id=self.user_id,
            inputs=self.inputs,
        )


def settle(engine: Engine, count: int) -> list[Ask]:
    """Make users and graphs on a platform; return so many asks, each of them for a run of its own.

    A user has ten schedules, each of another graph as long as there are as many; a graph is run by a hundred.
    """
    users = -(-count // SCHEDULES_PER_USER)
    graphs = -(-count // SCHEDULES_PER_GRAPH)
    with engine.begin() as connection:
        user_ids = [builders.make_user(connection, timezone="Europe/Berlin") for _ in range(users)]
        made = [builders.make_simple_graph(connection, owner, input_name=INPUT) for owner in user_ids[:graphs]]
        asks, shared = [], set()
        for number in range(count):
            user_id = user_ids[number % users]
            graph = made[(number + number // users) % graphs]
            shared.add((user_id, graph))
            asks.append(Ask(f"nine-{number}", user_id, graph.id, {INPUT: f"the news of the day, number {number}"}))
        for user_id, graph in shared:
            if user_id != graph.user_id:
                builders.make_library_agent(connection, graph, user_id=user_id)
    return asks
