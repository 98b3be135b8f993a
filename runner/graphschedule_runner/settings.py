"""The runner's settings: environment variables, the platform's own names where it has them (C §3).

No settings library is used: this is on the cold-start path of every fire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from graphschedule.errors import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_SWITCH = {"true": True, "1": True, "false": False, "0": False, "": False}


class Settings(NamedTuple):
    """What every command may need; texts that hold secrets never show in a repr."""

    database_url: str
    """DATABASE_URL: `postgresql://…?schema=platform` or `sqlite:////path/file.db`."""
    pool_size: int | None
    """DB_POOL_SIZE: the most connections to hold; None leaves it to the URL."""
    encryption_key: str | None
    """ENCRYPTION_KEY: the platform's Fernet key; None means that credentials are judged by shape only."""
    system_credentials: str
    """SYSTEM_CREDENTIALS: what the platform offers to all users, as `provider:type:id`, separated by commas."""
    enable_credit: bool
    """ENABLE_CREDIT: whether onboarding milestones pay credits, as on the platform."""
    log_level: str
    """LOG_LEVEL."""

    def __repr__(self) -> str:
        return f"Settings of log level {self.log_level}"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Return the settings in an environment.

        Raises:
            InvalidValueError: a value is missing or cannot be used.

        """
        return cls(
            database_url=_required(environment, "DATABASE_URL", "name the platform's database"),
            pool_size=_positive(environment, "DB_POOL_SIZE"),
            encryption_key=environment.get("ENCRYPTION_KEY") or None,
            system_credentials=environment.get("SYSTEM_CREDENTIALS", ""),
            enable_credit=_switch(environment, "ENABLE_CREDIT"),
            log_level=log_level(environment),
        )


def log_level(environment: Mapping[str, str]) -> str:
    """Return LOG_LEVEL, by default INFO.

    Raises:
        InvalidValueError: there is no such level.

    """
    level = (environment.get("LOG_LEVEL") or "INFO").upper()
    if level not in _LEVELS:
        raise InvalidValueError("LOG_LEVEL", level, f"write one of {', '.join(_LEVELS)}")
    return level


def _required(environment: Mapping[str, str], name: str, remedy: str) -> str:
    value = environment.get(name)
    if not value:
        raise InvalidValueError(name, value, f"set this environment variable: {remedy}")
    return value


def _positive(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name)
    if not text:
        return None
    if not text.isdecimal() or int(text) == 0:
        raise InvalidValueError(name, text, "write a number of at least 1")
    return int(text)


def _switch(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name, "").lower()
    if text not in _SWITCH:
        raise InvalidValueError(name, text, "write true or false")
    return _SWITCH[text]
