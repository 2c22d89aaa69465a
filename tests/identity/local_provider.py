"""A provider of OpenID Connect on this machine: it publishes real keys and signs tokens with them."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from app.clock import utc_now
from app.security.base64url import encoded
from tests.identity.auth import encoded as encoded_json

CLIENT_ID = "hoi-so-app"
SUBJECT = "f81d4fae-7dec-11d0"


def number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8))


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def ed_key(name: str) -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def rsa_jwk(kid: str, **more: object) -> dict[str, Any]:
    public = rsa_key(kid).public_key().public_numbers()
    return {"kty": "RSA", "kid": kid, "n": number(public.n), "e": number(public.e)} | more


def ec_jwk(kid: str, **more: object) -> dict[str, Any]:
    point = ec_key(kid).public_key().public_numbers()
    x, y = (encoded(each.to_bytes(32)) for each in (point.x, point.y))
    return {"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y} | more


def ed_jwk(kid: str, **more: object) -> dict[str, Any]:
    x = encoded(ed_key(kid).public_key().public_bytes_raw())
    return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x} | more


def signature(algorithm: str, kid: str, data: bytes) -> bytes:
    if algorithm == "RS256":
        return rsa_key(kid).sign(data, padding.PKCS1v15(), SHA256())
    if algorithm == "EdDSA":
        return ed_key(kid).sign(data)
    halves = decode_dss_signature(ec_key(kid).sign(data, ec.ECDSA(SHA256())))
    return b"".join(half.to_bytes(32) for half in halves)


class LocalProvider:
    """What it answers can be changed: `document`, `keys`, `status` of all answers."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.keys = [rsa_jwk("r1"), ec_jwk("e1"), ed_jwk("d1")]
        self.status = 200
        self.document: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        self.asked: Counter[str] = Counter()

    def setting(self, **more: object) -> dict[str, Any]:
        return {"issuer": self.issuer, "client_id": CLIENT_ID, "name": "VNeID"} | more

    def claims(self, nonce: str, /, **more: object) -> dict[str, Any]:
        now = int(utc_now().timestamp())
        usual = {"iss": self.issuer, "aud": CLIENT_ID, "sub": SUBJECT, "nonce": nonce}
        found = usual | {"iat": now, "exp": now + 300} | more
        return {name: value for name, value in found.items() if value is not None}

    def token(
        self,
        nonce: str,
        /,
        algorithm: str = "RS256",
        kid: str = "r1",
        header: dict[str, Any] | None = None,
        **claims: object,
    ) -> str:
        shown = {"alg": algorithm, "kid": kid} | (header or {})
        shown = {name: value for name, value in shown.items() if value is not None}
        signed = f"{encoded_json(shown)}.{encoded_json(self.claims(nonce, **claims))}"
        return f"{signed}.{encoded(signature(algorithm, kid, signed.encode()))}"


@contextmanager
def local_provider() -> Iterator[LocalProvider]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked[self.path] += 1
            body = json.dumps({"keys": found.keys} if self.path == "/keys" else found.document)
            self.send_response(found.status)
            if found.status == 302:
                self.send_header("Location", f"{found.issuer}/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = LocalProvider(server.server_address[1])
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()
