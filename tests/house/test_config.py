"""Settings: a weak secret stops a production start; outside production the keys make themselves."""

import os
import stat
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from app.cautions import cautions, misspelt
from app.clock import utc_now
from app.config import BadSettings, Environment, JwtAlgorithm, Settings, get_settings
from app.security.tokens import BadToken, Keyring
from app.services.identity.signin import Signin
from app.services.kernel.limits import RateLimits

GOOD = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("HOISO_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def issue(keyring: Keyring) -> str:
    token, _ = keyring.issue(
        "subject",
        session_id="session",
        lifetime=timedelta(minutes=5),
        issuer="hoiso",
        audience="hoiso",
        now=utc_now(),
    )
    return token


def verify(keyring: Keyring, token: str) -> str:
    return keyring.verify(token, issuer="hoiso", audience="hoiso", now=utc_now()).subject


def pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> str:
    """A key as `openssl ecparam -genkey` writes it: BEGIN EC PRIVATE KEY."""
    encryption = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


def older(passphrase: bytes | None = None) -> str:
    return pem(ec.generate_private_key(ec.SECP256R1()), passphrase)


ROOT = Path(__file__).parents[2]


class TestProduction:
    def refused(self, **settings: object) -> str:
        with pytest.raises(ValidationError) as error:
            Settings.model_validate({"environment": "production"} | settings)
        return str(error.value)

    def test_needs_a_secret(self) -> None:
        assert "HOISO_JWT_SECRET" in self.refused()
        assert "HOISO_JWT_SECRET" in self.refused(jwt_secret=None)
        assert "HOISO_JWT_KEYS_FILE" in self.refused(jwt_algorithm="ES256")
        assert "HOISO_JWT_KEYS_FILE" in self.refused(jwt_algorithm="ES256", jwt_secret=GOOD)

    @pytest.mark.parametrize("secret", ["", " ", ",", " , "])
    def test_takes_no_empty_one(self, secret: str) -> None:
        assert "HOISO_JWT_SECRET" in self.refused(jwt_secret=secret)

    @pytest.mark.parametrize(
        ("secret", "word"),
        [
            ("changeme", "32 bytes"),
            (GOOD[:31], "32 bytes"),
            (f"{GOOD},short", "32 bytes"),
            ("a" * 64, "too simple"),
            ("abababab" * 8, "too simple"),
            (f"{GOOD},{'x' * 40}", "too simple"),
        ],
    )
    def test_takes_no_weak_one(self, secret: str, word: str) -> None:
        assert word in self.refused(jwt_secret=secret)

    def test_says_no_secret_in_its_refusal(self) -> None:
        for secret in ("hunter2-hunter2", "zyzyzyzy" * 5):
            assert secret not in self.refused(jwt_secret=secret)

    @pytest.mark.parametrize("keys", [None, "", " , "])
    def test_needs_data_keys(self, keys: str | None) -> None:
        told = self.refused(jwt_secret=GOOD, data_keys=keys)
        assert "production needs HOISO_DATA_KEYS" in told

    @pytest.mark.parametrize(("keys", "word"), [("changeme", "32 bytes"), ("a" * 64, "too simple")])
    def test_takes_no_weak_data_key(self, keys: str, word: str) -> None:
        told = self.refused(jwt_secret=GOOD, data_keys=f"{OTHER},{keys}")
        assert "HOISO_DATA_KEYS" in told
        assert word in told
        assert keys not in told

    @pytest.mark.parametrize(
        ("setting", "word"),
        [
            ({"data_keys": f"{OTHER},{GOOD}"}, "must not be among HOISO_DATA_KEYS"),
            ({"cors_origins": "https://a.example,*"}, "HOISO_CORS_ORIGINS"),
            ({"metrics_token": "fifteen-letters"}, "HOISO_METRICS_TOKEN"),
            ({"metrics_token": ""}, "HOISO_METRICS_TOKEN"),
        ],
    )
    def test_takes_nothing_that_opens_more_than_it_says(
        self, setting: dict[str, str], word: str
    ) -> None:
        told = self.refused(**({"jwt_secret": GOOD, "data_keys": OTHER} | setting))
        assert word in told
        assert GOOD not in told
        Settings.model_validate({"jwt_secret": GOOD, "data_keys": OTHER} | setting)

    def test_warns_of_what_would_stop_those_who_run_it(self, tmp_path: Path) -> None:
        file = tmp_path / "keys.pem"
        file.write_text(pem(ec.generate_private_key(ec.SECP256R1())))
        file.chmod(0o640)
        given = {"jwt_algorithm": "ES256", "jwt_keys_file": file, "data_keys": OTHER, "docs": True}
        production = Settings.model_validate({"environment": "production"} | given)
        warned = [event for event, _ in cautions(production, ["HOISO_PROT"])]
        assert warned == ["unknown_setting", "docs_open", "key_file_readable_by_others"]
        file.chmod(0o600)
        closed = production.model_copy(update={"docs": None})
        assert list(cautions(closed, ["HOISO_PORT"])) == []
        assert not closed.shows_docs
        at_home = Settings.model_validate(given | {"docs": None})
        assert list(cautions(at_home, [])) == []
        assert at_home.shows_docs

    def test_takes_a_good_one_and_makes_no_file(self, tmp_path: Path) -> None:
        settings = Settings.model_validate(
            {"environment": "production", "jwt_secret": GOOD, "data_keys": OTHER}
        )
        vault = settings.vault()
        assert vault.open(vault.seal("0912345678", "phone"), "phone") == "0912345678"
        assert verify(settings.keyring(), issue(settings.keyring())) == "subject"
        assert list(tmp_path.iterdir()) == []

    def test_takes_a_file_of_keys(self, tmp_path: Path) -> None:
        old, new = Keyring.generate("ES256"), Keyring.generate("ES256")
        (tmp_path / "old.pem").write_text(old)
        (tmp_path / "both.pem").write_text(new + "\n" + old)
        values = {"environment": "production", "jwt_algorithm": "ES256", "data_keys": OTHER}
        before = Settings.model_validate(values | {"jwt_keys_file": tmp_path / "old.pem"}).keyring()
        after = Settings.model_validate(values | {"jwt_keys_file": tmp_path / "both.pem"}).keyring()
        assert verify(after, issue(before)) == "subject"
        with pytest.raises(BadToken):
            verify(before, issue(after))
        assert len(after.jwks()["keys"]) == 2

    def test_takes_keys_in_the_older_form_too(self, tmp_path: Path) -> None:
        pems = [Keyring.generate("ES256"), older(), older(), Keyring.generate("ES256"), older()]
        file = tmp_path / "keys.pem"
        parameters = (
            "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        )
        file.write_text(f"the newest, hoà bình\n{parameters}" + parameters.join(pems), "utf-8")
        found = self.es256(file).keyring()
        kids = [key["kid"] for key in found.jwks()["keys"]]
        assert kids == [key["kid"] for pem in pems for key in Keyring.es256([pem]).jwks()["keys"]]
        assert len(set(kids)) == 5
        assert verify(found, issue(Keyring.es256([pems[4]]))) == "subject"
        assert verify(Keyring.es256([pems[0]]), issue(found)) == "subject"

    def es256(self, file: Path) -> Settings:
        return Settings.model_validate(
            {
                "environment": "production",
                "jwt_algorithm": "ES256",
                "jwt_keys_file": file,
                "data_keys": OTHER,
            }
        )

    def test_a_file_without_a_usable_key_is_named(self, tmp_path: Path) -> None:
        file = tmp_path / "keys.pem"
        with pytest.raises(BadSettings, match="No such file") as caught:
            self.es256(file).keyring()
        assert str(file) in str(caught.value)
        good, other = Keyring.generate("ES256"), ec.generate_private_key(ec.SECP384R1())
        for content, reason in (
            ("", "no private key"),
            ("hunter2", "no private key"),
            (good.replace("PRIVATE", "PUBLIC"), "no private key"),
            (good[: len(good) // 2], "no private key"),
            (pem(other), "P-256"),
            (f"{good}\n{pem(other)}", "P-256"),
            (older(b"passphrase"), "unencrypted"),
            (good.replace("MI", "IM", 1), "P-256"),
        ):
            file.write_text(content)
            with pytest.raises(BadSettings, match=reason) as caught:
                self.es256(file).keyring()
            assert str(file) in str(caught.value)
            assert "HOISO_JWT_KEYS_FILE" in str(caught.value)
            assert not content or content not in str(caught.value)

    @pytest.mark.parametrize("environment", ["development", "test"])
    def test_a_weak_secret_that_is_given_is_refused_anywhere(self, environment: str) -> None:
        with pytest.raises(ValidationError, match="32 bytes"):
            Settings.model_validate({"environment": environment, "jwt_secret": "changeme"})


class TestRotation:
    def test_the_first_signs_and_all_verify(self) -> None:
        before = Settings.model_validate({"jwt_secret": OTHER}).keyring()
        after = Settings.model_validate({"jwt_secret": f" {GOOD} , {OTHER} "}).keyring()
        gone = Settings.model_validate({"jwt_secret": GOOD}).keyring()
        assert verify(after, issue(before)) == "subject"
        assert verify(gone, issue(after)) == "subject"
        with pytest.raises(BadToken):
            verify(gone, issue(before))


class TestKeptKeys:
    @pytest.mark.parametrize(
        ("algorithm", "name"), [("HS256", "jwt-hs256.key"), ("ES256", "jwt-es256.pem")]
    )
    def test_are_made_once_for_the_owner_alone(
        self, tmp_path: Path, algorithm: str, name: str
    ) -> None:
        folder = tmp_path / "deep" / "var"
        settings = Settings.model_validate({"data_dir": folder, "jwt_algorithm": algorithm})
        token = issue(settings.keyring())
        file = folder / name
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        kept = file.read_text()
        again = Settings.model_validate({"data_dir": folder, "jwt_algorithm": algorithm})
        assert verify(again.keyring(), token) == "subject"
        assert file.read_text() == kept
        other = Settings.model_validate({"data_dir": tmp_path / "2", "jwt_algorithm": algorithm})
        with pytest.raises(BadToken):
            verify(other.keyring(), token)

    @pytest.mark.race
    def test_of_many_first_starts_at_once_are_one(self, tmp_path: Path) -> None:
        settings = Settings.model_validate({"data_dir": tmp_path / "var"})
        with ThreadPoolExecutor(8) as threads:
            tokens = [threads.submit(lambda: issue(settings.keyring())) for _ in range(8)]
            for token in tokens:
                assert verify(settings.keyring(), token.result()) == "subject"
        assert [path.name for path in (tmp_path / "var").iterdir()] == ["jwt-hs256.key"]


class TestDatabaseUrl:
    @pytest.mark.parametrize(
        ("given", "used"),
        [
            ("postgres://u:p@db/x", "postgresql+psycopg://u:p@db/x"),
            ("postgresql://u:p@db:6432/x", "postgresql+psycopg://u:p@db:6432/x"),
            ("postgresql+psycopg://db/x", "postgresql+psycopg://db/x"),
            ("sqlite:///var/x.db", "sqlite:///var/x.db"),
        ],
    )
    def test_of_every_usual_form(
        self, monkeypatch: pytest.MonkeyPatch, given: str, used: str
    ) -> None:
        monkeypatch.setenv("HOISO_DATABASE_URL", given)
        settings = Settings()
        assert settings.database_url == used
        assert settings.on_sqlite == used.startswith("sqlite")

    def test_is_a_file_in_the_data_folder_by_default(self, tmp_path: Path) -> None:
        settings = Settings.model_validate({"data_dir": tmp_path})
        assert settings.database_url == f"sqlite:///{tmp_path}/hoiso.db"

    @pytest.mark.parametrize(
        "url", ["mysql://db/x", "postgresql+asyncpg://db/x", "sqlite://", "hoiso.db", "://"]
    )
    def test_of_another_kind_is_refused(self, url: str) -> None:
        with pytest.raises(ValidationError, match="HOISO_DATABASE_URL"):
            Settings.model_validate({"database_url": url})

    @pytest.mark.parametrize(
        ("database", "replica"),
        [
            ("sqlite:///x.db", "postgresql://db/x"),
            ("postgresql://db/x", "sqlite:///x.db"),
            ("postgresql://db/x", "mysql://db/x"),
            ("postgresql://db/x", "postgresql://db:port/x"),
        ],
    )
    def test_only_postgresql_has_a_replica(self, database: str, replica: str) -> None:
        with pytest.raises(ValidationError, match="HOISO_REPLICA_URL"):
            Settings.model_validate({"database_url": database, "replica_url": replica})

    def test_the_replica_has_the_same_forms(self) -> None:
        urls = {"database_url": "postgres://db/x", "replica_url": "postgres://replica/x"}
        assert Settings.model_validate(urls).replica_url == "postgresql+psycopg://replica/x"
        assert Settings.model_validate(urls).replica_wait_ms == 20


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("HOISO_JWT_SECRET", "hunter2-hunter2"),
            ("HOISO_JWT_SECRET", "zyzyzyzy" * 5),
            ("HOISO_DATA_KEYS", "hunter2-hunter2"),
            ("HOISO_DATABASE_URL", "mysql://lan:hunter2@db/x"),
            ("HOISO_DATABASE_URL", "postgresql://lan:hunter2@db:port/x"),
            ("HOISO_REPLICA_URL", "postgresql://lan:hunter2@db:port/x"),
            ("HOISO_PORT", "hunter2"),
            ("HOISO_JWT_ALGORITHM", "hunter2"),
            ("HOISO_ENVIRONMENT", "hunter2"),
            ("HOISO_LOG_LEVEL", "hunter2"),
            ("HOISO_DOCS", "hunter2"),
        ],
    )
    def test_name_the_setting_and_never_its_value(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv("HOISO_METRICS_TOKEN", "another-secret")
        monkeypatch.setenv(name, value)
        get_settings.cache_clear()
        with pytest.raises(BadSettings) as caught:
            get_settings()
        told = "".join(traceback.format_exception(caught.value))
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
        for secret in (value, "hunter2", "another-secret"):
            assert secret not in told
        with pytest.raises(ValidationError) as plain:
            Settings()
        assert value not in str(plain.value)

    def test_tell_all_that_is_wrong(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOISO_PORT", "x")
        monkeypatch.setenv("HOISO_POOL_SIZE", "y")
        get_settings.cache_clear()
        with pytest.raises(BadSettings, match=r"HOISO_PORT: .*; HOISO_POOL_SIZE: "):
            get_settings()

    @pytest.mark.parametrize(
        ("name", "value", "word"),
        [
            ("rate_limit_storage", "redis://:hunter2@db", "package `redis`"),
            ("rate_limit_storage", "hunter2", "memory://"),
            ("rate_limit_storage", "nowhere://:hunter2@db", "memory://"),
            ("login_failures_per_account", "hunter2", "10 per 15 minute"),
            ("login_attempts_per_address", "", "10 per 15 minute"),
        ],
    )
    def test_of_limits_come_at_the_start(self, name: str, value: str, word: str) -> None:
        settings = Settings.model_validate({"jwt_secret": GOOD, name: value})
        with pytest.raises(BadSettings) as caught:
            Signin(settings, RateLimits(settings.rate_limit_storage))
        assert f"HOISO_{name.upper()}" in str(caught.value)
        assert word in str(caught.value)
        assert "hunter2" not in "".join(traceback.format_exception(caught.value))


class TestEnvironment:
    def test_of_nobody_is_development_on_this_machine(self) -> None:
        settings = Settings()
        assert settings.environment is Environment.development
        assert settings.jwt_algorithm is JwtAlgorithm.HS256
        assert (settings.host, settings.port) == ("127.0.0.1", 8000)
        assert settings.cors_origins == []
        assert settings.metrics_token is None
        assert settings.token_recheck_seconds < 5

    def test_is_read_with_the_prefix(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOISO_PORT", "9000")
        monkeypatch.setenv("PORT", "1")
        monkeypatch.setenv("HOISO_CORS_ORIGINS", "https://a.example, https://b.example,")
        monkeypatch.setenv("HOISO_DOCS", "false")
        monkeypatch.setenv("HOISO_SOMETHING_ELSE", "1")
        monkeypatch.setenv("HOISO_METRICS_TOKEN", "")
        settings = Settings()
        assert settings.port == 9000
        assert settings.cors_origins == ["https://a.example", "https://b.example"]
        assert settings.docs is False
        assert settings.metrics_token is None

    def test_keeps_secrets_out_of_print(self) -> None:
        settings = Settings.model_validate({"jwt_secret": GOOD, "metrics_token": OTHER})
        assert GOOD not in repr(settings)
        assert OTHER not in str(settings)


class TestNames:
    def test_that_are_no_setting_are_told_with_what_may_be_meant(self) -> None:
        given = ["HOISO_DATABASE_ULR", "HOISO_PORT", "HOISO_QQQQ", "PATH", "HOISO_TEST_DATABASE"]
        assert misspelt(given) == {"HOISO_DATABASE_ULR": "HOISO_DATABASE_URL", "HOISO_QQQQ": None}

    def test_stand_in_the_example_with_their_defaults(self) -> None:
        """`.env.example` is what an operator copies: every setting, nothing else."""
        lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
        given = dict(line[1:].split("=", 1) for line in lines if line.startswith("#HOISO_"))
        fields = {f"HOISO_{name}".upper(): each for name, each in Settings.model_fields.items()}
        assert list(given) == list(fields)
        for name, field in fields.items():
            default = getattr(field.default, "value", field.default)
            assert given[name].strip('"') == _as_written(default), name


class TestCompose:
    """compose.yaml passes every setting of an env file but those that are of the container."""

    @pytest.fixture
    def services(self) -> Any:
        return yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))

    @pytest.mark.parametrize("name", ["api", "worker", "migrate"])
    def test_passes_every_setting(self, services: Any, name: str) -> None:
        service = services["services"][name]
        assert service["env_file"] == [{"path": ".env", "required": False}]
        environment = service["environment"]
        assert {key for key, value in environment.items() if "${" not in value} == {
            "HOISO_HOST",
            "HOISO_PORT",
            "HOISO_DATA_DIR",
        }

    def test_names_its_proxy(self, services: Any) -> None:
        [network] = services["networks"]["default"]["ipam"]["config"]
        proxies = services["services"]["api"]["environment"]["HOISO_TRUSTED_PROXIES"]
        assert proxies == f"${{HOISO_TRUSTED_PROXIES:-{network['gateway']}}}"


def _as_written(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default in (None, []) else str(default)
