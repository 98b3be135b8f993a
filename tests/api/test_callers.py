"""Whose tokens are taken over REST, how often one may ask, and from which pages; and reads while all is away."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.api.process import running
from tests.api.rest import Rest
from tests.api.tokens import AUDIENCE, ISSUER, issuing
from tests.support.api_proxy import proxied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.api.conftest import Platform
    from tests.api.process import Api
    from tests.api.tokens import Issuer
    from tests.operator.world import World

PATIENCE_SECONDS = 30


@pytest.fixture(scope="module")
def api(world: World, platform: Platform, issuer: Issuer) -> Iterator[Api]:
    with running(world.cluster.kubeconfig, world.namespace, platform.url, jwt=issuer.settings()) as made:
        yield made


def draft(user: str) -> dict[str, Any]:
    return {"graph": {"id": user}, "userId": user, "cron": "0 9 * * 1"}


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- JSON Web Tokens --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kid", ["rsa", "ec"])
def test_tokens_of_both_kinds_of_keys_are_taken(api: Api, issuer: Issuer, kid: str) -> None:
    assert Rest(api, issuer.token("u", kid=kid)).get("/schedules")["items"] == []


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"exp": 1_000_000_000}, "expired"),
        ({"exp": None}, '"exp"'),
        ({"aud": "another"}, "Audience"),
        ({"aud": None}, '"aud"'),
        ({"nbf": 4_000_000_000}, "not yet valid"),
        ({"sub": None}, '"sub"'),
        ({"sub": ""}, "not the id of a user"),
    ],
)
def test_a_token_with_wrong_claims_is_refused_with_the_reason(
    api: Api, issuer: Issuer, claims: dict[str, Any], words: str
) -> None:
    token = issuer.token(
        **({"user_id": "u"} | {"user_id" if name == "sub" else name: each for name, each in claims.items()})
    )
    status, kind, told = Rest(api, token).problem("GET", "/schedules")
    assert (status, kind) == (401, "unauthenticated")
    assert words in told["detail"]


def test_a_token_of_another_issuer_is_not_ours_to_judge(api: Api, issuer: Issuer) -> None:
    token = issuer.token("u", iss="https://elsewhere")
    assert "Kubernetes does not know" in Rest(api, token).problem("GET", "/schedules")[2]["detail"]


def test_a_token_with_a_broken_or_borrowed_signature_is_refused(api: Api, issuer: Issuer) -> None:
    header, payload, signature = issuer.token("u").split(".")
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u", "exp": int(time.time()) + 60}
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = issuer.keys["rsa"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    borrowed = f"{encoded({'alg': 'HS256', 'kid': 'rsa'})}.{encoded(claims)}"
    digest = hmac.digest(public, borrowed.encode(), "sha256")
    for token in (
        f"{header}.{encoded(claims | {'sub': 'v'})}.{signature}",
        f"{encoded({'alg': 'none', 'kid': 'rsa'})}.{payload}.",
        jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": "rsa"}),
        jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": "unknown"}),
        jwt.encode(claims, stranger, algorithm="RS256"),
        f"{borrowed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}",
        issuer.token("u", algorithm="RS384"),
    ):
        assert Rest(api, token).problem("GET", "/schedules")[:2] == (401, "unauthenticated")


def encoded(members: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("claims", "is_admin"),
    [({}, False), ({"role": "user"}, False), ({"role": "admin"}, True), ({"role": ["user", "admin"]}, True)],
)
def test_a_role_may_act_for_every_user(api: Api, issuer: Issuer, claims: dict[str, Any], is_admin: bool) -> None:
    answer = Rest(api, issuer.token("u", **claims)).ask("GET", "/schedules", userId="another")
    assert answer.status_code == (200 if is_admin else 403)


def test_claims_can_be_called_otherwise(world: World, platform: Platform, issuer: Issuer) -> None:
    settings = json.loads(issuer.settings()) | {"user_claim": "uid", "role_claim": "groups", "admin_role": "ops"}
    with running(world.cluster.kubeconfig, world.namespace, platform.url, jwt=json.dumps(settings)) as api:
        assert (
            Rest(api, issuer.token(None, uid="u", role="admin")).ask("GET", "/schedules", userId="v").status_code == 403
        )
        assert Rest(api, issuer.token(None, uid="u", groups=["ops"])).ask("GET", "/schedules", userId="v").is_success


def test_keys_that_are_new_are_fetched_and_unknown_ones_not_over_and_over(world: World, platform: Platform) -> None:
    with (
        issuing() as issuer,
        running(world.cluster.kubeconfig, world.namespace, platform.url, jwt=issuer.settings()) as api,
    ):
        issuer.away = True
        status, kind, _ = Rest(api, issuer.token("u")).problem("GET", "/schedules")
        assert (status, kind) == (503, "unavailable")
        issuer.keys["rsa-2"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        for _ in range(5):
            answer = Rest(api, issuer.token("u", kid="rsa-2", algorithm="RS256")).ask("GET", "/schedules")
            assert answer.status_code == 401
        assert issuer.asked == 1


def test_tokens_of_kubernetes_can_be_left_out_and_meant_for_an_audience(world: World, platform: Platform) -> None:
    world.kubectl("create", "serviceaccount", "somebody")
    bound = f"--serviceaccount={world.namespace}:somebody"
    world.kubectl("create", "rolebinding", "somebody", "--clusterrole=cluster-admin", bound)
    plain = world.kubectl("create", "token", "somebody").strip()
    meant = world.kubectl("create", "token", "somebody", "--audience=graphschedule").strip()
    with running(world.cluster.kubeconfig, world.namespace, platform.url, token_audience="graphschedule") as api:
        assert Rest(api, meant).ask("GET", "/schedules").status_code == 200
        assert Rest(api, plain).ask("GET", "/schedules").status_code == 401
    with running(world.cluster.kubeconfig, world.namespace, platform.url, kubernetes_tokens="false") as api:
        assert Rest(api, plain).ask("GET", "/schedules").status_code == 401


# --- limits and origins -----------------------------------------------------------------------------------------------


def test_who_asks_too_often_is_told_when_to_go_on_and_others_are_not_held_up(
    world: World, platform: Platform, issuer: Issuer
) -> None:
    settings = {"jwt": issuer.settings(), "rate": "0.1", "burst": "3"}
    with running(world.cluster.kubeconfig, world.namespace, platform.url, **settings) as api:
        hasty = Rest(api, issuer.token("hasty"))
        assert [hasty.ask("GET", "/schedules").status_code for _ in range(5)] == [200] * 3 + [429] * 2
        assert hasty.problem("GET", "/tasks")[:2] == (429, "too-many-requests")
        assert 0 < int(hasty.ask("GET", "/schedules").headers["Retry-After"]) <= 10
        assert Rest(api, issuer.token("patient")).ask("GET", "/schedules").status_code == 200


PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,if-match"}


def test_web_pages_may_call_from_origins_that_are_named_and_no_others(
    api: Api, world: World, platform: Platform, issuer: Issuer
) -> None:
    def allowed(api: Api, origin: str) -> list[str | None]:
        asked = api.http.options("/v1/schedules", headers={"Origin": origin, **PREFLIGHT})
        answer = api.http.get("/v1/schedules", headers={"Origin": origin})
        return [each.headers.get("Access-Control-Allow-Origin") for each in (asked, answer)]

    assert allowed(api, "https://page.example") == [None, None]
    origins = json.dumps(["https://page.example"])
    settings = {"jwt": issuer.settings(), "cors_origins": origins}
    with running(world.cluster.kubeconfig, world.namespace, platform.url, **settings) as named:
        assert allowed(named, "https://page.example") == ["https://page.example"] * 2
        assert allowed(named, "https://evil.example") == [None, None]


def test_rest_can_be_left_out(world: World, platform: Platform) -> None:
    with running(world.cluster.kubeconfig, world.namespace, platform.url, rest_enabled="false") as api:
        assert api.http.get("/v1/schedules").json() == {"detail": "Not Found"}
        assert "/v1/schedules" not in api.http.get("/openapi.json").json()["paths"]


# --- while things are away --------------------------------------------------------------------------------------------


def test_without_an_api_server_reads_tell_their_age_and_writes_are_refused(
    world: World, platform: Platform, issuer: Issuer, user: str, tmp_path: Path
) -> None:
    world.kubectl("create", "serviceaccount", "reader")
    bound = f"--serviceaccount={world.namespace}:reader"
    world.kubectl("create", "rolebinding", "reader", "--clusterrole=cluster-admin", bound)
    account_token = world.kubectl("create", "token", "reader").strip()
    with (
        proxied(world.cluster.kubeconfig, tmp_path) as proxy,
        running(proxy.kubeconfig, world.namespace, platform.url, jwt=issuer.settings()) as api,
    ):
        rest, account = Rest(api, issuer.token(user)), Rest(api, account_token)
        made = rest.create(draft(user))
        path = f"/schedules/{made['id']}"
        assert account.get(path) == made
        assert "Age" not in rest.ask("GET", path).headers
        for method in ("GET", "POST", "PATCH", "DELETE"):
            proxy.fail(method, "/", times=1_000_000, status=500)
        with proxy.gap():
            until(lambda: "Age" in rest.ask("GET", path).headers)
            for caller in (rest, account):
                assert caller.get(path)["id"] == made["id"]
                assert caller.get(f"{path}/runs")["items"] == []
            assert [each["id"] for each in rest.get("/schedules")["items"]] == [made["id"]]
            assert rest.get("/cron-preview", cron="0 9 * * 1")["items"][0]["schedules"] >= 0
            for method, where, body in (
                ("POST", "/schedules", draft(user)),
                ("PUT", path, draft(user) | {"cron": "0 8 * * *"}),
                ("PATCH", path, {"cron": "0 8 * * *"}),
                ("POST", f"{path}:pause", None),
                ("DELETE", path, None),
            ):
                answer = rest.ask(method, where, body)
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), answer.text
                assert answer.json()["type"].endswith("/unavailable")
                assert "127.0.0.1" not in answer.text
            assert api.http.get("/readyz").status_code == 200


def test_without_the_database_nothing_is_made_but_all_is_read(world: World, issuer: Issuer, user: str) -> None:
    away = "postgresql://nobody:secret@127.0.0.1:1/platform?connect_timeout=1"
    with running(world.cluster.kubeconfig, world.namespace, away, jwt=issuer.settings()) as api:
        rest = Rest(api, issuer.token(user))
        status, kind, told = rest.problem("POST", "/schedules", draft(user))
        assert (status, kind) == (503, "unavailable")
        assert "secret" not in str(told)
        assert rest.get("/schedules")["items"] == []
