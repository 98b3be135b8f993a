"""A thin client of the API server: the few requests the operator makes, and what can go wrong with them."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import kopf
import orjson
from graphschedule import labels

from graphschedule_operator import metrics
from graphschedule_operator.cache import Key, Object, version_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

_ATTEMPTS = 5
_RETRY_AFTER_SECONDS = 1.0
_OK = range(200, 300)

_JSON = "application/json"
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"


class ApiError(Exception):
    """The API server refused a request; `str()` is its own sentence."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class NotFoundError(ApiError):
    """There is no such object (404)."""


class ConflictError(ApiError):
    """Somebody else has the object or the field (409)."""


class UnavailableError(ApiError):
    """The API server cannot answer now: unreachable, too busy (429) or broken (5xx). Worth another try later."""


@dataclasses.dataclass(frozen=True, slots=True)
class Resource:
    """One kind, as its URLs spell it."""

    api: str
    kind: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the path of a collection, an object or a subresource of it."""
        scope = None if namespace is None else f"namespaces/{namespace}"
        group = f"/apis/{self.api}" if "/" in self.api else f"/api/{self.api}"
        return "/".join(part for part in (group, scope, self.plural, name, subresource) if part)


SCHEDULES = Resource(labels.API_VERSION, labels.KIND, labels.PLURAL)
CRONJOBS = Resource("batch/v1", "CronJob", "cronjobs")
EVENTS = Resource("events.k8s.io/v1", "Event", "events")
JOBS = Resource("batch/v1", "Job", "jobs")
PODS = Resource("v1", "Pod", "pods")
SECRETS = Resource("v1", "Secret", "secrets")
"""The operator may create and delete them, and read none."""


def login() -> kopf.ConnectionInfo:
    """Return how to reach the API server: by kubeconfig where there is one, else as the pod's service account.

    A pod goes by the address in its environment as client-go does (rest.InClusterConfig), so that the operator
    works where cluster DNS does not.

    Raises:
        kopf.LoginError: there is neither.

    """
    settings = kopf.OperatorSettings()
    try:
        kubeconfig = kopf.login_with_kubeconfig(settings=settings)
    except OSError as error:
        raise kopf.LoginError(f"the kubeconfig cannot be read: {error}") from error
    if kubeconfig is not None:
        return kubeconfig
    account = kopf.login_with_service_account(settings=settings)
    if account is None:
        raise kopf.LoginError("there is no kubeconfig (KUBECONFIG) and no service account token to log in with")
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    return dataclasses.replace(account, server=f"https://{f'[{host}]' if ':' in host else host}:{port}")


class Kube:
    """The client. Every method raises `ApiError`, or the subclass that says more."""

    def __init__(self, session: aiohttp.ClientSession, connection: kopf.ConnectionInfo) -> None:
        self._session = session
        self._server = connection.server.rstrip("/")
        self._headers = connection.as_http_headers()
        self._not_before = 0.0

    @classmethod
    @asynccontextmanager
    async def connect(cls, *, connections: int, timeout_seconds: float) -> AsyncIterator[Self]:
        """Log in; the connections are closed at the end of the block."""
        connection = login()
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ssl=connection.as_ssl_context()),
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
            headers={"User-Agent": labels.FIELD_MANAGER},
        ) as session:
            yield cls(session, connection)

    async def list(
        self, resource: Resource, namespace: str | None, *, chunk: int, selector: str = "", fields: str = ""
    ) -> AsyncIterator[tuple[list[Object], int]]:
        """Yield pages of all objects of a namespace (None: of all), each with the version of the whole list.

        `selector` chooses by labels, `fields` by those fields that the API server indexes.
        """
        told_once = {"apiVersion": resource.api, "kind": resource.kind}
        params = {"limit": str(chunk), "labelSelector": selector, "fieldSelector": fields}
        while True:
            page = await self._request("GET", resource.path(namespace), resource.plural, params=params)
            yield [told_once | item for item in page["items"]], version_of(page)
            following = page["metadata"].get("continue")
            if not following:
                return
            params["continue"] = following

    async def get(self, resource: Resource, key: Key) -> Object:
        """Return an object."""
        return await self._request("GET", resource.path(*key), resource.plural)

    async def apply(self, resource: Resource, manifest: Object, *, force: bool) -> Object:
        """Create or change the fields of `manifest`, by server-side apply, and return the object.

        Unforced, a field that another manager set otherwise is a `ConflictError`; forced, it becomes ours.
        """
        metadata = manifest["metadata"]
        return await self._request(
            "PATCH",
            resource.path(metadata["namespace"], metadata["name"]),
            resource.plural,
            params={"fieldManager": labels.FIELD_MANAGER, "force": str(force).lower()},
            body=manifest,
            content_type=_APPLY,
        )

    async def merge(
        self, resource: Resource, key: Key, change: Mapping[str, Any], subresource: str | None = None
    ) -> Object:
        """Merge a change into an object (RFC 7386) and return the object."""
        return await self._request(
            "PATCH",
            resource.path(*key, subresource),
            f"{resource.plural}/{subresource}" if subresource else resource.plural,
            params={"fieldManager": labels.FIELD_MANAGER},
            body=change,
            content_type=_MERGE,
        )

    async def create(self, resource: Resource, manifest: Object) -> None:
        """Create an object."""
        path = resource.path(manifest["metadata"]["namespace"])
        await self._request("POST", path, resource.plural, body=manifest)

    async def delete(self, resource: Resource, key: Key, uid: str | None = None) -> None:
        """Delete an object; if a uid is given, only the one of this uid: else it is a `ConflictError`."""
        preconditions = {} if uid is None else {"preconditions": {"uid": uid}}
        options = {"propagationPolicy": "Background", **preconditions}
        await self._request("DELETE", resource.path(*key), resource.plural, body=options)

    async def _request(
        self,
        method: str,
        path: str,
        label: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = _JSON,
    ) -> dict[str, Any]:
        """Send a request; wait and repeat it when the server is too busy, log in again when a token has expired."""
        data = None if body is None else orjson.dumps(body)
        for _ in range(_ATTEMPTS):
            await self._wait_our_turn()
            status, headers, text = await self._send(method, path, params, data, content_type)
            metrics.API_REQUESTS.labels(method, label, status).inc()
            if status in _OK:
                answer: dict[str, Any] = orjson.loads(text)
                return answer
            if status == 401:
                self._headers = login().as_http_headers()
            elif status == 429:
                self._not_before = asyncio.get_running_loop().time() + _retry_after(headers)
            else:
                break
        raise _error(status, text)

    async def _wait_our_turn(self) -> None:
        """Hold every request back while the server has asked for a pause (Retry-After), not just the refused one."""
        pause = self._not_before - asyncio.get_running_loop().time()
        if pause > 0:
            await asyncio.sleep(pause)

    async def _send(
        self, method: str, path: str, params: Mapping[str, str] | None, data: bytes | None, content_type: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        try:
            async with self._session.request(
                method,
                f"{self._server}{path}",
                params=params,
                data=data,
                headers=self._headers | {"Content-Type": content_type},
            ) as response:
                return response.status, response.headers, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnavailableError(0, f"{method} {path}: {error or 'timed out'}") from error


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
    kinds = {404: NotFoundError, 409: ConflictError, 429: UnavailableError}
    kind = kinds.get(status, UnavailableError if status >= 500 else ApiError)
    return kind(status, message)
