import hashlib
import hmac
import json
import re
import threading
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import example, given
from hypothesis import strategies as st
from jose import jws

from app.security.passwords import PasswordCheck, PasswordHasher, UnusablePassword
from app.security.sealing import Sealer
from app.security.secret_texts import canonical_code, digest, new_code, new_secret
from app.security.tokens import BadToken, Claims, Keyring, VerifiedTokens

NOW = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
ISSUER = "https://hoiso.example"
AUDIENCE = "hoiso-api"

SECRET = Keyring.generate("HS256")
PEM = Keyring.generate("ES256")
HS256 = Keyring.hs256([SECRET])
ES256 = Keyring.es256([PEM])
KEYRINGS = pytest.mark.parametrize("keyring", [HS256, ES256], ids=["HS256", "ES256"])

GOOD_CLAIMS = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "anna",
    "sid": "s1",
    "jti": "j1",
    "iat": AT,
    "exp": AT + 900,
}


def issue(keyring: Keyring, now: datetime = NOW) -> str:
    return keyring.issue(
        "anna",
        session_id="s1",
        lifetime=timedelta(minutes=15),
        issuer=ISSUER,
        audience=AUDIENCE,
        now=now,
        claims={"scope": "members:read"},
    )[0]


def verify(keyring: Keyring, token: str, now: datetime = NOW) -> Claims:
    return keyring.verify(token, issuer=ISSUER, audience=AUDIENCE, now=now)


def fault(keyring: Keyring, token: str, now: datetime = NOW) -> str:
    with pytest.raises(BadToken) as caught:
        verify(keyring, token, now)
    return caught.value.reason


def encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def header_of(keyring: Keyring) -> dict[str, Any]:
    return dict(json.loads(decoded(issue(keyring).split(".")[0])))


def forged(
    header: object, payload: object = GOOD_CLAIMS, secret: bytes | None = SECRET.encode()
) -> str:
    """A token with any header and payload, HMAC-signed unless `secret` is None."""
    parts = [
        part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)
    ]
    signing_input = ".".join(map(encoded, parts))
    mac = b"" if secret is None else hmac.digest(secret, signing_input.encode(), "sha256")
    return f"{signing_input}.{encoded(mac)}"


@pytest.fixture(autouse=True)
def signin() -> None:
    """Nothing here is asked of a server."""


class TestKeyring:
    @KEYRINGS
    def test_round_trip(self, keyring: Keyring) -> None:
        token, jti = keyring.issue(
            "anna",
            session_id="s1",
            lifetime=timedelta(minutes=15),
            issuer=ISSUER,
            audience=AUDIENCE,
            now=NOW,
            claims={"scope": "members:read"},
        )
        assert verify(keyring, token) == Claims(
            subject="anna",
            session_id="s1",
            jti=jti,
            issued_at=NOW,
            expires_at=NOW + timedelta(minutes=15),
            extra={"scope": "members:read"},
        )
        assert header_of(keyring).keys() == {"alg", "typ", "kid"}
        assert header_of(keyring)["typ"] == "at+jwt"

    @given(
        subject=st.text(min_size=1, max_size=60),
        session=st.text(min_size=1, max_size=60),
        seconds=st.integers(6, 10**6),
    )
    def test_whatever_is_issued_verifies(self, subject: str, session: str, seconds: int) -> None:
        token, jti = HS256.issue(
            subject,
            session_id=session,
            lifetime=timedelta(seconds=seconds),
            issuer=ISSUER,
            audience=AUDIENCE,
            now=NOW,
        )
        claims = verify(HS256, token, NOW + timedelta(seconds=seconds - 1))
        assert (claims.subject, claims.session_id, claims.jti) == (subject, session, jti)

    def test_a_registered_claim_cannot_be_slipped_in(self) -> None:
        with pytest.raises(ValueError, match="exp"):
            HS256.issue(
                "anna",
                session_id="s1",
                lifetime=timedelta(1),
                issuer=ISSUER,
                audience=AUDIENCE,
                now=NOW,
                claims={"exp": "never"},
            )

    @pytest.mark.parametrize(
        ("build", "keys"),
        [
            (Keyring.hs256, [SECRET, Keyring.generate("HS256")]),
            (Keyring.es256, [PEM, Keyring.generate("ES256")]),
        ],
        ids=["HS256", "ES256"],
    )
    def test_rotation(self, build: Callable[[list[str]], Keyring], keys: list[str]) -> None:
        old, both, new = build(keys[:1]), build(keys[::-1]), build(keys[1:])
        assert verify(both, issue(old)).subject == "anna"
        assert verify(new, issue(both)).subject == "anna"
        assert fault(new, issue(old)) == "unknown_key"

    def test_jwks_verify_our_tokens_elsewhere(self) -> None:
        (key,) = ES256.jwks()["keys"]
        assert key.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}
        assert json.loads(jws.verify(issue(ES256), key, ["ES256"]))["sub"] == "anna"
        assert header_of(ES256)["kid"] == key["kid"]
        members = f'{{"crv":"P-256","kty":"EC","x":"{key["x"]}","y":"{key["y"]}"}}'
        assert key["kid"] == encoded(hashlib.sha256(members.encode()).digest())
        assert HS256.jwks() == {"keys": []}

    @pytest.mark.parametrize("secrets", [[], ["x" * 31], [SECRET, ""]])
    def test_weak_secrets_are_refused(self, secrets: list[str]) -> None:
        with pytest.raises(ValueError, match=r"key|bytes"):
            Keyring.hs256(secrets)

    def test_other_keys_are_refused(self) -> None:
        p384 = ec.generate_private_key(ec.SECP384R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        for pem in (p384.decode(), public_pem(), "nonsense"):
            with pytest.raises(ValueError):  # noqa: PT011 (cryptography words its own)
                Keyring.es256([pem])


def public_pem() -> str:
    private = serialization.load_pem_private_key(PEM.encode(), None)
    return (
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


class TestAttacks:
    @KEYRINGS
    @pytest.mark.parametrize("name", ["crit", "jwk", "jku", "x5u", "x5c", "x5t", "b64", "zip"])
    def test_header_that_steers_the_verifier(self, keyring: Keyring, name: str) -> None:
        header = header_of(keyring) | {name: ["exp"]}
        assert fault(keyring, forged(header)) == "forbidden_header"

    def test_header_attack_with_a_good_signature(self) -> None:
        assert fault(HS256, forged(header_of(HS256) | {"crit": ["x"]})) == "forbidden_header"

    @KEYRINGS
    @pytest.mark.parametrize("alg", ["none", "None", "", None, ["HS256"], "HS384", "RS256", "dir"])
    def test_other_algorithm(self, keyring: Keyring, alg: object) -> None:
        for secret in (None, SECRET.encode()):
            token = forged(header_of(keyring) | {"alg": alg}, secret=secret)
            assert fault(keyring, token) == "wrong_algorithm"

    def test_hs256_signed_with_the_public_key(self) -> None:
        pem = public_pem()
        for secret in (pem, pem.strip(), pem.replace("\n", "")):
            confused = forged(header_of(ES256) | {"alg": "HS256"}, secret=secret.encode())
            assert fault(ES256, confused) == "wrong_algorithm"
            pinned = forged(header_of(ES256), secret=secret.encode())
            assert fault(ES256, pinned) == "bad_signature"

    @pytest.mark.parametrize("typ", ["JWT", "", None, ["at+jwt"], "at+jwt2"])
    def test_wrong_type(self, typ: object) -> None:
        assert fault(HS256, forged(header_of(HS256) | {"typ": typ})) == "wrong_type"

    @pytest.mark.parametrize("typ", ["AT+JWT", "application/at+jwt"])
    def test_right_type_otherwise_spelled(self, typ: str) -> None:
        assert verify(HS256, forged(header_of(HS256) | {"typ": typ})).subject == "anna"

    @pytest.mark.parametrize("kid", ["", "x", None, 1, ["x"], "\ud800", "../../dev/null"])
    def test_unknown_key(self, kid: object) -> None:
        assert fault(HS256, forged(header_of(HS256) | {"kid": kid})) == "unknown_key"

    @KEYRINGS
    def test_signature_of_another(self, keyring: Keyring) -> None:
        head, body, _ = issue(keyring).split(".")
        other = Keyring.generate("HS256").encode()
        assert fault(keyring, forged(header_of(keyring), secret=other)) == "bad_signature"
        assert fault(keyring, f"{head}.{body}.") == "bad_signature"
        assert fault(keyring, f"{head}.{body}.{encoded(bytes(64))}") == "bad_signature"

    @KEYRINGS
    @pytest.mark.parametrize("change", ["{}x", "{}=", "{}\n", " {}", "{}.", ".{}", "{}.a.b", "{}é"])
    def test_trailing_garbage_and_more_parts(self, keyring: Keyring, change: str) -> None:
        assert fault(keyring, change.format(issue(keyring))) in ("malformed", "bad_signature")

    @pytest.mark.parametrize(
        "token",
        [
            "",
            "..",
            "a.b.c",
            "Bearer x",
            "é.é.é",
            "\x00.\x00.\x00",
            "\ud800.\ud800.\ud800",
            "x" * 5000,
            ".".join(["YQ"] * 5),
            forged(b"[" * 2000),
            forged(b"\xff\xfe"),
            forged('{"alg": "HS256"}'.encode("utf-16")),
            forged([]),
            forged("HS256"),
            forged(header_of(HS256), b"not json"),
            forged(header_of(HS256), b"[" * 2000),
            forged(header_of(HS256), []),
            forged(header_of(HS256), GOOD_CLAIMS | {"fill": "x" * 4000}),
        ],
    )
    def test_malformed(self, token: str) -> None:
        assert fault(HS256, token) == "malformed"

    def test_jwe_is_never_opened(self) -> None:
        header = {"alg": "dir", "enc": "A256GCM", "cty": "JWT"}
        jwe = ".".join([encoded(json.dumps(header).encode()), "", "YWFh", "YWFh", "YWFh"])
        assert fault(HS256, jwe) == "malformed"
        assert fault(HS256, forged(header, issue(HS256).encode())) == "malformed"

    def test_another_spelling_of_the_same_bytes(self) -> None:
        token = issue(HS256)
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        twin = token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]
        assert decoded(twin.split(".")[2]) == decoded(token.split(".")[2])
        assert fault(HS256, twin) == "malformed"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"aud": [AUDIENCE]}, "wrong_audience"),
            ({"aud": "other"}, "wrong_audience"),
            ({"aud": None}, "wrong_audience"),
            ({"iss": [ISSUER]}, "wrong_issuer"),
            ({"iss": ISSUER + "/"}, "wrong_issuer"),
            ({"exp": AT + 900.5}, "malformed"),
            ({"exp": float("inf")}, "malformed"),
            ({"exp": float("nan")}, "malformed"),
            ({"exp": True}, "malformed"),
            ({"exp": str(AT + 900)}, "malformed"),
            ({"exp": 10**300}, "malformed"),
            ({"exp": -1}, "malformed"),
            ({"exp": None}, "malformed"),
            ({"exp": AT - 5}, "expired"),
            ({"iat": True}, "malformed"),
            ({"iat": float(AT)}, "malformed"),
            ({"iat": AT + 6}, "not_yet_valid"),
            ({"nbf": AT + 6}, "not_yet_valid"),
            ({"nbf": "soon"}, "malformed"),
            ({"sub": ""}, "malformed"),
            ({"sub": 7}, "malformed"),
            ({"sid": None}, "malformed"),
            ({"jti": ["j"]}, "malformed"),
            ({"scope": {"a": 1}}, "malformed"),
        ],
    )
    def test_signed_but_wrong_claims(self, change: dict[str, object], reason: str) -> None:
        assert fault(HS256, forged(header_of(HS256), GOOD_CLAIMS | change)) == reason

    @pytest.mark.parametrize("claim", sorted(GOOD_CLAIMS))
    def test_missing_claim(self, claim: str) -> None:
        payload = {name: value for name, value in GOOD_CLAIMS.items() if name != claim}
        assert fault(HS256, forged(header_of(HS256), payload)) == "missing_claim"

    @KEYRINGS
    def test_time_is_the_callers(self, keyring: Keyring) -> None:
        token = issue(keyring)
        leeway = timedelta(seconds=5)
        end = NOW + timedelta(minutes=15) + leeway
        assert verify(keyring, token, end - timedelta(seconds=1)).subject
        assert fault(keyring, token, end) == "expired"
        assert verify(keyring, token, NOW - leeway).subject
        assert fault(keyring, token, NOW - leeway - timedelta(seconds=1)) == "not_yet_valid"

    @KEYRINGS
    @given(data=st.data())
    def test_any_mutation_is_refused(self, keyring: Keyring, data: st.DataObject) -> None:
        token = issue(keyring)
        start = data.draw(st.integers(0, len(token)))
        end = data.draw(st.integers(start, min(len(token), start + 5)))
        patch = data.draw(st.text(st.characters(exclude_categories=()), max_size=5))
        mutated = token[:start] + patch + token[end:]
        if mutated != token:
            assert fault(keyring, mutated)

    @given(st.text(st.characters(exclude_categories=()), max_size=200))
    @example("a" * 4097)
    def test_any_text_is_refused(self, text: str) -> None:
        assert fault(ES256, text)

    @given(
        st.dictionaries(
            st.sampled_from(["alg", "typ", "kid", "crit", "x"]),
            st.recursive(
                st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=4
            ),
        )
    )
    def test_any_signed_header_and_payload_is_refused(self, junk: dict[str, object]) -> None:
        assert fault(HS256, forged(junk))
        assert fault(HS256, forged(header_of(HS256), junk))


@pytest.fixture(scope="module")
def hasher() -> PasswordHasher:
    return PasswordHasher(memory_kib=8, rounds=1)


class TestPasswords:
    def test_right_and_wrong(self, hasher: PasswordHasher) -> None:
        hashed = hasher.hash("mật khẩu")
        assert hashed.startswith("$argon2id$v=19$m=8,t=1,p=1$")
        assert hashed != hasher.hash("mật khẩu")
        assert hasher.verify("mật khẩu", hashed) == PasswordCheck(ok=True)
        assert hasher.verify("mat khau", hashed) == PasswordCheck(ok=False)

    def test_composed_and_decomposed_are_one_password(self, hasher: PasswordHasher) -> None:
        assert hasher.verify("e\u0302\u0301", hasher.hash("ế")).ok

    @pytest.mark.parametrize("hashed", [None, ""])
    def test_no_account_is_wrong_but_hashed(
        self, hasher: PasswordHasher, hashed: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        checked: list[str] = []
        context = hasher._context

        class Spy:
            def verify_and_update(self, password: bytes, hashed: str) -> Any:
                checked.append(hashed)
                return context.verify_and_update(password, hashed)

        monkeypatch.setattr(hasher, "_context", Spy())
        assert hasher.verify("x", hashed) == PasswordCheck(ok=False)
        assert checked == [hasher._dummy]

    @pytest.mark.parametrize("other", [{"memory_kib": 16}, {"rounds": 2}, {"parallelism": 2}])
    def test_rehash_when_parameters_change(self, other: dict[str, int]) -> None:
        old = PasswordHasher(**({"memory_kib": 16, "rounds": 1} | other))
        new = PasswordHasher(memory_kib=24, rounds=3, parallelism=3)
        hashed = old.hash("x")
        assert new.verify("y", hashed) == PasswordCheck(ok=False)
        check = new.verify("x", hashed)
        assert check.ok
        assert check.new_hash
        assert new.verify("x", check.new_hash) == PasswordCheck(ok=True)

    @pytest.mark.parametrize("password", ["a\x00b", "x" * 1025, "ế" * 400, "\ud800"])
    def test_unusable_passwords(self, hasher: PasswordHasher, password: str) -> None:
        assert hasher.verify(password, hasher.hash("x")) == PasswordCheck(ok=False)
        with pytest.raises(UnusablePassword):
            hasher.hash(password)

    def test_longest_password(self, hasher: PasswordHasher) -> None:
        assert hasher.verify("x" * 1024, hasher.hash("x" * 1024)).ok


class TestSecrets:
    def test_secret_and_digest(self) -> None:
        assert len(urlsafe_b64decode(new_secret() + "=")) == 32
        assert digest("abc") == hashlib.sha256(b"abc").hexdigest()
        assert digest("\ud800") != digest("\ud801")

    def test_code(self) -> None:
        code = new_code()
        assert [len(group) for group in code.split("-")] == [4, 4, 4, 4]
        assert not set(code) & set("0O1IlLU")
        assert code != new_code()
        assert canonical_code(code.lower().replace("-", " ")) == code
        assert canonical_code(code.replace("-", "")) == code

    @given(st.text(st.characters(exclude_categories=())))
    def test_anything_may_be_typed(self, typed: str) -> None:
        assert canonical_code(canonical_code(typed)) == canonical_code(typed)
        assert digest(typed)


class TestSealer:
    def test_opens_what_it_sealed_for_the_same_context_only(self) -> None:
        sealer, other = Sealer(b"k" * 32), Sealer(b"j" * 32)
        sealed = sealer.seal("Đặng Thị Bích".encode(), b"/v1/members")
        assert sealer.open(sealed, b"/v1/members") == "Đặng Thị Bích".encode()
        assert Sealer(b"k" * 32).open(sealed, b"/v1/members") == "Đặng Thị Bích".encode()
        for opener, context in ((sealer, b"/v1/units"), (sealer, b""), (other, b"/v1/members")):
            with pytest.raises(ValueError, match="not sealed"):
                opener.open(sealed, context)

    def test_shows_nothing_and_is_hardly_longer(self) -> None:
        text = b"dang thi bich" * 3
        sealed = Sealer(b"k" * 32).seal(text, b"")
        assert b"thi" not in decoded(sealed)
        assert len(decoded(sealed)) == len(text) + 16
        assert re.fullmatch(r"[A-Za-z0-9_-]+", sealed)

    @given(st.text() | st.binary().map(encoded))
    @example("")
    @example("====")
    @example("é")
    @example("\ud800")
    @example("A" * 5000)
    def test_opens_nothing_else(self, given_: str) -> None:
        with pytest.raises(ValueError, match="not sealed"):
            Sealer(b"k" * 32).open(given_, b"")

    @given(st.integers(0, 30), st.integers(0, 7))
    def test_a_single_bit_counts(self, place: int, bit: int) -> None:
        sealer = Sealer(b"k" * 32)
        data = bytearray(decoded(sealer.seal(b"a cursor of ours", b"x")))
        data[place] ^= 1 << bit
        with pytest.raises(ValueError, match="not sealed"):
            sealer.open(encoded(bytes(data)), b"x")

    def test_has_one_spelling(self) -> None:
        sealer = Sealer(b"k" * 32)
        sealed = sealer.seal(b"12", b"")  # 18 bytes: whole groups of three
        longer = sealer.seal(b"1", b"")  # 17 bytes: the last sign has bits to spare
        assert sealer.open(sealed, b"") == b"12"
        for again in (
            f"{sealed}=",
            f"{sealed}\n",
            f" {sealed}",
            f"{longer[:-1]}{chr(ord(longer[-1]) + 1)}",
        ):
            with pytest.raises(ValueError, match="not sealed"):
                sealer.open(again, b"")


class TestVerifiedTokens:
    def test_until(self) -> None:
        cache = VerifiedTokens[str]()
        cache.put("t", "anna", until=10.0)
        assert cache.get("t", 9.9) == "anna"
        assert cache.get("t", 10.0) is None
        assert cache.get("other", 0.0) is None
        assert cache.get("\ud800", 0.0) is None

    def test_oldest_goes_first(self) -> None:
        cache = VerifiedTokens[int](max_size=2)
        for value, token in enumerate("abac"):
            cache.put(token, value, until=10.0)
        assert [cache.get(token, 0.0) for token in "abc"] == [2, None, 3]
        assert len(cache) == 2

    def test_drop_and_clear(self) -> None:
        cache = VerifiedTokens[str]()
        for token, value in (("a", "anna"), ("b", "binh"), ("c", "anna")):
            cache.put(token, value, until=10.0)
        assert cache.drop(lambda value: value == "anna") == 2
        assert [cache.get(token, 0.0) for token in "abc"] == [None, "binh", None]
        cache.clear()
        assert len(cache) == 0

    @pytest.mark.race
    def test_threads(self) -> None:
        cache = VerifiedTokens[int](max_size=50)
        stop = threading.Event()
        problems: list[Exception] = []

        def churn(seed: int) -> None:
            try:
                for turn in range(2000):
                    cache.put(f"{seed}-{turn % 90}", turn, until=1.0)
                    if turn % 100 == 0:
                        cache.drop(lambda value: value % 2 == 0)
            except Exception as problem:  # noqa: BLE001 (any at all fails the test)
                problems.append(problem)
            finally:
                stop.set()

        threads = [threading.Thread(target=churn, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        while not stop.is_set():
            cache.get("0-1", 0.0)
        for thread in threads:
            thread.join()
        assert not problems
        assert len(cache) <= 50

    def test_a_hit_is_cheap(self) -> None:
        cache = VerifiedTokens[str]()
        token = issue(ES256)
        cache.put(token, "anna", until=1.0)
        start = time.perf_counter()
        for _ in range(10_000):
            cache.get(token, 0.0)
        assert (time.perf_counter() - start) / 10_000 < 20e-6  # 1 µs on an idle machine
