"""A server whose people join, leave and are erased, and which is backed up and restored."""

from pathlib import Path
from typing import Any, NamedTuple

from app.db import Database
from app.services.backups import backing_up, restoring
from app.services.privacy.erasing_again import Again
from app.services.privacy.journal import Journal
from tests.backups.backups import quietly, settings_of
from tests.helpers.answers import Json
from tests.helpers.client import Api
from tests.helpers.databases import Clones

NAME = "Nguyễn Thị Sao Lưu"


class World(NamedTuple):
    api: Api
    database: Database
    journal: Journal
    folder: Path
    clones: Clones

    def joins(self, name: str = NAME) -> str:
        head = self.api.as_("phuongvi-1")
        body = {"full_name": name, "birth_date": "1971", "joined_on": "2020-03-08"}
        made = head.post("/v1/members", json=body)
        return str(ok(made, 201)["id"])

    def leaves(self, member_id: str) -> None:
        head = self.api.as_("phuongvi-1")
        ok(head.post(f"/v1/members/{member_id}/departures", json={"reason": "moved_away"}), 201)

    def erased(self, member_id: str) -> Json:
        """By two people, on her request."""
        officer, province = self.api.as_("phuongvi"), self.api.as_("phutho")
        path = f"/v1/members/{member_id}"
        asked = {"kind": "erase", "channel": "in_person"}
        request = ok(officer.post(f"{path}/privacy-requests", json=asked), 201)["id"]
        ok(officer.post(f"/v1/privacy/requests/{request}/acknowledge"))
        digest = ok(province.post(f"{path}/erasure", json={"dry_run": True}))["digest"]
        body = {"dry_run": False, "request_id": request, "digest": digest}
        return dict(province.post(f"{path}/erasure", json=body).json())

    def backed_up(self) -> Path:
        file = self.folder / "hoiso.backup"
        settings = settings_of(self.database.settings.database_url, **self.kept())
        backing_up.back_up(settings, file, quietly)
        return file

    def kept(self) -> dict[str, Any]:
        return {"erasure_journal": self.journal.path}

    def restored(self, url: str, file: Path, **more: Any) -> Again:
        settings = settings_of(url, **self.kept())
        return restoring.restore(settings, file, quietly, **more)[1].again


def ok(answer: Any, status: int = 200) -> Json:
    assert answer.status_code == status, answer.text
    return dict(answer.json())
