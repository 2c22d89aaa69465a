"""What happens to a union while phones pull: random acts over HTTP, by those who may do them."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random

import sqlalchemy as sa
from httpx2 import Response
from sqlmodel import col

from app.clock import local_today, utc_now
from app.db import Database
from app.models.base import new_id
from app.models.kernel.access import Grant
from app.models.kernel.accounts import Account
from app.models.members.members import Member
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api, writing
from tests.helpers.meetings import meeting, sitting
from tests.helpers.phone import listed

BORN = {"birth_date": "1980", "joined_on": "2015"}
ROLES = ("branch_head", "commune_officer", "auditor")


def granted(database: Database, username: str, unit: int, role: str) -> Callable[[int], None]:
    """A further grant; what is returned ends it so many days from today."""
    with writing(database) as session:
        account_id = session.execute(
            sa.select(col(Account.id)).where(col(Account.username) == username)
        ).scalar_one()
        grant_id = new_id()
        session.execute(
            sa.insert(Grant).values(
                id=grant_id,
                account_id=account_id,
                unit_id=unit,
                role=role,
                valid_from=local_today(),
                granted_by=account_id,
                revision=1,
                created_at=utc_now(),
                updated_at=utc_now(),
                reads_past=False,
            )
        )

    def end(days: int) -> None:
        with writing(database) as session:
            until = local_today() + timedelta(days=days)
            session.execute(
                sa.update(Grant).where(col(Grant.id) == grant_id).values(valid_to=until)
            )

    return end


def move_unit(api: Api, unit: int, parent: int) -> Response:
    body = {"parent_id": parent, "effective_on": local_today().isoformat()}
    return api.as_("phutho").post(f"/v1/units/{unit}/moves", json=body)


class Acts:
    """Each act may be refused, as in life. `done` counts those that were not."""

    def __init__(self, api: Api, database: Database, unit_id: UnitIds, seed: int) -> None:
        self.random = Random(seed)
        self.database = database
        self.api = api
        self.province = api.as_("phutho")
        self.units = unit_id
        self.branches = [unit_id[f"{commune}-{n}"] for commune in COMMUNES for n in range(1, 5)]
        self.ends: list[Callable[[int], None]] = []
        self.pairs: list[tuple[str, str]] = []
        self.merges: list[str] = []
        self.limits: list[str] = []
        self.drafts: list[str] = []
        self.done: dict[str, int] = {}
        self.names = iter(range(10_000))

    def one(self) -> None:
        act = self.random.choice(self.all)
        answer = act()
        if answer is None or answer.is_success:
            self.done[act.__name__] = self.done.get(act.__name__, 0) + 1
        else:
            assert answer.status_code < 500, answer.text

    @property
    def all(self) -> list[Callable[[], Response | None]]:
        return [
            *(self.admit, self.correct, self.correct, self.transfer, self.leave, self.double),
            *(self.merge, self.undo, self.restrict, self.lift, self.grant, self.end),
            *(self.visit, self.support, self.decide, self.assess, self.lend),
            *(self.house, self.join_house, self.leave_house, self.move_house, self.close_house),
            *(self.meet, self.meet_all, self.invite, self.invite, self.plan, self.announce),
            *(self.cancel, self.answer, self.attend, self.attend, self.annul),
            *(self.team, self.take_part, self.appoint, self.rename, self.move_branch),
            *(self.reorganise, self.revert, self.erase),
        ]

    def _member(self) -> str:
        """Somebody, in any branch and of any status."""
        with writing(self.database) as session:
            ids = session.execute(sa.select(col(Member.id)).order_by(col(Member.id))).scalars()
            return str(self.random.choice(ids.all()))

    def _some(self, path: str, **query: str) -> str:
        rows = sorted(listed(self.province, path, **query))
        return self.random.choice(rows) if rows else str(new_id())

    def _branch(self) -> int:
        return self.random.choice(self.branches)

    # -- people

    def admit(self) -> Response:
        body = BORN | {
            "full_name": f"Hà Thị {words(next(self.names))}",
            "branch_id": self._branch(),
        }
        return self.province.post("/v1/members", json=body)

    def correct(self) -> Response:
        body = {"address": f"Khu {self.random.randint(1, 99)}"}
        if self.random.random() < 0.3:
            body = {"full_name": f"Lò Thị {words(next(self.names))}"}
        return self.province.patch(f"/v1/members/{self._member()}", json=body)

    def transfer(self) -> Response:
        body = {"to_branch_id": self._branch(), "reason": "Chuyển nhà"}
        asked = self.province.post(f"/v1/members/{self._member()}/transfers", json=body)
        if not asked.is_success:
            return asked
        return self.province.post(f"/v1/transfers/{asked.json()['id']}/accept", json={})

    def leave(self) -> Response:
        body = {"reason": "moved_away"}
        return self.province.post(f"/v1/members/{self._member()}/departures", json=body)

    def double(self) -> Response:
        body = BORN | {
            "full_name": f"Mùa Thị {words(next(self.names))}",
            "branch_id": self._branch(),
        }
        kept, lost = (self.province.post("/v1/members", json=body) for _ in range(2))
        if lost.is_success:
            self.pairs.append((kept.json()["id"], lost.json()["id"]))
        return lost

    def merge(self) -> Response | None:
        if not self.pairs:
            return None
        kept, lost = self.pairs.pop()
        body = {"other_id": lost, "reason": "Nhập hai lần"}
        merged = self.province.post(f"/v1/members/{kept}/merges", json=body)
        if merged.is_success:
            self.merges.append(merged.json()["id"])
        return merged

    def undo(self) -> Response | None:
        return self.province.post(f"/v1/merges/{self.merges.pop()}/undo") if self.merges else None

    def restrict(self) -> Response:
        path = f"/v1/members/{self._member()}/processing-limits"
        limit = self.province.post(path, json={"kind": "restriction", "note": "Chị yêu cầu"})
        if limit.is_success:
            self.limits.append(limit.json()["id"])
        return limit

    def lift(self) -> Response | None:
        if not self.limits:
            return None
        path = f"/v1/processing-limits/{self.limits.pop()}/lift"
        return self.province.post(path, json={"note": "xong"})

    def erase(self) -> Response:
        path = f"/v1/members/{self._member()}"
        self.province.post(f"{path}/departures", json={"reason": "moved_away"})
        asked = {"kind": "erase", "channel": "in_person", "note": "Chị yêu cầu"}
        request = self.province.post(f"{path}/privacy-requests", json=asked)
        if not request.is_success:
            return request
        officer = self.api.as_("camkhe")
        officer.post(f"/v1/privacy/requests/{request.json()['id']}/acknowledge")
        tried = self.province.post(f"{path}/erasure", json={"dry_run": True})
        if not tried.is_success:
            return tried
        body = {"dry_run": False, "request_id": request.json()["id"]}
        return self.province.post(f"{path}/erasure", json=body | {"digest": tried.json()["digest"]})

    # -- rights

    def grant(self) -> None:
        who = self.random.choice(PHONES)
        unit = self.random.choice([*self.branches, *(self.units[name] for name in COMMUNES)])
        role = self.random.choice(ROLES)
        self.ends.append(granted(self.database, who, unit, role))

    def end(self) -> None:
        if self.ends:
            self.ends.pop(self.random.randrange(len(self.ends)))(-1)

    # -- households

    def house(self) -> Response:
        people: list[Json] = [{"member_id": self._member(), "relation": "head"}]
        people.append({"full_name": "Hà Văn Út", "gender": "male", "relation": "child"})
        body = {"branch_id": self._branch(), "opened_on": "2020-01-01", "people": people}
        return self.province.post("/v1/households", json=body)

    def join_house(self) -> Response:
        path = f"/v1/households/{self._some('/v1/households')}/people"
        return self.province.post(path, json={"member_id": self._member(), "relation": "other"})

    def leave_house(self) -> Response:
        path = f"/v1/households/{self._some('/v1/households')}"
        home = self.province.get(path)
        if not home.is_success:
            return home
        person = self.random.choice(home.json()["people"])
        return self.province.post(f"{path}/people/{person['person_id']}/leave", json={})

    def move_house(self) -> Response:
        path = f"/v1/households/{self._some('/v1/households')}/move"
        return self.province.post(path, json={"branch_id": self._branch(), "address": "Khu 3"})

    def close_house(self) -> Response:
        path = f"/v1/households/{self._some('/v1/households')}/close"
        return self.province.post(path, json={})

    # -- what households are visited and given

    def _home(self) -> str:
        return f"/v1/households/{self._some('/v1/households')}"

    def visit(self) -> Response:
        body = {"visited_on": local_today().isoformat(), "visitors": ["Lan"], "note": "Cần sửa mái"}
        return self.province.post(f"{self._home()}/visits", json=body)

    def support(self) -> Response:
        body = {"kind": "gift", "given_on": local_today().isoformat(), "value_vnd": 500_000}
        return self.province.post(f"{self._home()}/support", json=body)

    def decide(self) -> Response:
        proposed = self._some("/v1/support", state="proposed")
        return self.api.as_("camkhe").post(f"/v1/support/{proposed}/approve")

    def assess(self) -> Response | None:
        homes = sorted(listed(self.province, "/v1/households"))
        if not homes:
            return None
        path = f"/v1/households/{self.random.choice(homes)}/assessments"
        body: Json = {"assessed_on": local_today().isoformat(), "source": "union_visit"}
        body |= {"answers": {}, "income_per_person": 900_000}
        last = [key for key, row in listed(self.province, path).items() if not row["corrected_by"]]
        if last and self.random.random() < 0.5:
            body["corrects_id"] = last[0]
        return self.province.post(path, json=body)

    def lend(self) -> Response:
        body = {"unit_id": self._branch(), "scheme": "vbsp", "as_of": local_today().isoformat()}
        body |= {"source": "NHCSXH", "groups": 1, "borrowers": 30, "outstanding_vnd": 900_000_000}
        return self.province.post("/v1/loan-figures", json=body)

    # -- meetings and groups

    def meet(self) -> Response:
        branch = self._branch()
        days = self.random.choice([3, 7])
        body = meeting(host_unit_ids=[branch], invited_unit_ids=[branch], sessions=[sitting(days)])
        return self.province.post("/v1/events", json=body)

    def _any_unit(self) -> int:
        return self.random.choice([self._branch(), *(self.units[name] for name in ABOVE)])

    def meet_all(self) -> Response:
        """A meeting that any unit hosts for another."""
        units = {"host_unit_ids": [self._any_unit()], "invited_unit_ids": [self._any_unit()]}
        made = self.province.post("/v1/events", json=meeting(**units))
        if not made.is_success:
            return made
        return self.province.post(f"/v1/events/{made.json()['id']}/announce")

    def invite(self) -> Response:
        """Others than before."""
        body = {"invited_unit_ids": [self._any_unit()]}
        return self.province.patch(f"/v1/events/{self._some('/v1/events')}", json=body)

    def plan(self) -> Response:
        path = f"/v1/events/{self._some('/v1/events')}/sessions"
        return self.province.post(path, json=sitting(self.random.randint(8, 20)))

    def announce(self) -> Response:
        return self.province.post(f"/v1/events/{self._some('/v1/events', state='draft')}/announce")

    def cancel(self) -> Response:
        path = f"/v1/events/{self._some('/v1/events')}/cancel"
        return self.province.post(path, json={"reason": "Mưa bão"})

    def answer(self) -> Response:
        session = self._some("/v1/sessions", state="planned")
        body = {"member_id": self._member(), "answer": "yes"}
        return self.province.post(f"/v1/sessions/{session}/rsvps", json=body)

    def attend(self) -> Response:
        came = {"kind": "roster", "member_id": self._member(), "occurred_at": utc_now().isoformat()}
        body = {"items": [came | {"id": str(new_id())}]}
        return self.province.post(f"/v1/sessions/{self._some('/v1/sessions')}/captures", json=body)

    def annul(self) -> Response:
        attended = [*listed(self.province, "/v1/attendance", **{"from": "2020-01-01"}).values()]
        capture_id = str(new_id())
        if attended:
            session_id = self.random.choice(attended)["session_id"]
            capture_id = self._some(f"/v1/sessions/{session_id}/captures")
        return self.province.post(f"/v1/captures/{capture_id}/annul", json={"reason": "Ghi nhầm"})

    def team(self) -> Response:
        body = {"level": "group", "group_kind": "team", "parent_id": self._branch()}
        body |= {"name": f"Tổ {next(self.names)}", "opened_on": "2020-01-01"}
        return self.province.post("/v1/units", json=body)

    def take_part(self) -> Response:
        group = self._some("/v1/groups")
        body = {"member_id": self._member()}
        return self.province.post(f"/v1/groups/{group}/participations", json=body)

    def appoint(self) -> Response:
        body = {"member_id": self._member(), "unit_id": self._branch(), "post": "branch_deputy"}
        body |= {"basis": "appointed", "valid_from": local_today().isoformat()}
        return self.province.post("/v1/appointments", json=body)

    # -- units

    def rename(self) -> Response:
        body = {"address": f"Nhà văn hoá {next(self.names)}"}
        return self.province.patch(f"/v1/units/{self._branch()}", json=body)

    def move_branch(self) -> Response:
        parent = self.units[self.random.choice(COMMUNES)]
        return move_unit(self.api, self._branch(), parent)

    def reorganise(self) -> Response:
        gone, heir = self.random.sample(self.branches, 2)
        merge = {"op": "merge", "unit_ids": [gone, heir], "into_id": heir}
        body = {"effective_on": local_today().isoformat(), "operations": [merge]}
        draft = self.api.as_("camkhe").post("/v1/reorganisations", json=body)
        if not draft.is_success:
            return draft
        path = f"/v1/reorganisations/{draft.json()['id']}"
        preview = self.province.get(f"{path}/preview")
        if not preview.is_success:
            return preview
        answer = self.province.post(f"{path}/apply", json={"digest": preview.json()["digest"]})
        if answer.is_success:
            self.drafts.append(path)
        return answer

    def revert(self) -> Response | None:
        return self.province.post(f"{self.drafts.pop()}/revert", json={}) if self.drafts else None


COMMUNES = ("phuongvi", "tienluong")
ABOVE = (*COMMUNES, "phutho")
PHONES = ("phuongvi-1", "phuongvi-2", "tienluong-1", "phuongvi", "auditor")


def words(number: int) -> str:
    """A name for each number: no digits are in names."""
    return "".join(_letters(number)).capitalize()


def _letters(number: int) -> Iterator[str]:
    while True:
        number, last = divmod(number, 20)
        yield "abcdeghiklmnopqrstuv"[last]
        if not number:
            return
