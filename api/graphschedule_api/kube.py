"""A thin client of the API server: the few requests the API makes, and what can go wrong with them.

The official client logs in, renews tokens and keeps the connections; objects stay the JSON they are.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import aiohttp
import orjson
from graphschedule import labels
from kubernetes.aio import client, config

from graphschedule_api import metrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from graphschedule_api.cache import Object

    Body = Object | Sequence[Object] | None

USER_AGENT = "graphschedule-api"
CHUNK = 500
"""Objects per page of a list."""

_ATTEMPTS = 3
_RETRY_AFTER_SECONDS = 1.0
_OK = range(200, 300)
_AUTHENTICATION = ["BearerToken"]

_JSON = "application/json"
_MERGE = "application/merge-patch+json"
_PATCH = "application/json-patch+json"


class LoginError(Exception):
    """There is no way to log in to the API server."""


class ApiError(Exception):
    """The API server refused a request; `str()` is its own sentence."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class NotFoundError(ApiError):
    """There is no such object (404)."""


class ConflictError(ApiError):
    """The object is another by now, or its name is taken (409)."""


class ExpiredError(ApiError):
    """The API server remembers no changes since that version (410): list again."""


class ForbiddenError(ApiError):
    """We lack the right, or a policy of the cluster denies the object (403)."""


class InvalidError(ApiError):
    """The API server, or a webhook of its cluster, does not take the object (400, 422)."""


class UnavailableError(ApiError):
    """The API server cannot answer now: unreachable, too busy (429) or broken (5xx). Worth another try later."""


@dataclasses.dataclass(frozen=True, slots=True)
class Resource:
    """One kind, as its URLs spell it."""

    api: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """Return the path of a collection or an object."""
        scope = None if namespace is None else f"namespaces/{namespace}"
        group = f"/apis/{self.api}" if "/" in self.api else f"/api/{self.api}"
        return "/".join(part for part in (group, scope, self.plural, name) if part)


SCHEDULES = Resource(labels.API_VERSION, labels.PLURAL)
CRONJOBS = Resource("batch/v1", "cronjobs")
JOBS = Resource("batch/v1", "jobs")
PODS = Resource("v1", "pods")
TOKEN_REVIEWS = Resource("authentication.k8s.io/v1", "tokenreviews")
ACCESS_REVIEWS = Resource("authorization.k8s.io/v1", "subjectaccessreviews")


class Event(NamedTuple):
    """What a watch tells: ADDED, MODIFIED, DELETED or BOOKMARK, and the object."""

    type: str
    object: Object


async def login() -> client.Configuration:
    """Return how to reach the API server: by kubeconfig where there is one, else as the pod's service account.

    Raises:
        LoginError: there is neither, or the kubeconfig cannot be used.

    """
    made = client.Configuration()
    kubeconfig = os.environ.get("KUBECONFIG") or "~/.kube/config"
    try:
        if _exists(kubeconfig):
            await config.load_kube_config(kubeconfig, client_configuration=made, persist_config=False)  # type: ignore[no-untyped-call] # has no types
        else:
            config.load_incluster_config(made)  # type: ignore[no-untyped-call] # has no types
    except (config.ConfigException, OSError) as error:
        raise LoginError(f"cannot log in to the API server: no kubeconfig (KUBECONFIG) that works: {error}") from error
    return made


class Kube:
    """The client. Every method raises `ApiError`, or the subclass that says more."""

    def __init__(self, api: client.ApiClient, timeout_seconds: float) -> None:
        self._api = api
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, configuration: client.Configuration, *, connections: int, timeout_seconds: float
    ) -> AsyncIterator[Self]:
        """Give a client; its connections are closed at the end of the block."""
        configuration.connection_pool_maxsize = connections
        async with client.ApiClient(configuration) as api:
            api.user_agent = USER_AGENT
            yield cls(api, timeout_seconds)

    async def list(
        self, resource: Resource, namespace: str | None, *, chunk: int = CHUNK, selector: str = ""
    ) -> AsyncIterator[Object]:
        """Yield pages (lists) of all objects of a namespace, None: of all; `selector` chooses by labels."""
        query = {"limit": str(chunk), "labelSelector": selector}
        while True:
            page = await self._request("GET", resource.path(namespace), resource, query=query)
            yield page
            following = page["metadata"].get("continue")
            if not following:
                return
            query["continue"] = following

    @asynccontextmanager
    async def watch(
        self, resource: Resource, namespace: str | None, version: str, *, silence_seconds: float, fields: str = ""
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Give what changes after a version, until the server ends the watch or says nothing for a time.

        `fields` chooses by those fields that the API server indexes.

        Raises:
            ExpiredError: the version is too old.

        """
        query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": version, "fieldSelector": fields}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout.total, sock_read=silence_seconds)
        path = resource.path(namespace)
        response = await self._send("GET", path, query, None, _JSON, timeout)
        try:
            if response.status not in _OK:
                raise _error(response.status, await response.read())
            yield (_event(line) async for line in response.content)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnavailableError(0, f"the watch of {path} ended: {error or 'it was silent'}") from error
        finally:
            response.close()

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """Return an object."""
        return await self._request("GET", resource.path(namespace, name), resource)

    async def create(self, resource: Resource, manifest: Object) -> Object:
        """Create an object and return it; one without a namespace is the cluster's."""
        path = resource.path(manifest.get("metadata", {}).get("namespace"))
        return await self._request("POST", path, resource, query=_OURS, body=manifest)

    async def merge(self, resource: Resource, namespace: str, name: str, change: Object) -> Object:
        """Merge a change into an object (RFC 7386) and return the object."""
        path = resource.path(namespace, name)
        return await self._request("PATCH", path, resource, query=_OURS, body=change, content_type=_MERGE)

    async def replace(self, resource: Resource, namespace: str, name: str, parts: Mapping[str, Any]) -> Object:
        """Replace parts of an object, by their paths (RFC 6902), and return the object.

        Those of its metadata are preconditions: it is a `ConflictError` if the object has another uid or version.
        """
        operations = [{"op": "replace", "path": path, "value": value} for path, value in parts.items()]
        path = resource.path(namespace, name)
        return await self._request("PATCH", path, resource, query=_OURS, body=operations, content_type=_PATCH)

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str, version: str | None = None) -> None:
        """Delete an object, if it is still the one of this uid and version: else it is a `ConflictError`."""
        preconditions = {"uid": uid} | ({"resourceVersion": version} if version else {})
        options = {"preconditions": preconditions, "propagationPolicy": "Background"}
        await self._request("DELETE", resource.path(namespace, name), resource, body=options)

    async def _request(
        self,
        method: str,
        path: str,
        resource: Resource,
        *,
        query: Mapping[str, str] | None = None,
        body: Body = None,
        content_type: str = _JSON,
    ) -> dict[str, Any]:
        """Send a request; repeat it when the server is too busy, after the pause that it asks for."""
        for attempt in range(_ATTEMPTS):
            status, headers, text = await self._exchange(method, path, query or {}, body, content_type)
            metrics.API_REQUESTS.labels(method, resource.plural, status).inc()
            if status != 429 or attempt == _ATTEMPTS - 1:
                break
            await asyncio.sleep(_retry_after(headers))
        if status not in _OK:
            raise _error(status, text)
        answer: dict[str, Any] = orjson.loads(text)
        return answer

    async def _exchange(
        self, method: str, path: str, query: Mapping[str, str], body: Body, content_type: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        response = await self._send(method, path, query, body, content_type, self._timeout)
        try:
            return response.status, response.headers, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnavailableError(0, f"{method} {path}: {error or 'timed out'}") from error

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Body,
        content_type: str,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the HTTP client's own
    ) -> aiohttp.ClientResponse:
        method, url, headers, sent, _ = await self._api.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params={"Content-Type": content_type},
            body=body,
            auth_settings=_AUTHENTICATION,
        )
        try:
            answer = await self._api.call_api(method, url, headers, sent, _request_timeout=timeout)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnavailableError(0, f"{method} {path}: {error or 'timed out'}") from error
        response: aiohttp.ClientResponse = answer.response
        return response


def _exists(kubeconfig: str) -> bool:
    """Tell whether there is one of the files that a kubeconfig is merged of."""
    return any(Path(path).expanduser().exists() for path in kubeconfig.split(os.pathsep))


_OURS = {"fieldManager": USER_AGENT}


def _event(line: bytes) -> Event:
    told = orjson.loads(line)
    if told["type"] == "ERROR":
        status = told["object"]
        raise _error(status.get("code", 500), orjson.dumps(status))
    return Event(told["type"], told["object"])


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds a 429 asks to wait; Kubernetes writes whole seconds, never a date."""
    try:
        return max(float(headers["Retry-After"]), 0.0)
    except (KeyError, ValueError):
        return _RETRY_AFTER_SECONDS


def _error(status: int, text: bytes) -> ApiError:
    try:
        message = orjson.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        message = text[:200].decode(errors="replace")
    kinds: dict[int, type[ApiError]] = {
        400: InvalidError,
        403: ForbiddenError,
        404: NotFoundError,
        409: ConflictError,
        410: ExpiredError,
        422: InvalidError,
        429: UnavailableError,
    }
    kind = kinds.get(status, UnavailableError if status >= 500 else ApiError)
    return kind(status, message)
