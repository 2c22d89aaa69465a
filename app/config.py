"""Settings, read once from the environment (prefix HOISO_). Weak secrets stop a production start."""

import os
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.security import Keyring

MIN_SECRET_BYTES = 32


class Environment(StrEnum):
    development = "development"
    test = "test"
    production = "production"


class JwtAlgorithm(StrEnum):
    HS256 = "HS256"  # one server both signs and verifies
    ES256 = "ES256"  # others verify too, with /.well-known/jwks.json


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="HOISO_", extra="ignore")

    environment: Environment = Environment.development
    data_dir: Path = Path("var")
    database_url: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    # Addresses of proxies whose X-Forwarded-For is believed, as uvicorn's forwarded-allow-ips.
    trusted_proxies: str = "127.0.0.1"

    # A process needs few connections: more than ~8 make PostgreSQL slower, not faster.
    pool_size: int = 8
    # Behind PgBouncer in transaction mode: 0 = never prepare.
    prepare_threshold: int = 5
    statement_timeout_ms: int = 30_000

    jwt_algorithm: JwtAlgorithm = JwtAlgorithm.HS256
    # HS256: secrets, HS256 rotation by putting the new one first. ES256: a file of PEM keys.
    jwt_secret: SecretStr | None = None
    jwt_keys_file: Path | None = None
    issuer: str = "hoiso"
    audience: str = "hoiso"
    access_token_seconds: int = 900
    refresh_token_days: int = 30
    one_time_code_days: int = 7
    # How long a verified token is trusted without asking the database: revocation takes < 5 s.
    token_recheck_seconds: float = 3.0

    argon2_memory_kib: int = 19_456
    argon2_rounds: int = 2
    argon2_parallelism: int = 1
    argon2_concurrency: int = 2
    # `limits` notation; per account only failures count, per address every attempt does.
    login_failures_per_account: str = "10 per 15 minute"
    login_attempts_per_address: str = "60 per minute"
    rate_limit_storage: str = "memory://"

    max_body_bytes: int = 1_048_576
    cors_origins: Annotated[list[str], NoDecode] = []
    metrics_token: SecretStr | None = None
    telemetry: bool = False
    docs: bool = True
    log_level: str = "INFO"
    log_requests: bool = True
    demo_password: str | None = None

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            [part.strip() for part in value.split(",") if part.strip()]
            if isinstance(value, str)
            else value
        )

    @field_validator("database_url")
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
        if self.environment is Environment.production:
            if self.jwt_algorithm is JwtAlgorithm.HS256 and not self.jwt_secret:
                raise ValueError(
                    "production needs HOISO_JWT_SECRET (or ES256 with HOISO_JWT_KEYS_FILE)"
                )
            if self.jwt_algorithm is JwtAlgorithm.ES256 and not self.jwt_keys_file:
                raise ValueError("production with ES256 needs HOISO_JWT_KEYS_FILE")
        for secret in self._given_secrets():
            if len(secret.encode()) < MIN_SECRET_BYTES:
                raise ValueError(f"each HOISO_JWT_SECRET needs at least {MIN_SECRET_BYTES} bytes")
            if len(set(secret)) < 8:
                raise ValueError(
                    "HOISO_JWT_SECRET is too simple: make one with `openssl rand -hex 32`"
                )
        return self

    def _given_secrets(self) -> list[str]:
        value = self.jwt_secret.get_secret_value() if self.jwt_secret else ""
        return [part.strip() for part in value.split(",") if part.strip()]

    @property
    def on_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    def keyring(self) -> Keyring:
        """The signing keys: given, or (outside production) made on the first start and kept."""
        if self.jwt_algorithm is JwtAlgorithm.HS256:
            secrets = self._given_secrets() or [self._kept_key("jwt-hs256.key")]
            return Keyring.hs256(secrets)
        text = (
            self.jwt_keys_file.read_text()
            if self.jwt_keys_file
            else self._kept_key("jwt-es256.pem")
        )
        end = "-----END PRIVATE KEY-----"
        pems = [part.strip() + "\n" + end + "\n" for part in text.split(end) if part.strip()]
        return Keyring.es256(pems)

    def _kept_key(self, name: str) -> str:
        path = self.data_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # O_EXCL: of two first starts at once, one writes the key and both read it.
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text().strip()
        with os.fdopen(handle, "w") as file:
            key = Keyring.generate(self.jwt_algorithm.value)
            file.write(key)
        return key.strip()


@lru_cache
def get_settings() -> Settings:
    return Settings()
