"""Whether a user may run a graph (C §2.1 steps 1 and 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphschedule_platform.validation.refusal import RefusalError
from graphschedule_platform.verdict import VerdictKind

if TYPE_CHECKING:
    from graphschedule_platform.facts import Access


def not_found(graph_id: str) -> RefusalError:
    """Return the platform's GraphNotFoundError (C §2.1 step 1)."""
    return RefusalError(f"Graph #{graph_id} not found.", VerdictKind.GRAPH_NOT_FOUND)


def check_access(user_id: str, graph_id: str, version: int, owner_id: str, access: Access) -> None:
    """Check that the user may run this version of the graph (C §2.1 step 2).

    An owner may run any version while some version of the graph is in the library; anybody else only a version
    that is itself in the library.

    Raises:
        RefusalError: GraphNotAccessibleError or GraphNotInLibraryError.

    """
    owner = owner_id == user_id
    in_library = version in access.library_versions
    if not (owner or in_library or version in access.published_versions):
        raise RefusalError(
            f"Graph #{graph_id} version {version} is not accessible to user #{user_id}", VerdictKind.NOT_ACCESSIBLE
        )
    if not (in_library or (owner and access.library_versions)):
        raise RefusalError(f"Graph #{graph_id} is not in your library", VerdictKind.NOT_IN_LIBRARY)
