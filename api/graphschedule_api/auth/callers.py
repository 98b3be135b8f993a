"""A caller, and what it may do: a user of the platform for itself, an administrator, or whom Kubernetes lets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from graphschedule import labels

from graphschedule_api.errors import NotAuthorizedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Right(NamedTuple):
    """What is done to which kind of object, as Kubernetes' RBAC names it."""

    verb: str
    resource: str = labels.PLURAL
    group: str = labels.GROUP

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}.{self.group}"


LIST = Right("list")
GET = Right("get")
CREATE = Right("create")
PATCH = Right("patch")
"""Pausing, and running now too: who may change a schedule could do both by that."""
DELETE = Right("delete")
LIST_TASKS = Right("list", "cronjobs", "batch")
RUN_TASKS = Right("create", "jobs", "batch")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    `user_id` is the platform's user whom alone the caller acts for; None: for any. `review` asks Kubernetes whether the
    caller has a right in a namespace; None: it has all there are.
    """

    name: str
    user_id: str | None = None
    review: Callable[[Right, str], Awaitable[bool]] | None = None

    async def may(self, right: Right, namespace: str) -> bool:
        """Tell whether the caller has a right in a namespace."""
        return self.review is None or await self.review(right, namespace)

    async def require(self, right: Right, namespace: str, user_id: str) -> None:
        """Return if the caller has a right in a namespace and acts for that user.

        Raises:
            NotAuthorizedError: it has not, or does not.

        """
        if self.user_id not in {None, user_id}:
            raise NotAuthorizedError(f"{self.name} may not act for user {user_id}")
        if not await self.may(right, namespace):
            raise NotAuthorizedError(f"{self.name} may not {right} in namespace {namespace}")

    async def require_operations(self, right: Right, namespace: str) -> None:
        """Return if the caller has a right about the service itself, which no user of the platform has.

        Raises:
            NotAuthorizedError: it has not.

        """
        if self.user_id is not None or not await self.may(right, namespace):
            raise NotAuthorizedError(f"{self.name} may not {right} in namespace {namespace}")
