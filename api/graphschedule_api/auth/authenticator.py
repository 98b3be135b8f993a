"""Which kind of token a caller shows, and so who says whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphschedule_api.errors import UnauthenticatedError

if TYPE_CHECKING:
    from graphschedule_api.auth.callers import Caller
    from graphschedule_api.auth.reviews import Reviews
    from graphschedule_api.auth.web_tokens import WebTokens


class Authenticator:
    """Tells callers by their tokens; None of either kind takes no such tokens."""

    def __init__(self, reviews: Reviews | None, web_tokens: WebTokens | None) -> None:
        self._reviews = reviews
        self._web_tokens = web_tokens

    async def caller(self, token: str) -> Caller:
        """Return whose token it is.

        Raises:
            UnauthenticatedError: nobody's.
            UnavailableError: who would know cannot be asked now.

        """
        if self._web_tokens is not None and self._web_tokens.is_ours(token):
            return await self._web_tokens.caller(token)
        if self._reviews is not None:
            return await self._reviews.caller(token)
        raise UnauthenticatedError("the token is of no issuer that is known here")
