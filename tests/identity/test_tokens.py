"""Auth."""

import base64
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
import time_machine
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from httpx2 import Response
from sqlmodel import col, select

from app.config import Settings
from app.db import Database
from app.models.kernel.access import ROLE_RIGHTS, Role
from app.models.kernel.sessions import AuthSession, RefreshToken, RevokedReason
from app.security.secret_texts import digest
from app.security.tokens import Keyring, VerifiedTokens
from app.services.identity.signin import Signin
from app.services.kernel.access import Actor
from tests.helpers.client import PASSWORD, Api, counted, writing
from tests.identity.auth import (
    SessionsOnly,
    Swap,
    encoded,
    everything_stored,
    me,
    new_client,
    refreshed,
    refusal,
    sessions_of,
    signed_in,
)

SECRET = "a-secret-of-the-tests-0123456789abcdef"


def credentials(api: Api, client_id: str, client_secret: str) -> Response:
    sent = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret,
    }
    return api.post("/v1/auth/token", data=sent)


def by_basic(api: Api, value: str) -> Response:
    return api.post(
        "/v1/auth/token",
        data={"grant_type": "client_credentials"},
        headers={"authorization": f"Basic {base64.b64encode(value.encode()).decode()}"},
    )


class TestClientCredentials:
    def test_by_form(self, api: Api, database: Database) -> None:
        client = new_client(api, "phuongvi")
        body = credentials(api, client["username"], client["client_secret"]).json()
        assert body["refresh_token"] is None
        assert body["expires_in"] == 900
        assert body["scope"].split() == sorted(ROLE_RIGHTS[Role.integration_reader])
        [opened] = sessions_of(database, client["username"])
        assert opened.expires_at == opened.created_at + timedelta(seconds=900)
        with writing(database) as session:
            mine = select(RefreshToken).where(col(RefreshToken.session_id) == opened.id)
            assert session.exec(mine).all() == []
        headers = {"authorization": f"Bearer {body['access_token']}"}
        seen = api.get("/v1/members?limit=200", headers=headers).json()["items"]
        assert {item["commune_id"] for item in seen} == {client["unit"]["id"]}
        assert me(api, body["access_token"]).json()["kind"] == "client"

    def test_by_http_basic(self, api: Api) -> None:
        client = new_client(api, "phuongvi")
        body = by_basic(api, f"{client['username']}:{client['client_secret']}").json()
        assert me(api, body["access_token"]).json()["username"] == client["username"]

    def test_http_basic_is_form_encoded_inside(self, api: Api) -> None:
        client = new_client(api, "phuongvi", username="may@xa.phuongvi")
        value = f"may%40xa.phuongvi:{client['client_secret']}"
        assert me(api, by_basic(api, value).json()["access_token"]).json()["kind"] == "client"

    def test_a_broken_basic_header(self, api: Api) -> None:
        for value in ("", " !!!", " w6k", " /////w==", " bmFtZQ==", " Og=="):
            response = api.post(
                "/v1/auth/token",
                data={"grant_type": "client_credentials"},
                headers={"authorization": f"Basic{value}"},
            )
            told = refusal(response, 401, "bad_credentials")
            assert told["error"] == "invalid_client"
            assert "www-authenticate" in response.headers

    def test_a_wrong_secret(self, api: Api, database: Database) -> None:
        client = new_client(api, "phuongvi")
        for secret in (
            "wrong",
            client["client_secret"].swapcase(),
            digest(client["client_secret"]),
        ):
            told = refusal(credentials(api, client["username"], secret), 401, "bad_credentials")
            assert told["error"] == "invalid_client"
        assert sessions_of(database, client["username"]) == []

    def test_wrong_client_secrets_lock_the_client(self, api: Api, swap: Swap) -> None:
        client = new_client(api, "phuongvi")
        swap(login_failures_per_account="1 per minute")
        told = refusal(credentials(api, client["username"], "wrong"), 401, "bad_credentials")
        assert told["error"] == "invalid_client"
        locked = credentials(api, client["username"], client["client_secret"])
        refusal(locked, 429, "rate_limited")

    def test_a_person_is_no_client(self, api: Api, database: Database) -> None:
        refusal(credentials(api, "phuongvi", PASSWORD), 401, "bad_credentials")
        assert sessions_of(database, "phuongvi") == []

    def test_the_secret_is_stored_hashed_only(self, api: Api, database: Database) -> None:
        client = new_client(api, "phuongvi")
        stored = everything_stored(database)
        assert client["client_secret"] not in stored
        assert digest(client["client_secret"]) in stored

    def test_a_new_secret_ends_the_old_one_and_its_sessions(
        self, api: Api, database: Database
    ) -> None:
        client = new_client(api, "phuongvi")
        token = credentials(api, client["username"], client["client_secret"]).json()
        reset = api.as_("phuongvi").post(f"/v1/accounts/{client['id']}/reset").json()
        assert reset["code"] is None
        assert reset["client_secret"] != client["client_secret"]
        refusal(me(api, token["access_token"]), 401, "invalid_token")
        old = credentials(api, client["username"], client["client_secret"])
        refusal(old, 401, "bad_credentials")
        new = credentials(api, client["username"], reset["client_secret"])
        assert new.json()["token_type"] == "Bearer"
        [ended, _] = sessions_of(database, client["username"])
        assert ended.revoked_reason is RevokedReason.by_officer

    def test_a_disabled_client_gets_nothing(self, api: Api) -> None:
        client = new_client(api, "phuongvi")
        api.as_("phuongvi").post(f"/v1/accounts/{client['id']}/disable")
        refused = credentials(api, client["username"], client["client_secret"])
        refusal(refused, 401, "bad_credentials")


def decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def forged(token: str, header: dict[str, Any], claims: dict[str, Any], key: bytes | None) -> str:
    """A token of ours with its header and claims changed (None = left out) and signed anew."""
    parts = [json.loads(decoded(segment)) for segment in token.split(".")[:2]]
    for part, changes in zip(parts, (header, claims), strict=True):
        part.update(changes)
        for name in [name for name, value in part.items() if value is None]:
            del part[name]
    signed = ".".join(map(encoded, parts))
    mac = b"" if key is None else hmac.digest(key, signed.encode(), "sha256")
    return f"{signed}.{encoded(mac)}"


JWK = {"kty": "oct", "k": encoded(b"my own key of thirty-two bytes.."), "alg": "HS256"}


OWN = b"my own key of thirty-two bytes.."


RIGHT = SECRET.encode()


FORGERIES: dict[str, tuple[dict[str, Any], dict[str, Any], bytes | None, str]] = {
    "alg none": ({"alg": "none"}, {}, None, "wrong_algorithm"),
    "alg None": ({"alg": "None"}, {}, None, "wrong_algorithm"),
    "no alg": ({"alg": None}, {}, RIGHT, "wrong_algorithm"),
    "alg HS512": ({"alg": "HS512"}, {}, RIGHT, "wrong_algorithm"),
    "alg ES256": ({"alg": "ES256"}, {}, RIGHT, "wrong_algorithm"),
    "wrong key": ({}, {}, OWN, "bad_signature"),
    "no signature": ({}, {}, None, "bad_signature"),
    "crit": ({"crit": ["exp"]}, {}, RIGHT, "forbidden_header"),
    "jwk": ({"jwk": JWK}, {}, OWN, "forbidden_header"),
    "jku": ({"jku": "https://attacker.example/keys"}, {}, OWN, "forbidden_header"),
    "x5u": ({"x5u": "https://attacker.example/cert"}, {}, OWN, "forbidden_header"),
    "x5c": ({"x5c": ["MIIB"]}, {}, OWN, "forbidden_header"),
    "b64": ({"b64": False}, {}, RIGHT, "forbidden_header"),
    "other kid": ({"kid": "../../dev/null"}, {}, RIGHT, "unknown_key"),
    "no kid": ({"kid": None}, {}, RIGHT, "unknown_key"),
    "typ JWT": ({"typ": "JWT"}, {}, RIGHT, "wrong_type"),
    "no typ": ({"typ": None}, {}, RIGHT, "wrong_type"),
    "other issuer": ({}, {"iss": "https://elsewhere.example"}, RIGHT, "wrong_issuer"),
    "other audience": ({}, {"aud": "another-api"}, RIGHT, "wrong_audience"),
    "several audiences": ({}, {"aud": ["hoiso", "other"]}, RIGHT, "wrong_audience"),
    "no exp": ({}, {"exp": None}, RIGHT, "missing_claim"),
    "no jti": ({}, {"jti": None}, RIGHT, "missing_claim"),
    "no sid": ({}, {"sid": None}, RIGHT, "missing_claim"),
    "exp as text": ({}, {"exp": "4102444800"}, RIGHT, "malformed"),
    "exp for ever": ({}, {"exp": 10**18}, RIGHT, "malformed"),
    "exp a second after the calendar": ({}, {"exp": 253402300800}, RIGHT, "malformed"),
    "another's sub": ({}, {"sub": str(uuid4())}, RIGHT, "revoked"),
    "sub is no id": ({}, {"sub": "phuongvi"}, RIGHT, "missing_claim"),
    "issued tomorrow": ({}, {"iat": 4102444800, "exp": 4102445700}, RIGHT, "not_yet_valid"),
    "sid is no id": ({}, {"sid": "1"}, RIGHT, "missing_claim"),
    "unknown sid": ({}, {"sid": str(uuid4())}, RIGHT, "revoked"),
}


class TestAccessTokens(SessionsOnly):
    def test_a_forger_with_the_key_would_get_in(self, api: Api) -> None:
        token = signed_in(api, "phuongvi").json()["access_token"]
        again = forged(token, {}, {"jti": "made by hand", "exp": 253402300799}, RIGHT)
        assert me(api, again).json()["username"] == "phuongvi"

    def test_every_forged_token_is_refused_for_its_reason(self, api: Api) -> None:
        token = signed_in(api, "phuongvi").json()["access_token"]
        challenge = 'Bearer realm="hoiso", error="invalid_token"'
        for name, (header, claims, key, reason) in FORGERIES.items():
            response = me(api, forged(token, header, claims, key))
            told = refusal(response, 401, "invalid_token")
            assert told["reason"] == reason, name
            assert response.headers["www-authenticate"] == challenge
        assert me(api, token).json()["username"] == "phuongvi"

    def test_no_bearer_token_at_all(self, api: Api) -> None:
        token = signed_in(api, "phuongvi").json()["access_token"]
        for header in (None, "", "Bearer", "Bearer ", "Basic cGh1OjE=", f"Token {token}", token):
            sent = {} if header is None else {"authorization": header}
            response = api.get("/v1/me", headers=sent)
            refusal(response, 401, "not_authenticated")
            assert response.headers["www-authenticate"].startswith('Bearer realm="hoiso"')

    def test_garbage(self, api: Api) -> None:
        good = signed_in(api, "phuongvi").json()["access_token"]
        for token in ("x", "a.b", "a.b.c.d", "..", "null", f"{good}=", f"{good}.x", f" {good}"):
            refusal(me(api, token), 401, "invalid_token")

    def test_a_very_long_token(self, api: Api) -> None:
        refusal(me(api, "a" * 30_000), 401, "invalid_token")

    def test_the_scheme_is_case_insensitive(self, api: Api) -> None:
        token = signed_in(api, "phuongvi").json()["access_token"]
        response = api.get("/v1/me", headers={"authorization": f"bEARER {token}"})
        assert response.json()["username"] == "phuongvi"

    def test_a_token_in_the_address_or_a_cookie_is_not_read(self, api: Api) -> None:
        token = signed_in(api, "phuongvi").json()["access_token"]
        for name in ("access_token", "token", "authorization"):
            refusal(api.get("/v1/me", params={name: token}), 401, "not_authenticated")
            response = api.get("/v1/me", headers={"cookie": f"{name}={token}"})
            refusal(response, 401, "not_authenticated")

    def test_a_refresh_token_opens_nothing(self, api: Api) -> None:
        refusal(me(api, signed_in(api, "phuongvi").json()["refresh_token"]), 401, "invalid_token")

    def test_ends_after_a_quarter_of_an_hour(self, api: Api) -> None:
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            token = signed_in(api, "phuongvi").json()["access_token"]
            clock.shift(timedelta(minutes=14, seconds=59))
            assert me(api, token).json()["username"] == "phuongvi"
            clock.shift(timedelta(seconds=7))  # 5 s of leeway for the clocks of several servers
            told = refusal(me(api, token), 401, "invalid_token")
        assert told["reason"] == "expired"

    def test_minted_in_the_past(self, api: Api, signin: Signin, database: Database) -> None:
        signed_in(api, "phuongvi")
        [opened] = sessions_of(database, "phuongvi")
        then = datetime.now(UTC) - timedelta(hours=1)
        token = signin.access_token(opened.account_id, opened.id, then)
        assert refusal(me(api, token), 401, "invalid_token")["reason"] == "expired"

    def test_a_deleted_session(self, api: Api, database: Database) -> None:
        token = signed_in(api, "phuongvi").json()["access_token"]
        with writing(database) as session:
            session.execute(sa.delete(AuthSession))
        assert refusal(me(api, token), 401, "invalid_token")["reason"] == "revoked"

    def test_the_reason_is_told_in_english_too(self, api: Api) -> None:
        headers = {"authorization": "Bearer x", "accept-language": "en"}
        told = refusal(api.get("/v1/me", headers=headers), 401, "invalid_token")
        assert told["title"] == "Invalid access token"

    def test_the_token_says_nothing_of_its_owner(self, api: Api, database: Database) -> None:
        token = signed_in(api, "phuongvi").json()["access_token"]
        claims = json.loads(decoded(token.split(".")[1]))
        [opened] = sessions_of(database, "phuongvi")
        assert claims.keys() == {"iss", "aud", "sub", "sid", "jti", "iat", "exp"}
        assert (claims["sub"], claims["sid"]) == (str(opened.account_id), str(opened.id))
        assert claims["exp"] - claims["iat"] == 900


class TestEs256(SessionsOnly):
    @pytest.fixture
    def keys(self, tmp_path: Path) -> Path:
        return tmp_path / "keys.pem"

    def start(self, swap: Swap, keys: Path, *pems: str) -> Signin:
        keys.write_text("".join(pems))
        return swap(jwt_algorithm="ES256", jwt_keys_file=keys)

    def test_others_can_verify_with_the_published_key(
        self, api: Api, swap: Swap, keys: Path
    ) -> None:
        self.start(swap, keys, Keyring.generate("ES256"))
        token = signed_in(api, "phuongvi").json()["access_token"]
        [published] = api.get("/.well-known/jwks.json").json()["keys"]
        assert published.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}
        head, payload, signature = token.split(".")
        assert json.loads(decoded(head)) == {
            "alg": "ES256",
            "typ": "at+jwt",
            "kid": published["kid"],
        }
        x, y = (int.from_bytes(decoded(published[name]), "big") for name in ("x", "y"))
        public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        raw = decoded(signature)
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        # Raises when the signature is another's.
        public.verify(
            encode_dss_signature(r, s), f"{head}.{payload}".encode(), ec.ECDSA(hashes.SHA256())
        )
        assert me(api, token).json()["username"] == "phuongvi"

    def test_a_shared_secret_publishes_nothing(self, api: Api) -> None:
        assert api.get("/.well-known/jwks.json").json() == {"keys": []}

    def test_keys_are_rotated_without_signing_anyone_out(
        self, api: Api, swap: Swap, keys: Path
    ) -> None:
        old, new = Keyring.generate("ES256"), Keyring.generate("ES256")
        self.start(swap, keys, old)
        before = signed_in(api, "phuongvi").json()
        [old_key] = api.get("/.well-known/jwks.json").json()["keys"]

        self.start(swap, keys, new, old)
        after = signed_in(api, "phuongvi").json()
        [new_key, second] = api.get("/.well-known/jwks.json").json()["keys"]
        assert second == old_key
        assert json.loads(decoded(after["access_token"].split(".")[0]))["kid"] == new_key["kid"]
        for pair in (before, after):
            assert me(api, pair["access_token"]).json()["username"] == "phuongvi"

        self.start(swap, keys, new)
        told = refusal(me(api, before["access_token"]), 401, "invalid_token")
        assert told["reason"] == "unknown_key"
        assert me(api, after["access_token"]).json()["username"] == "phuongvi"
        # The session itself is not the key's: its refresh token goes on.
        assert refreshed(api, before["refresh_token"]).json()["token_type"] == "Bearer"

    def test_the_public_key_is_no_shared_secret(self, api: Api, swap: Swap, keys: Path) -> None:
        pem = Keyring.generate("ES256")
        self.start(swap, keys, pem)
        token = signed_in(api, "phuongvi").json()["access_token"]
        private = serialization.load_pem_private_key(pem.encode(), None)
        public = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        jwks = api.get("/.well-known/jwks.json").content
        for key in (public, public.strip(), jwks):
            told = refusal(me(api, forged(token, {"alg": "HS256"}, {}, key)), 401, "invalid_token")
            assert told["reason"] == "wrong_algorithm"

    def test_a_token_of_the_shared_secret_is_not_taken(
        self, api: Api, swap: Swap, keys: Path
    ) -> None:
        token = signed_in(api, "phuongvi").json()["access_token"]
        self.start(swap, keys, Keyring.generate("ES256"))
        told = refusal(me(api, token), 401, "invalid_token")
        assert told["reason"] == "wrong_algorithm"

    def test_shared_secrets_rotate_as_well(self, api: Api, swap: Swap) -> None:
        old, new = Keyring.generate("HS256"), Keyring.generate("HS256")
        swap(jwt_secret=old)
        token = signed_in(api, "phuongvi").json()["access_token"]
        swap(jwt_secret=f"{new},{old}")
        assert me(api, token).json()["username"] == "phuongvi"
        swap(jwt_secret=new)
        refusal(me(api, token), 401, "invalid_token")


class TestVerifiedTokens(SessionsOnly):
    def revoke_elsewhere(self, database: Database) -> None:
        """As another process would: this one does not learn of it."""
        with writing(database) as session:
            session.execute(
                sa.update(AuthSession).values(
                    revoked_at=datetime.now(UTC), revoked_reason=RevokedReason.signed_out
                )
            )

    def test_a_token_is_not_looked_up_again_within_its_time(
        self, api: Api, swap: Swap, database: Database
    ) -> None:
        swap(token_recheck_seconds=60)
        token = signed_in(api, "phuongvi").json()["access_token"]
        with counted(database) as first:
            me(api, token)
        with counted(database) as second:
            assert me(api, token).json()["username"] == "phuongvi"
        assert any("auth_session" in statement for statement in first)
        assert not any("auth_session" in statement for statement in second)

    def test_a_revocation_by_another_process_holds_after_the_recheck(
        self, api: Api, swap: Swap, database: Database
    ) -> None:
        swap(token_recheck_seconds=0.15)
        token = signed_in(api, "phuongvi").json()["access_token"]
        assert me(api, token).json()["username"] == "phuongvi"
        self.revoke_elsewhere(database)
        time.sleep(0.16)
        refusal(me(api, token), 401, "invalid_token")

    def test_the_recheck_comes_well_within_5_seconds(self) -> None:
        assert Settings.model_fields["token_recheck_seconds"].default == 3.0

    def test_a_revocation_in_this_process_holds_at_once(
        self, api: Api, swap: Swap, database: Database
    ) -> None:
        swap(token_recheck_seconds=60)
        for how in ("revoke", "end one", "end all"):
            token = signed_in(api, "phuongvi").json()["access_token"]
            assert me(api, token).json()["username"] == "phuongvi"
            opened = sessions_of(database, "phuongvi")[-1]
            mine = Api(api.app, {"authorization": f"Bearer {token}"})
            match how:
                case "revoke":
                    mine.post("/v1/auth/revoke", data={"token": token})
                case "end one":
                    mine.delete(f"/v1/auth/sessions/{opened.id}")
                case _:
                    mine.delete("/v1/auth/sessions")
            refusal(me(api, token), 401, "invalid_token")

    def test_trust_ends_with_the_token(self, api: Api, swap: Swap) -> None:
        signin = swap(token_recheck_seconds=3600)
        with time_machine.travel(datetime.now(UTC), tick=False) as clock:
            token = signed_in(api, "phuongvi").json()["access_token"]
            clock.shift(timedelta(minutes=14, seconds=50))
            assert me(api, token).json()["username"] == "phuongvi"
        [(_, until)] = signin.verified._entries.values()
        assert until - time.monotonic() <= 11

    def test_a_forged_twin_of_a_trusted_token_is_refused(self, api: Api, swap: Swap) -> None:
        swap(token_recheck_seconds=60)
        token = signed_in(api, "phuongvi").json()["access_token"]
        assert me(api, token).json()["username"] == "phuongvi"
        refusal(me(api, forged(token, {}, {}, OWN)), 401, "invalid_token")

    def test_the_cache_is_bounded(self, api: Api, swap: Swap) -> None:
        signin = swap(token_recheck_seconds=60)
        assert VerifiedTokens[Actor]()._max_size == 4096
        signin.verified = VerifiedTokens(max_size=2)
        for _ in range(2):
            for name in ("phutho", "camkhe", "phuongvi", "tienluong"):
                assert api.as_(name).get("/v1/me").json()["username"] == name
                assert len(signin.verified) <= 2
        assert len(signin.verified) == 2
