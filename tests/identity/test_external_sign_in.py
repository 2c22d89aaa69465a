"""Officers sign in by a provider of OpenID Connect: one that runs on this machine, with real keys."""

import hmac
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from httpx2 import Response
from pydantic import ValidationError
from sqlmodel import col, select

from app.clock import utc_now
from app.config import Settings
from app.db import Database
from app.models.identity.external_logins import ExternalLogin, UsedNonce
from app.models.kernel.accounts import Account, AccountStatus
from app.models.kernel.changes import Change
from app.security.base64url import encoded as base64url
from app.services.identity import external_sign_in
from app.services.identity.second_person import independent
from app.services.identity.signin import Signin
from tests.conftest import make_settings
from tests.helpers.client import Api, writing
from tests.helpers.programs import ABOUT
from tests.identity.auth import (
    Swap,
    account_id,
    encoded,
    me,
    pointers,
    refreshed,
    refusal,
    sessions_of,
    signed_in,
)
from tests.identity.local_provider import (
    CLIENT_ID,
    SUBJECT,
    LocalProvider,
    ec_jwk,
    ed_jwk,
    local_provider,
    rsa_jwk,
    rsa_key,
)

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


@pytest.fixture(scope="module")
def one_provider() -> Iterator[LocalProvider]:
    with local_provider() as found:
        yield found


@pytest.fixture
def provider(one_provider: LocalProvider) -> LocalProvider:
    """As it is at first."""
    one_provider.keys = [rsa_jwk("r1"), ec_jwk("e1"), ed_jwk("d1")]
    one_provider.status = 200
    base = one_provider.issuer
    one_provider.document |= {"issuer": base, "jwks_uri": f"{base}/keys"}
    one_provider.asked.clear()
    return one_provider


@pytest.fixture(autouse=True)
def signin(swap: Swap, provider: LocalProvider) -> Signin:
    return swap(oidc_providers=[provider.setting()])


@pytest.fixture
def linked(api: Api, database: Database, provider: LocalProvider) -> str:
    """The path of the link of the officer of Phượng Vĩ."""
    path = f"/v1/accounts/{account_id(database, 'phuongvi')}/external-logins"
    body = {"issuer": provider.issuer, "subject": SUBJECT}
    answer = api.as_("phutho").post(path, json=body)
    assert answer.status_code == 201, answer.text
    assert SUBJECT not in answer.text
    return f"{path}/{answer.json()['id']}"


def nonce_of(api: Api) -> dict[str, Any]:
    answer = api.post("/v1/auth/oidc/nonce")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def hand_in(api: Api, token: str, proof: str, **more: str) -> Response:
    form = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ID_TOKEN}
    return api.post("/v1/auth/token", data=form | {"nonce_proof": proof} | more)


def tried(api: Api, provider: LocalProvider, *signed: Any, **claims: Any) -> Response:
    nonce = nonce_of(api)
    return hand_in(api, provider.token(nonce["nonce"], *signed, **claims), nonce["nonce_proof"])


def reason(answer: Response) -> str:
    body = refusal(answer, 401, "external_login_refused")
    assert body["error"] == "invalid_grant"
    found: str = body["reason"]
    return found


class TestSigningIn:
    @pytest.mark.parametrize(
        "signed", [("RS256", "r1"), ("ES256", "e1"), ("EdDSA", "d1")], ids=lambda each: each[0]
    )
    def test_gives_the_session_of_a_password(
        self, api: Api, database: Database, provider: LocalProvider, linked: str, signed: Any
    ) -> None:
        answer = tried(api, provider, *signed)
        by_password = signed_in(api, "phuongvi").json()
        tokens = answer.json()
        assert answer.headers["cache-control"] == "no-store"
        assert tokens.keys() == by_password.keys()
        assert (tokens["scope"], tokens["expires_in"]) == (by_password["scope"], 900)
        mine = me(api, tokens["access_token"]).json()
        assert (mine["username"], mine["must_change_password"]) == ("phuongvi", False)
        again = refreshed(api, tokens["refresh_token"])
        assert again.status_code == 200
        refusal(refreshed(api, tokens["refresh_token"]), 401, "refresh_refused")
        [opened, other] = sessions_of(database, "phuongvi")[-2:]
        assert str(opened.key_id) == linked.rpartition("/")[2]
        assert other.key_id is None

    def test_what_an_app_needs_to_know(self, api: Api, provider: LocalProvider) -> None:
        answer = api.get("/v1/auth/providers")
        assert answer.json()["items"] == [
            {
                "issuer": provider.issuer,
                "name": "VNeID",
                "client_id": CLIENT_ID,
                "scopes": "openid",
                "authorization_endpoint": f"{provider.issuer}/authorize",
                "token_endpoint": f"{provider.issuer}/token",
            }
        ]
        first, second = nonce_of(api), nonce_of(api)
        assert first["expires_in"] == 600
        assert first["nonce"] != second["nonce"]

    def test_without_providers_there_are_none(self, api: Api, swap: Swap) -> None:
        swap()
        assert api.get("/v1/auth/providers").json() == {"items": []}
        nonce = nonce_of(api)
        header, claims = encoded({"alg": "RS256"}), encoded({"iss": "https://x"})
        assert reason(hand_in(api, f"{header}.{claims}.AA", nonce["nonce_proof"])) == "wrong_issuer"

    def test_an_invited_officer_needs_no_password_first(
        self, api: Api, database: Database, provider: LocalProvider, linked: str
    ) -> None:
        with writing(database) as session:
            mine = col(Account.username) == "phuongvi"
            change = sa.update(Account).where(mine)
            session.execute(change.values(password_hash=None, status=AccountStatus.invited))
        token = tried(api, provider).json()["access_token"]
        answer = api.get("/v1/members?limit=1", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 200
        with writing(database) as session:
            found = session.exec(select(Account).where(mine)).one()
            assert (found.status, found.password_hash) == (AccountStatus.active, None)

    def test_of_nobody_who_is_linked(
        self, api: Api, database: Database, provider: LocalProvider, linked: str
    ) -> None:
        mail = "phuongvi@hoi.vn"
        told = refusal(
            tried(api, provider, sub="another", email=mail, preferred_username="phuongvi"),
            401,
            "external_login_unknown",
        )
        assert (told["subject"], told["issuer"]) == ("another", provider.issuer)
        assert sessions_of(database, "phuongvi") == []
        # A subject is compared exactly.
        refusal(tried(api, provider, sub=SUBJECT.upper()), 401, "external_login_unknown")

    def test_of_an_account_that_is_shut(
        self, api: Api, database: Database, provider: LocalProvider, linked: str
    ) -> None:
        api.as_("phutho").post(f"{linked.partition('/external')[0]}/disable")
        assert reason(tried(api, provider)) == "account_disabled"
        with writing(database) as session:
            assert session.exec(select(UsedNonce)).all() == []

    @pytest.mark.parametrize("name", ["subject_token", "subject_token_type", "nonce_proof"])
    def test_what_the_form_needs(self, api: Api, name: str) -> None:
        form = {"grant_type": EXCHANGE, "subject_token": "x", "subject_token_type": ID_TOKEN}
        form |= {"nonce_proof": "x"}
        assert pointers(api.post("/v1/auth/token", data=form | {name: ""})) == [
            (f"/{name}", "required")
        ]
        other = form | {"subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}
        assert pointers(api.post("/v1/auth/token", data=other)) == [
            ("/subject_token_type", "not_in_list")
        ]


class TestOnce:
    def test_a_token_is_good_once(
        self, api: Api, database: Database, provider: LocalProvider, linked: str
    ) -> None:
        nonce = nonce_of(api)
        token = provider.token(nonce["nonce"])
        assert hand_in(api, token, nonce["nonce_proof"]).status_code == 200
        assert reason(hand_in(api, token, nonce["nonce_proof"])) == "used"
        # And so is the nonce, in another token.
        other = provider.token(nonce["nonce"], "ES256", "e1")
        assert reason(hand_in(api, other, nonce["nonce_proof"])) == "used"
        assert len(sessions_of(database, "phuongvi")) == 1
        with writing(database) as session:
            session.execute(sa.update(UsedNonce).values(expires_at=utc_now()))
            assert external_sign_in.forget_used(session) == 1

    def test_of_two_at_once_one_gets_in(
        self, api: Api, database: Database, provider: LocalProvider, linked: str
    ) -> None:
        nonce, together = nonce_of(api), Barrier(2)
        token = provider.token(nonce["nonce"])

        def enter(_: int) -> int:
            together.wait()
            return hand_in(api, token, nonce["nonce_proof"]).status_code

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(enter, range(2))) == [200, 401]
        assert len(sessions_of(database, "phuongvi")) == 1

    def test_a_token_without_the_proof_of_its_app(
        self, api: Api, provider: LocalProvider, linked: str
    ) -> None:
        mine, thief = nonce_of(api), nonce_of(api)
        token = provider.token(mine["nonce"])
        for proof in (thief["nonce_proof"], mine["nonce"], "x", mine["nonce_proof"][:-1]):
            assert reason(hand_in(api, token, proof)) == "wrong_nonce"
        assert hand_in(api, token, mine["nonce_proof"]).status_code == 200

    def test_a_nonce_ends(
        self,
        api: Api,
        provider: LocalProvider,
        linked: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(external_sign_in, "NONCE_SECONDS", 0)
        assert reason(tried(api, provider)) == "wrong_nonce"


class TestTokensThatAreRefused:
    @pytest.mark.parametrize(
        ("claims", "expected"),
        [
            ({"aud": "another"}, "wrong_audience"),
            ({"aud": []}, "wrong_audience"),
            ({"aud": None}, "wrong_audience"),
            ({"aud": [CLIENT_ID, "another"]}, "wrong_audience"),
            ({"aud": [CLIENT_ID, "another"], "azp": "another"}, "wrong_audience"),
            ({"azp": "another"}, "wrong_audience"),
            ({"iss": "https://other.example"}, "wrong_issuer"),
            ({"iss": None}, "wrong_issuer"),
            ({"iss": ["x"]}, "wrong_issuer"),
            ({"nonce": "another"}, "wrong_nonce"),
            ({"nonce": None}, "missing_claim"),
            ({"sub": None}, "missing_claim"),
            ({"sub": 7}, "missing_claim"),
            ({"sub": "a\0b"}, "missing_claim"),
            ({"exp": None}, "missing_claim"),
            ({"exp": True}, "missing_claim"),
            ({"exp": "9999999999"}, "missing_claim"),
            ({"exp": 1e300}, "missing_claim"),
            ({"iat": None}, "missing_claim"),
        ],
    )
    def test_by_a_claim(
        self,
        api: Api,
        provider: LocalProvider,
        linked: str,
        claims: dict[str, object],
        expected: str,
    ) -> None:
        assert reason(tried(api, provider, **claims)) == expected

    @pytest.mark.parametrize(
        "claims", [{"aud": [CLIENT_ID]}, {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID}]
    )
    def test_not_by_these(
        self, api: Api, provider: LocalProvider, linked: str, claims: dict[str, object]
    ) -> None:
        assert tried(api, provider, **claims).status_code == 200

    @pytest.mark.parametrize(
        ("claim", "seconds", "expected"),
        [
            ("exp", -30, None),
            ("exp", -90, "expired"),
            ("iat", 30, None),
            ("iat", 90, "not_yet_valid"),
            ("nbf", 30, None),
            ("nbf", 90, "not_yet_valid"),
        ],
    )
    def test_by_the_clock_with_a_minute_of_leeway(
        self,
        api: Api,
        provider: LocalProvider,
        linked: str,
        claim: str,
        seconds: int,
        expected: str | None,
    ) -> None:
        at = int((utc_now() + timedelta(seconds=seconds)).timestamp())
        answer = tried(api, provider, **{claim: at})
        assert answer.status_code == 200 if expected is None else reason(answer) == expected

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ({"alg": "none"}, "wrong_algorithm"),
            ({"alg": "HS256"}, "wrong_algorithm"),
            ({"alg": "RS512"}, "wrong_algorithm"),
            ({"alg": ["RS256"]}, "wrong_algorithm"),
            ({"alg": None}, "wrong_algorithm"),
            ({"alg": "ES256"}, "unknown_key"),
            ({"kid": "e1"}, "unknown_key"),
            ({"kid": "nobody"}, "unknown_key"),
            ({"kid": 7}, "malformed"),
            ({"crit": ["exp"]}, "forbidden_header"),
            ({"jwk": {}}, "forbidden_header"),
            ({"jku": "https://x"}, "forbidden_header"),
            ({"x5u": "https://x"}, "forbidden_header"),
            ({"x5t": "abc", "typ": "JWT"}, None),
            ({"kid": None}, None),
        ],
    )
    def test_by_its_header(
        self,
        api: Api,
        provider: LocalProvider,
        linked: str,
        header: dict[str, object],
        expected: str | None,
    ) -> None:
        nonce = nonce_of(api)
        token = provider.token(nonce["nonce"], header=header)
        answer = hand_in(api, token, nonce["nonce_proof"])
        assert answer.status_code == 200 if expected is None else reason(answer) == expected

    def test_signed_with_what_is_public(
        self, api: Api, provider: LocalProvider, linked: str
    ) -> None:
        nonce = nonce_of(api)
        claims = encoded(provider.claims(nonce["nonce"]))
        for algorithm in ("HS256", "RS256"):
            signed = f"{encoded({'alg': algorithm, 'kid': 'r1'})}.{claims}"
            key = json.dumps(provider.keys[0]).encode()
            forged = base64url(hmac.digest(key, signed.encode(), "sha256"))
            answer = hand_in(api, f"{signed}.{forged}", nonce["nonce_proof"])
            assert reason(answer) in ("wrong_algorithm", "bad_signature")

    def test_changed_cut_or_of_another_key(
        self, api: Api, provider: LocalProvider, linked: str
    ) -> None:
        nonce = nonce_of(api)
        header, claims, signature = provider.token(nonce["nonce"]).split(".")
        other = encoded(provider.claims(nonce["nonce"], sub="another"))
        elliptic = provider.token(nonce["nonce"], "ES256", "e1").rpartition(".")[0]
        stranger = provider.token(nonce["nonce"], "RS256", "r2", header={"kid": "r1"})
        for token, expected in (
            (f"{header}.{other}.{signature}", "bad_signature"),
            (f"{header}.{claims}.", "bad_signature"),
            (f"{elliptic}.AAAA", "bad_signature"),
            (stranger, "bad_signature"),
            (f"{header}.{claims}", "malformed"),
            (f"{header}.{claims}.{signature}.x", "malformed"),
            (f"{header}.{claims}.{signature}=", "malformed"),
            (f"{encoded(['x'])}.{claims}.{signature}", "malformed"),
            ("ệ.ệ.ệ", "malformed"),
            ("[" * 9000, "malformed"),
        ):
            assert reason(hand_in(api, token, nonce["nonce_proof"])) == expected, token[:60]
        too_long = hand_in(api, "a" * 16_385, nonce["nonce_proof"])
        assert pointers(too_long) == [("/subject_token", "too_long")]

    @pytest.mark.parametrize(
        "jwk",
        [
            lambda: rsa_jwk("r1", use="enc"),
            lambda: rsa_jwk("r1", alg="RS512"),
            lambda: rsa_jwk("r1", key_ops=["encrypt"]),
            lambda: rsa_jwk("r1", n="AQAB"),
            lambda: {"kty": "RSA", "kid": "r1"},
            lambda: {"kty": "oct", "kid": "r1", "k": "AAAA"},
            lambda: {"kty": ["RSA"]},
            lambda: "r1",
            lambda: None,
            lambda: ec_jwk("e1") | {"kid": "r1", "y": "AAAA"},
        ],
        ids=range(10),
    )
    def test_by_a_key_that_may_not_verify(
        self, api: Api, provider: LocalProvider, linked: str, jwk: Callable[[], Any]
    ) -> None:
        provider.keys = [jwk(), ec_jwk("e1")]
        assert reason(tried(api, provider)) == "unknown_key"
        assert tried(api, provider, "ES256", "e1").status_code == 200

    def test_without_the_name_of_one_of_two_keys(
        self, api: Api, provider: LocalProvider, linked: str
    ) -> None:
        provider.keys = [rsa_jwk("r1"), rsa_jwk("r2")]
        nonce = nonce_of(api)
        token = provider.token(nonce["nonce"], header={"kid": None})
        assert reason(hand_in(api, token, nonce["nonce_proof"])) == "unknown_key"


class Clock:
    def __init__(self) -> None:
        self.now = 1e6

    def monotonic(self) -> float:
        return self.now


class TestAProviderThatIsAway:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> Clock:
        clock = Clock()
        monkeypatch.setattr(time, "monotonic", clock.monotonic)
        return clock

    def test_passwords_go_on(
        self, api: Api, provider: LocalProvider, linked: str, clock: Clock
    ) -> None:
        provider.status = 500
        answer = tried(api, provider)
        told = refusal(answer, 503, "provider_away")
        assert answer.headers["retry-after"] == "10"
        assert "VNeID" in told["detail"]
        [shown] = api.get("/v1/auth/providers").json()["items"]
        assert (shown["issuer"], shown["authorization_endpoint"]) == (provider.issuer, None)
        assert signed_in(api, "phuongvi").status_code == 200
        # Nobody makes us ask again and again.
        for _ in range(5):
            refusal(tried(api, provider), 503, "provider_away")
        assert sum(provider.asked.values()) == 1
        provider.status = 200
        clock.now += 11
        assert tried(api, provider).status_code == 200

    def test_known_keys_are_good_for_a_day(
        self, api: Api, provider: LocalProvider, linked: str, clock: Clock
    ) -> None:
        assert tried(api, provider).status_code == 200
        assert provider.asked["/keys"] == 1
        assert tried(api, provider).status_code == 200
        assert provider.asked["/keys"] == 1
        provider.status = 500
        clock.now += 3_601
        assert tried(api, provider).status_code == 200
        clock.now += 86_400
        refusal(tried(api, provider), 503, "provider_away")

    def test_a_new_key_is_found_and_unknown_ones_do_not_hammer(
        self, api: Api, provider: LocalProvider, linked: str, clock: Clock
    ) -> None:
        assert tried(api, provider).status_code == 200
        clock.now += 61
        provider.keys = [rsa_jwk("r2")]
        assert tried(api, provider, "RS256", "r2").status_code == 200
        assert provider.asked["/keys"] == 2
        for _ in range(20):
            nonce = nonce_of(api)
            token = provider.token(nonce["nonce"], header={"kid": uuid4().hex})
            assert reason(hand_in(api, token, nonce["nonce_proof"])) == "unknown_key"
        assert provider.asked["/keys"] == 2
        clock.now += 61
        assert reason(tried(api, provider)) == "unknown_key"
        assert provider.asked["/keys"] == 3
        # What the provider has withdrawn is good no longer.
        assert tried(api, provider, "RS256", "r2").status_code == 200

    @pytest.mark.parametrize(
        "wrong",
        [
            {"issuer": "https://other.example"},
            {"jwks_uri": "http://192.0.2.1/keys"},
            {"jwks_uri": "http://127.0.0.1@192.0.2.1/keys"},
            {"jwks_uri": "file:///etc/passwd"},
            {"jwks_uri": "https://"},
            {"jwks_uri": 7},
        ],
    )
    def test_one_that_says_what_it_may_not(
        self, api: Api, provider: LocalProvider, linked: str, wrong: dict[str, object]
    ) -> None:
        provider.document |= wrong
        refusal(tried(api, provider), 503, "provider_away")
        assert provider.asked["/keys"] == 0

    def test_redirects_are_not_followed(
        self, api: Api, provider: LocalProvider, linked: str
    ) -> None:
        provider.status = 302
        refusal(tried(api, provider), 503, "provider_away")
        assert list(provider.asked) == ["/.well-known/openid-configuration"]

    @pytest.mark.parametrize("keys", [{"a": "x" * 600_000}, "x", 7])
    def test_nor_what_is_too_large_or_no_set_of_keys(
        self, api: Api, provider: LocalProvider, linked: str, keys: Any
    ) -> None:
        provider.keys = keys
        refusal(tried(api, provider), 503, "provider_away")


class TestLinks:
    def test_are_shown_without_the_subject_and_logged(
        self, api: Api, database: Database, provider: LocalProvider, linked: str
    ) -> None:
        path, _, link_id = linked.rpartition("/")
        for reader in ("phutho", "auditor", "phuongvi"):
            answer = api.as_(reader).get(path)
            [shown] = answer.json()["items"]
            assert (shown["id"], shown["provider"]) == (link_id, "VNeID")
            assert SUBJECT not in answer.text
        log = api.as_("phutho").get(f"/v1/changes?kinds=external_login&entity_id={link_id}")
        [created] = log.json()["items"]
        assert (created["after"]["issuer"], created["after"]["subject"]) == (provider.issuer, "set")
        with writing(database) as session:
            changes = [(row.before, row.after) for row in session.exec(select(Change))]
        assert SUBJECT not in str(changes)

    def test_one_for_each_login_and_each_account(
        self, api: Api, database: Database, provider: LocalProvider, linked: str
    ) -> None:
        officer = api.as_("phutho")
        other = f"/v1/accounts/{account_id(database, 'tienluong')}/external-logins"
        body = {"issuer": provider.issuer, "subject": SUBJECT}
        told = refusal(officer.post(other, json=body), 409, "external_login_taken")
        assert "phuongvi" not in str(told)
        own = linked.rpartition("/")[0]
        second = body | {"subject": "another"}
        refusal(officer.post(own, json=second), 409, "external_login_exists")
        unknown = officer.post(other, json=second | {"issuer": "https://x"})
        assert pointers(unknown) == [("/issuer", "not_in_list")]
        for subject, code in (("", "too_short"), ("a b", "wrong_format"), ("ệ", "wrong_format")):
            answer = officer.post(other, json=body | {"subject": subject})
            assert pointers(answer) == [("/subject", code)]

    def test_unlinked_it_ends_what_it_opened_and_nothing_else(
        self, api: Api, provider: LocalProvider, linked: str
    ) -> None:
        token = tried(api, provider).json()["access_token"]
        by_password = signed_in(api, "phuongvi").json()["access_token"]
        officer = api.as_("phutho")
        assert officer.delete(linked).status_code == 204
        refusal(me(api, token), 401, "invalid_token")
        assert me(api, by_password).status_code == 200
        refusal(tried(api, provider), 401, "external_login_unknown")
        refusal(officer.delete(linked), 404, "not_found")

    def test_who_links_may_enter_and_so_holds_as_much(
        self, api: Api, database: Database, provider: LocalProvider
    ) -> None:
        path = f"/v1/accounts/{account_id(database, 'phuongvi')}/external-logins"
        body = {"issuer": provider.issuer, "subject": SUBJECT}
        refusal(api.as_("admin").post(path, json=body), 403, "grant_exceeds_own")
        refusal(api.as_("phuongvi").post(path, json=body), 409, "own_account")
        refusal(api.as_("auditor").post(path, json=body), 403, "forbidden")
        for answer in (api.as_("tienluong").get(path), api.as_("tienluong").post(path, json=body)):
            refusal(answer, 404, "not_found")
        with writing(database) as session:
            assert session.exec(select(ExternalLogin)).all() == []

    def test_who_linked_is_no_second_person_and_no_giver_of_more(
        self, api: Api, database: Database, provider: LocalProvider
    ) -> None:
        province = api.as_("phutho")
        unit = province.get("/v1/me").json()["unit"]["id"]
        person = {"username": "lan", "display_name": "Lan", "unit_id": unit}
        made = province.post("/v1/accounts", json=person).json()
        path = f"/v1/accounts/{made['id']}"
        body = {"issuer": provider.issuer, "subject": SUBJECT}
        assert api.as_("admin").post(f"{path}/external-logins", json=body).status_code == 201
        grant = {"unit_id": unit, "role": "auditor"}
        refusal(province.post(f"{path}/grants", json=grant), 409, "reset_first")
        admin, lan = account_id(database, "admin"), account_id(database, "lan")
        with database.reading() as db:
            assert not independent(db, admin, lan)
        assert province.post(f"{path}/reset").status_code == 200
        assert province.get(f"{path}/external-logins").json() == {"items": []}
        assert province.post(f"{path}/grants", json=grant).status_code == 201
        with database.reading() as db:
            assert independent(db, admin, lan)

    def test_a_program_has_none(self, api: Api, provider: LocalProvider) -> None:
        officer = api.as_("phuongvi")
        unit = officer.get("/v1/me").json()["unit"]["id"]
        program = ABOUT | {"username": "may-xa", "display_name": "Máy", "unit_id": unit}
        made = officer.post("/v1/accounts", json=program).json()
        body = {"issuer": provider.issuer, "subject": SUBJECT}
        answer = officer.post(f"/v1/accounts/{made['id']}/external-logins", json=body)
        refusal(answer, 409, "wrong_account_kind")


class TestSetting:
    @pytest.fixture
    def made(self) -> Callable[..., Settings]:
        def make(*listed: dict[str, Any], **more: Any) -> Settings:
            return make_settings("sqlite:///nowhere.db", oidc_providers=list(listed), **more)

        return make

    @pytest.mark.parametrize(
        "issuer",
        [
            "http://id.example",
            "ftp://id.example",
            "https://",
            "https://user@id.example",
            "https://id.example#x",
            "id.example",
            "",
        ],
    )
    def test_an_issuer_is_https(self, made: Callable[..., Settings], issuer: str) -> None:
        listed = {"issuer": issuer, "client_id": "x", "name": "x"}
        with pytest.raises(ValidationError, match="HOISO_OIDC_PROVIDERS"):
            made(listed)

    def test_plain_http_is_for_this_machine_and_not_for_production(
        self, made: Callable[..., Settings]
    ) -> None:
        local = {"issuer": "http://127.0.0.1:9", "client_id": "x", "name": "x"}
        assert made(local).oidc_providers[0].scopes == "openid"
        with pytest.raises(ValidationError, match="HOISO_OIDC_PROVIDERS"):
            made(local, environment="production")
        with pytest.raises(ValidationError, match="twice"):
            made(local, local)


def test_keys_of_the_tests_are_long_enough() -> None:
    assert rsa_key("r1").key_size == 2048
