"""A client of REST that knows nothing but paths and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

    from tests.api.process import Api


Query = str | int | None
"""A parameter of a query; None leaves it out."""


class Rest:
    """REST as a caller with a token sees it; without one, as somebody unknown does."""

    def __init__(self, api: Api, token: str | None) -> None:
        self._http = api.http
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None, **query: Query
    ) -> httpx.Response:
        """Send a request below /v1."""
        given: dict[str, Any] = {"json": body} if body is not None else {}
        known = {name: value for name, value in query.items() if value is not None}
        return self._http.request(
            method, f"/v1{path}", params=known, headers={**self._headers, **(headers or {})}, **given
        )

    def get(self, path: str, **query: Query) -> Any:  # noqa: ANN401 - any JSON value
        """Read something that is there."""
        answer = self.ask("GET", path, None, None, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def create(self, body: object, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Make a schedule, which must succeed."""
        answer = self.ask("POST", "/schedules", body, headers)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def problem(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None, **query: Query
    ) -> tuple[int, str, dict[str, Any]]:
        """Send a request that must be refused; return status, the last word of the problem's type, and the problem."""
        answer = self.ask(method, path, body, headers, **query)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        told: dict[str, Any] = answer.json()
        assert told["status"] == answer.status_code
        return answer.status_code, told["type"].rpartition("/")[2], told
