"""Settings, read once from the environment (prefix HOISO_). Weak secrets stop a production start."""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from tempfile import mkstemp
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.oidc_providers import OidcProvider, is_provider_url
from app.security.secret_texts import new_secret
from app.security.tokens import Keyring
from app.vault import Vault

MIN_SECRET_BYTES = 32
MIN_TOKEN_CHARS = 16
# PKCS #8 and the older form of openssl; what else a file holds (EC PARAMETERS) is no key.
_PRIVATE_KEY = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)

_FOLDER = r"(?!\.{1,2}(?:/|$))[\w.-]+"
_BUCKET = re.compile(rf"s3://[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9](/{_FOLDER})*", re.ASCII)
_ENDPOINT = re.compile(r"https?://([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?", re.ASCII)


Network = IPv4Network | IPv6Network


class BadSettings(ValueError):
    """Settings that cannot work; the message names them and never contains the value of a secret."""


class Environment(StrEnum):
    development = "development"
    test = "test"
    production = "production"


class JwtAlgorithm(StrEnum):
    HS256 = "HS256"  # one server both signs and verifies
    ES256 = "ES256"  # others verify too, with /.well-known/jwks.json


class Settings(BaseSettings):
    # What is wrong may be a secret or hold one: an error names the setting, never its value.
    model_config = SettingsConfigDict(
        env_prefix="HOISO_", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    environment: Environment = Environment.development
    data_dir: Path = Path("var")
    database_url: str = ""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    # Addresses of proxies whose X-Forwarded-For is believed, as uvicorn's forwarded-allow-ips.
    trusted_proxies: str = "127.0.0.1"

    # A process needs few connections: more than ~8 make PostgreSQL slower, not faster.
    pool_size: int = 8
    # A streaming replica of the database: reads go there while it has all that was committed.
    replica_url: str = ""
    # So long a read waits for the replica to get what was committed; then the primary answers.
    replica_wait_ms: Annotated[int, Field(ge=0, le=5_000)] = 20
    # Behind PgBouncer in transaction mode: 0 = never prepare.
    prepare_threshold: int = 5
    statement_timeout_ms: int = 30_000

    jwt_algorithm: JwtAlgorithm = JwtAlgorithm.HS256
    # HS256: secrets, HS256 rotation by putting the new one first. ES256: a file of PEM keys.
    jwt_secret: SecretStr | None = None
    jwt_keys_file: Path | None = None
    # Seal citizen ids and phones at rest; rotated by putting the new one first.
    data_keys: SecretStr | None = None
    # Seal backups; rotated by putting the new one first. Only `hoiso backup` and `restore` need them.
    backup_keys: SecretStr | None = None
    # A file outside the database that says who was erased, so that a restore erases again.
    erasure_journal: Path | None = None
    # A transfer nobody answers for so many days goes on by tacit approval; 0 = it waits for ever.
    transfer_tacit_days: Annotated[int, Field(ge=0, le=3_650)] = 15
    # For how long a merge of two records can be undone.
    merge_undo_days: Annotated[int, Field(ge=0, le=365)] = 30
    # A folder of poverty standards, provinces' own lines and tables of points, besides ours.
    poverty_dir: Path | None = None
    # How long it is remembered who was shown whose sensitive data.
    access_log_days: Annotated[int, Field(ge=1, le=36_500)] = 730
    # The name of this place of work: a worker that comes back under it goes on where it was.
    worker: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")] = "worker"
    # On SQLite the server does jobs itself, unless a `hoiso worker` runs beside it.
    serve_jobs: bool = True
    # How long a job that is over can still be asked about.
    job_days: Annotated[int, Field(ge=1, le=3_650)] = 30
    # Days by kind of row, over those that the capabilities state: {"export_record": 365}.
    retention: dict[str, Annotated[int, Field(ge=1, le=36_500)]] = {}
    # Files of app/data/privacy that hold here instead (deadlines.yaml, holidays.yaml, purposes.yaml):
    # what is unconfirmed, or has been announced since.
    privacy_rules_dir: Path | None = None
    issuer: str = "hoiso"
    audience: str = "hoiso"
    access_token_seconds: int = 900
    refresh_token_days: int = 30
    one_time_code_days: int = 7
    # So many days before a program, or a secret of it, ends its officers are sent a notice.
    expiry_notice_days: Annotated[int, Field(ge=1, le=365)] = 14
    # Providers of OpenID Connect: [{"issuer": "https://...", "client_id": "...", "name": "..."}].
    oidc_providers: list[OidcProvider] = []
    # Phones that one account may have enrolled at a time.
    most_devices: Annotated[int, Field(ge=1, le=1_000)] = 10
    # A table of the versions of the app that are served, instead of app/data/app_versions.yaml.
    app_versions_file: Path | None = None
    # Further systems whose identifiers are kept, in the form of app/data/external_systems.yaml.
    external_systems_file: Path | None = None
    # Records that a phone has not sent for longer are work for the officers of its account.
    unsent_days: Annotated[int, Field(ge=1, le=365)] = 3
    # How long a verified token is trusted without asking the database: revocation takes < 5 s.
    token_recheck_seconds: float = 3.0

    argon2_memory_kib: int = 19_456
    argon2_rounds: int = 2
    argon2_parallelism: int = 1
    # So many hashes at a time; so many more wait for their turn, all others get 503.
    argon2_concurrency: Annotated[int, Field(ge=1, le=64)] = 2
    argon2_waiting: Annotated[int, Field(ge=0, le=10_000)] = 64
    # `limits` notation; per address every attempt counts, per account only failures: those of one
    # network, and those of all networks and devices that have not signed in with it before.
    login_failures_per_account: str = "10 per 15 minute"
    login_strangers_per_account: str = "100 per day"
    login_attempts_per_address: str = "60 per minute"
    rate_limit_storage: str = "memory://"

    # On SQLite, where all other writers wait for it: so many members go elsewhere in one reorganisation.
    reorganisation_most_members: Annotated[int, Field(ge=1)] = 30_000
    # On PostgreSQL: one that takes more along is done by a job, not while somebody waits for the answer.
    reorganisation_at_once_members: Annotated[int, Field(ge=0)] = 30_000
    # For so long after a unit has closed its officers read the figures of its days.
    past_reading_days: Annotated[int, Field(ge=0, le=36_500)] = 1_825

    max_body_bytes: int = 1_048_576
    # Of a file that is imported; its rows and columns have limits of their own.
    import_max_bytes: Annotated[int, Field(ge=1_000, le=200_000_000)] = 20_971_520
    # Retention of imported files and of the contents of their rows.
    import_days: Annotated[int, Field(ge=1, le=3_650)] = 90
    # The folder of files that clients send; all servers of an installation have the same.
    # By default `files` in HOISO_DATA_DIR.
    files_dir: Path | None = None
    # Instead of the folder a bucket of S3, s3://BUCKET or s3://BUCKET/FOLDER; needs requirements-s3.lock.
    files_url: str = ""
    # Of another S3 than Amazon's: https://HOST.
    files_endpoint: str = ""
    files_region: str = ""
    # Without them AWS_... of the environment holds, or the role of the machine.
    files_access_key: SecretStr | None = None
    files_secret_key: SecretStr | None = None
    picture_max_bytes: Annotated[int, Field(ge=1_000, le=200_000_000)] = 20_971_520
    document_max_bytes: Annotated[int, Field(ge=1_000, le=2_000_000_000)] = 52_428_800
    # Of one account: what it has sent and no record has yet.
    file_quota_bytes: Annotated[int, Field(ge=1_000)] = 524_288_000
    # Networks of the union itself to which webhooks may go although they are not public, and there by
    # http:// as well: 10.20.0.0/16,fd00:20::/32.
    webhook_allowed_networks: Annotated[list[Network], NoDecode] = []
    # Certificates of further authorities (PEM) that receivers of webhooks may have theirs from.
    webhook_ca_file: Path | None = None
    cors_origins: Annotated[list[str], NoDecode] = []
    metrics_token: SecretStr | None = None
    telemetry: bool = False
    # The pages /docs and /redoc; by default everywhere but in production.
    docs: bool | None = None
    log_level: str = "INFO"
    log_requests: bool = True
    demo_password: str | None = None

    @field_validator("cors_origins", "webhook_allowed_networks", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            [part.strip() for part in value.split(",") if part.strip()]
            if isinstance(value, str)
            else value
        )

    @field_validator("database_url", "replica_url")
    @classmethod
    def _driver(cls, value: str) -> str:
        for short in ("postgres://", "postgresql://"):
            if value.startswith(short):
                return "postgresql+psycopg://" + value.removeprefix(short)
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.database_url:
            self.database_url = f"sqlite:///{self.data_dir / 'hoiso.db'}"
        if not self.database_url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("HOISO_DATABASE_URL must be sqlite:///FILE or postgresql://...")
        _ensure_address("HOISO_DATABASE_URL", self.database_url)
        if self.replica_url:
            if self.on_sqlite or not self.replica_url.startswith("postgresql+psycopg://"):
                raise ValueError("HOISO_REPLICA_URL is postgresql://..., of a PostgreSQL database")
            _ensure_address("HOISO_REPLICA_URL", self.replica_url)
        self._ensure_one_store()
        self._ensure_providers()
        if self.log_level.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError("HOISO_LOG_LEVEL is DEBUG, INFO, WARNING or ERROR")
        if self.environment is Environment.production:
            self._ensure_keys_are_given()
        given = [("HOISO_JWT_SECRET", secret) for secret in self._given_secrets()]
        given += [("HOISO_DATA_KEYS", secret) for secret in _parts(self.data_keys)]
        given += [("HOISO_BACKUP_KEYS", secret) for secret in self.backup_secrets()]
        for name, secret in given:
            if len(secret.encode()) < MIN_SECRET_BYTES:
                raise ValueError(f"each {name} needs at least {MIN_SECRET_BYTES} bytes")
            if len(set(secret)) < 8:
                raise ValueError(f"{name} is too simple: make one with `openssl rand -hex 32`")
        if self.environment is Environment.production:
            self._ensure_fit_for_production()
        return self

    def _ensure_one_store(self) -> None:
        if self.files_url and not _BUCKET.fullmatch(self.files_url):
            raise ValueError("HOISO_FILES_URL is s3://BUCKET or s3://BUCKET/FOLDER")
        if self.files_url and self.files_dir:
            raise ValueError("files are in HOISO_FILES_URL or in HOISO_FILES_DIR, not in both")
        if self.files_endpoint and not _is_endpoint(self.files_endpoint):
            raise ValueError("HOISO_FILES_ENDPOINT is https://HOST or https://HOST:PORT")
        if bool(self.files_access_key) != bool(self.files_secret_key):
            raise ValueError("HOISO_FILES_ACCESS_KEY and HOISO_FILES_SECRET_KEY belong together")

    def _ensure_providers(self) -> None:
        issuers = [each.issuer for each in self.oidc_providers]
        if len(set(issuers)) < len(issuers):
            raise ValueError("HOISO_OIDC_PROVIDERS names an issuer twice")
        if not all(is_provider_url(each, local=self.allows_local_providers) for each in issuers):
            raise ValueError("each issuer of HOISO_OIDC_PROVIDERS is https://..., without ? and #")

    @property
    def allows_local_providers(self) -> bool:
        """Over plain HTTP at this very machine."""
        return self.environment is not Environment.production

    def _ensure_keys_are_given(self) -> None:
        if self.jwt_algorithm is JwtAlgorithm.HS256 and not self._given_secrets():
            raise ValueError(
                "production needs HOISO_JWT_SECRET (or ES256 with HOISO_JWT_KEYS_FILE)"
            )
        if self.jwt_algorithm is JwtAlgorithm.ES256 and not self.jwt_keys_file:
            raise ValueError("production with ES256 needs HOISO_JWT_KEYS_FILE")

    def _ensure_fit_for_production(self) -> None:
        data_keys = _parts(self.data_keys)
        if not data_keys:
            raise ValueError(
                "production needs HOISO_DATA_KEYS: `openssl rand -hex 32`, kept for good"
            )
        if set(data_keys) & set(self._given_secrets()):
            raise ValueError(
                "HOISO_JWT_SECRET must not be among HOISO_DATA_KEYS: keep these, make a new secret"
            )
        if set(self.backup_secrets()) & {*data_keys, *self._given_secrets()}:
            raise ValueError(
                "HOISO_BACKUP_KEYS must be keys of their own: who carries backups opens nothing else"
            )
        if "*" in self.cors_origins:
            raise ValueError("production needs HOISO_CORS_ORIGINS by name, not *")
        token = self.metrics_token
        if token is not None and len(token.get_secret_value()) < MIN_TOKEN_CHARS:
            raise ValueError(f"HOISO_METRICS_TOKEN needs at least {MIN_TOKEN_CHARS} characters")

    def _given_secrets(self) -> list[str]:
        return _parts(self.jwt_secret)

    def backup_secrets(self) -> list[str]:
        """The first seals a backup, all open it."""
        return _parts(self.backup_keys)

    @property
    def shows_docs(self) -> bool:
        return self.environment is not Environment.production if self.docs is None else self.docs

    @property
    def on_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    def keyring(self) -> Keyring:
        """The signing keys: given, or (outside production) made on the first start and kept."""
        if self.jwt_algorithm is JwtAlgorithm.HS256:
            secrets = self._given_secrets() or [self._kept_key("jwt-hs256.key", self._new_key)]
            return Keyring.hs256(secrets)
        if self.jwt_keys_file is None:
            return Keyring.es256([self._kept_key("jwt-es256.pem", self._new_key)])
        return self._keys_of(self.jwt_keys_file)

    def _new_key(self) -> str:
        return Keyring.generate(self.jwt_algorithm.value)

    def vault(self) -> Vault:
        """The data keys: given, or (outside production) made on the first start and kept."""
        return Vault(_parts(self.data_keys) or [self._kept_key("data.key", new_secret)])

    def _keys_of(self, path: Path) -> Keyring:
        try:
            text = path.read_text(encoding="ascii", errors="replace")
        except OSError as error:
            raise BadSettings(f"HOISO_JWT_KEYS_FILE: {path}: {error.strerror}") from None
        pems = [found[0] for found in _PRIVATE_KEY.finditer(text)]
        if not pems:
            raise BadSettings(f"HOISO_JWT_KEYS_FILE: there is no private key in PEM in {path}")
        try:
            return Keyring.es256(pems)
        except (ValueError, TypeError):  # TypeError: it is encrypted
            raise BadSettings(
                f"HOISO_JWT_KEYS_FILE: a key in {path} is not an unencrypted one on P-256"
            ) from None

    def _kept_key(self, name: str, make: Callable[[], str]) -> str:
        path = self.data_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            # Written to a temporary file (mode 0600), then linked: if two processes start for the
            # first time at once, one key wins and neither reads half of it.
            handle, draft = mkstemp(dir=path.parent, prefix=f".{name}-")
            with os.fdopen(handle, "w") as file:
                file.write(make())
            with suppress(FileExistsError):
                path.hardlink_to(draft)
            Path(draft).unlink()
        return path.read_text().strip()


def _ensure_address(name: str, value: str) -> None:
    try:
        make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError(f"{name} is not the address of a database") from None


def _is_endpoint(value: str) -> bool:
    try:
        return _ENDPOINT.fullmatch(value) is not None and urlsplit(value).port != 0
    except ValueError:  # a port beyond 65535, an address that is none
        return False


def _parts(secret: SecretStr | None) -> list[str]:
    value = secret.get_secret_value() if secret else ""
    return [part.strip() for part in value.split(",") if part.strip()]


@lru_cache
def get_settings() -> Settings:
    """The settings of the environment, or `BadSettings`."""
    try:
        return Settings()
    except ValidationError as error:
        raise BadSettings("; ".join(map(_told, error.errors(include_input=False)))) from None


def _told(error: ErrorDetails) -> str:
    name = "".join(f"HOISO_{part}".upper() for part in error["loc"][:1])
    reason = error["msg"].removeprefix("Value error, ")
    return f"{name}: {reason}" if name else reason
