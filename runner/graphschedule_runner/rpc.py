"""Calls to the platform's services (C §5.1): `POST /<method>` with a JSON object; there is no authentication."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests
from graphschedule_platform.errors import DependencyError
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

_MAX_SHOWN = 300
"""Characters of an answer that a message quotes."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the platform's."""

    name: str
    """What people call it."""
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.name} at {self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a service, and how often to try to reach it. Times are in seconds."""

    connect_seconds: float
    retries: int
    """Further tries to connect."""
    max_wait_seconds: float
    """The most that is waited before one of them; waits double, from none and two seconds on."""
    call_seconds: float
    """For an answer."""


class RemoteError(DependencyError):
    """The service answered that the call failed."""

    def __init__(self, message: str, kind: str | None) -> None:
        super().__init__(message)
        self.kind = kind
        """The class of the exception on the other side, such as `ValueError`; None if the answer names none."""


def call(service: Service, patience: Patience, method: str, **arguments: object) -> Any:  # noqa: ANN401 - any JSON
    """Call a method; return its result.

    It is tried again only while no connection comes about: what was sent may have been done.

    Raises:
        RemoteError: the service says that the call failed.
        DependencyError: the service cannot be reached, does not answer in time, or does not answer in JSON.

    """
    what = f"{method} of the {service}"
    try:
        response = _post(service, patience, method, arguments)
        body = response.json()
    except requests.JSONDecodeError as error:
        raise DependencyError(f"{what} was answered with {response.status_code} and no JSON") from error
    except requests.RequestException as error:
        raise DependencyError(f"{what} cannot be called: {cause(error)}") from error
    if not response.ok:
        raise _failure(what, response.status_code, body)
    return body


def _post(service: Service, patience: Patience, method: str, arguments: dict[str, object]) -> requests.Response:
    connecting_only = Retry(
        total=None,
        connect=patience.retries,
        read=0,
        redirect=0,
        status=0,
        other=0,
        backoff_factor=1,
        backoff_max=patience.max_wait_seconds,
    )
    with requests.Session() as session:
        session.trust_env = False  # proxies of the environment lead out of the cluster
        session.mount("http://", HTTPAdapter(max_retries=connecting_only))
        return session.post(
            f"http://{service.host}:{service.port}/{method}",
            json=arguments,
            timeout=(patience.connect_seconds, patience.call_seconds),
        )


def cause(error: BaseException) -> str:
    """Return the innermost reason, on one line: the libraries wrap it in texts that repeat each other."""
    while (inner := getattr(error, "reason", None) or next(iter(error.args), None)) and isinstance(
        inner, BaseException
    ):
        error = inner
    return " ".join(str(error).split()) or type(error).__name__


def _failure(what: str, status: int, body: object) -> RemoteError:
    """Return the error that an answer tells of: `{type, args, extras}`, or FastAPI's `{detail}`."""
    members = body if isinstance(body, dict) else {}
    kind = members.get("type")
    said = members.get("args") or members.get("detail") or body
    words = "; ".join(str(part) for part in said) if isinstance(said, list) else str(said)
    title = f"{status} {kind}" if kind else str(status)
    return RemoteError(f"{what} failed: {title}: {words[:_MAX_SHOWN]}", kind)
