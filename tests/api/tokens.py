"""Tokens for tests: an issuer of JSON Web Tokens that serves its keys, and service accounts of Kubernetes."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

if TYPE_CHECKING:
    from collections.abc import Iterator

ISSUER = "https://platform.example/auth"
AUDIENCE = "authenticated"


class Issuer:
    """Signs tokens, with a key of each kind, and serves the public ones that it names."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: dict[str, Any] = {
            "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ec": ec.generate_private_key(ec.SECP256R1()),
        }
        self.named = ["rsa", "ec"]
        self.asked = 0
        self.away = False

    def settings(self) -> str:
        """Return the API's setting."""
        return json.dumps({"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": self.url})

    def token(self, user_id: object, *, kid: str = "rsa", algorithm: str | None = None, **claims: object) -> str:
        """Return a token for a user; claims replace members, and None leaves one out."""
        whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": user_id, "exp": int(time.time()) + 3600} | claims
        members = {name: value for name, value in whole.items() if value is not None}
        kind = algorithm or {"rsa": "RS256", "ec": "ES256"}[kid]
        return jwt.encode(members, self.keys[kid], algorithm=kind, headers={"kid": kid})

    def jwks(self) -> dict[str, Any]:
        """Return the public keys that it names (RFC 7517)."""
        return {"keys": [self._public(name) | {"kid": name, "use": "sig"} for name in self.named]}

    def _public(self, name: str) -> dict[str, Any]:
        kind = RSAAlgorithm if name.startswith("rsa") else ECAlgorithm
        public: dict[str, Any] = json.loads(kind.to_jwk(self.keys[name].public_key()))
        return public


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Serve an issuer's keys."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked += 1
            self.send_response(500 if issuer.away else 200)
            self.end_headers()
            self.wfile.write(json.dumps(issuer.jwks()).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = Issuer(f"http://127.0.0.1:{server.server_port}/keys")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
