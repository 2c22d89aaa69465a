"""Other parts under the application of a test: another database, other settings of sign-in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from fastapi import FastAPI

from app.api.http.server import serve_with, serving
from app.config import Settings
from app.services.identity.signin import Signin
from app.services.kernel.limits import RateLimits


def give(app: FastAPI, **parts: Any) -> None:
    """From now on the application serves with these parts instead of its own."""
    serve_with(app, replace(serving(app), **parts))


@contextmanager
def given(app: FastAPI, **parts: Any) -> Iterator[None]:
    """Serves with these parts within a block."""
    usual = serving(app)
    give(app, **parts)
    yield
    serve_with(app, usual)


def sign_in_with(app: FastAPI, settings: Settings) -> Signin:
    """Puts another sign-in, with limits of its own, under the application."""
    limits = RateLimits(settings.rate_limit_storage)
    signin = Signin(settings, limits)
    give(app, signin=signin, limits=limits)
    return signin
