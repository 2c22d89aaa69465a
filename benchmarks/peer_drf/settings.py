"""Django, trimmed to an API: no sessions, no CSRF, no admin; connections are kept open."""

import os
from typing import Any

from psycopg.conninfo import conninfo_to_dict

DATABASE_URL = os.environ["PEER_DATABASE_URL"]
SECRET_KEY = os.environ["PEER_SECRET"]
# "grants": user and grants are read on each request, so a revoked one stops working at once.
# "claims": both are believed from the token, as cheap as the framework can be.
SCOPE_FROM = os.environ.get("PEER_SCOPE", "grants")


def _database(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": url.removeprefix("sqlite:///"),
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
            },
        }
    parts = conninfo_to_dict(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.get("dbname"),
        "USER": parts.get("user"),
        "PASSWORD": parts.get("password"),
        "HOST": parts.get("host"),
        "PORT": parts.get("port"),
    }


DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "benchmarks.peer_drf.urls"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "rest_framework",
    "benchmarks.peer_drf",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
DATABASES = {"default": _database(DATABASE_URL) | {"CONN_MAX_AGE": None}}
AUTH_USER_MODEL = "peer_drf.Account"
USE_TZ = True
TIME_ZONE = "UTC"

_AUTHENTICATION = {
    "grants": "rest_framework_simplejwt.authentication.JWTAuthentication",
    "claims": "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication",
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [_AUTHENTICATION[SCOPE_FROM]],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
}
SIMPLE_JWT = {"ALGORITHM": "HS256", "SIGNING_KEY": SECRET_KEY, "USER_ID_CLAIM": "sub"}
