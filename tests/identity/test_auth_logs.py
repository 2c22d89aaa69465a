"""Auth."""

import json
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from app.api.http.server import serving
from app.db import Database
from app.main import create_app
from tests.conftest import make_settings
from tests.helpers.client import PASSWORD, Api, writing
from tests.helpers.serving import give
from tests.identity.auth import SessionsOnly, me, refreshed, refusal, sessions_of, signed_in


@pytest.fixture
def logging(database: Database) -> Iterator[Api]:
    made = create_app(make_settings(database.settings.database_url, log_requests=True))
    yield Api(made)
    serving(made).database.close()


class TestLogs(SessionsOnly):
    def test_a_line_a_request_with_no_name_and_no_secret(
        self, logging: Api, capsys: pytest.CaptureFixture[str]
    ) -> None:
        body = signed_in(logging, "phuongvi", device="máy của Lan").json()
        signed_in(logging, "phuongvi", "wrong-password")
        me(logging, body["access_token"])
        refreshed(logging, body["refresh_token"])
        output = capsys.readouterr().out
        lines = [json.loads(line) for line in output.splitlines()]
        assert [(line["route"], line["status"]) for line in lines] == [
            ("/v1/auth/token", 200),
            ("/v1/auth/token", 401),
            ("/v1/me", 200),
            ("/v1/auth/token", 200),
        ]
        secrets = (PASSWORD, "wrong-password", body["access_token"], body["refresh_token"])
        for secret in (*secrets, "phuongvi", "máy của Lan"):
            assert secret not in output

    def test_an_accident_while_signing_in_tells_no_password(
        self, logging: Api, capsys: pytest.CaptureFixture[str]
    ) -> None:
        give(logging.app, signin=None)
        response = signed_in(logging, "phuongvi")
        told = refusal(response, 500, "internal")
        assert told.keys() == {
            "type",
            "title",
            "status",
            "detail",
            "code",
            "instance",
            "request_id",
        }
        output = capsys.readouterr().out
        accident = json.loads(output.splitlines()[0])
        assert accident["request_id"] == told["request_id"]
        assert accident["exception"][0]["type"] == "AttributeError"
        assert accident["exception"][0]["places"][-1].endswith(" sign_in")
        assert PASSWORD not in output
        assert "phuongvi" not in output


class TestLogsOfTheDatabase:
    def test_an_accident_in_the_database_tells_no_row(
        self, logging: Api, capsys: pytest.CaptureFixture[str], database: Database
    ) -> None:
        with writing(database) as session:
            session.execute(sa.text("CREATE UNIQUE INDEX one_only ON auth_session (account_id)"))
        signed_in(logging, "phuongvi")
        response = signed_in(logging, "phuongvi", device="máy của Lan")
        refusal(response, 500, "internal")
        output = capsys.readouterr().out
        assert "IntegrityError" in output
        [opened] = sessions_of(database, "phuongvi")
        for secret in ("máy của Lan", str(opened.account_id), opened.account_id.hex, "one_only"):
            assert secret not in output
