"""The API server's errors as those that callers know: no internals, and nothing that they could not act on."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from graphschedule_api import kube
from graphschedule_api.errors import ConflictError, NotAuthorizedError, RefusedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

_DENIED = "denied request: "
"""What stands before a policy's own words (kubernetes, apiserver/pkg/admission/plugin/policy/validating)."""
_QUOTA = re.compile("(exceeded quota|status unknown for quota): [^ ,]+")
"""What a quota says (kubernetes, apiserver/pkg/admission/plugin/resourcequota)."""


@contextmanager
def as_told() -> Iterator[None]:
    """Translate the errors of the block. That we ourselves lack a right stays what it is: a fault of ours.

    Raises:
        RefusedError: the API server does not take the object.
        NotAuthorizedError: a policy of the cluster denies it.
        ConflictError: a quota of the namespace has no room for it.
        UnavailableError: the API server cannot be asked now.

    """
    try:
        yield
    except kube.InvalidError as error:
        raise RefusedError(str(error)) from error
    except kube.ForbiddenError as error:
        if full := _QUOTA.search(str(error)):
            raise ConflictError(f"the namespace has no room for it: {full[0]}") from error
        if _DENIED not in str(error):
            raise
        raise NotAuthorizedError(str(error).partition(_DENIED)[2]) from error
    except kube.UnavailableError as error:
        logger.warning("the API server gave no answer: %s", error)
        raise UnavailableError("the Kubernetes API server cannot be asked now") from error
