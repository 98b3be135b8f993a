"""Callers with JSON Web Tokens (RFC 7519), such as those of the platform's users: signed by keys that an URL serves."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import jwt

from graphschedule_api.auth.callers import Caller
from graphschedule_api.errors import UnauthenticatedError, UnavailableError

if TYPE_CHECKING:
    from graphschedule_api.settings import JwtSettings

logger = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "ES256")
FRESH_SECONDS = 300
"""How long keys are used without a look at whether they still stand."""
PAUSE_SECONDS = 10
"""Between two looks, however many tokens name keys that are not known."""
LEEWAY_SECONDS = 30
"""By how much clocks may differ."""
_TIMEOUT = aiohttp.ClientTimeout(total=10)


class WebTokens:
    """Checks tokens. Keys are fetched when they are first needed, and kept while they cannot be fetched anew."""

    def __init__(self, settings: JwtSettings) -> None:
        self._settings = settings
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched = self._looked = -float(FRESH_SECONDS)
        self._fetching = asyncio.Lock()

    def is_ours(self, token: str) -> bool:
        """Tell whether a token says that it is of our issuer; nothing is believed yet."""
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            return False
        return claims.get("iss") == self._settings.issuer

    async def caller(self, token: str) -> Caller:
        """Return whose token it is.

        Raises:
            UnauthenticatedError: it is not valid, with the reason.
            UnavailableError: the keys cannot be fetched.

        """
        try:
            key = await self._key(jwt.get_unverified_header(token).get("kid"))
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[name for name in ALGORITHMS if name == key.algorithm_name],
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", self._settings.user_claim]},
            )
        except jwt.InvalidTokenError as error:
            raise UnauthenticatedError(f"the token is not valid: {error}") from error
        return self._caller(claims)

    def _caller(self, claims: dict[str, Any]) -> Caller:
        user_id = claims[self._settings.user_claim]
        if not isinstance(user_id, str) or not user_id:
            raise UnauthenticatedError(f"the token's claim {self._settings.user_claim} is not the id of a user")
        roles = claims.get(self._settings.role_claim)
        is_admin = self._settings.admin_role in (roles if isinstance(roles, list) else [roles])
        return Caller(f"user {user_id}", None if is_admin else user_id)

    async def _key(self, key_id: str | None) -> jwt.PyJWK:
        """Return the key that a token names; a set of one needs no name."""
        async with self._fetching:
            if self._is_to_look(key_id):
                await self._look()
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if key_id not in self._keys:
            raise UnauthenticatedError("the token is signed with a key that its issuer does not name")
        return self._keys[key_id]

    def _is_to_look(self, key_id: str | None) -> bool:
        now = time.monotonic()
        wanted = key_id not in self._keys or now - self._fetched >= FRESH_SECONDS
        return wanted and now - self._looked >= PAUSE_SECONDS

    async def _look(self) -> None:
        self._looked = time.monotonic()
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.get(self._settings.jwks_url, raise_for_status=True) as answer,
            ):
                keys = jwt.PyJWKSet.from_dict(await answer.json(content_type=None))
        except (aiohttp.ClientError, TimeoutError, ValueError, AttributeError, jwt.PyJWKSetError) as error:
            logger.warning("the keys of tokens cannot be fetched from %s: %s", self._settings.jwks_url, error)
            if not self._keys:
                raise UnavailableError("the keys of tokens cannot be fetched now") from error
            return
        self._keys = {key.key_id: key for key in keys.keys}
        self._fetched = self._looked
