"""The published contracts: the whole, and the subsets for the mobile app and for integrators."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.http.problems import MEDIA_TYPE, ProblemBody, codes_of
from app.api.http.routing import Route, routes_of

TAGS = {
    "auth": "Signing in and out, my devices, myself.",
    "own record": "The member herself: her record, posts, groups, corrections, who read about her.",
    "access": "Roles, rights, and why I may or may not.",
    "units": "The dated tree of units, and its branches (chi hội).",
    "members": "Members (hội viên).",
    "groups": "Groups beside branches (tổ phụ nữ, clubs, ...) and who takes part in them.",
    "cadres": "Cadres (cán bộ): their posts, training, careers.",
    "memberships": "Memberships in branches: departures, deaths, readmissions, corrections, movement.",
    "transfers": "Transfers of members between branches (chuyển sinh hoạt).",
    "duplicates": "Suspected duplicates (trùng), merges (gộp) and their undo.",
    "privacy": "What people say about their data: consents, requests with deadlines, limits, erasure.",
    "attendance": "Attendance: captures, codes, who came, and what follows from it in figures.",
    "events": "Events (sự kiện), sessions (buổi), rooms (điểm cầu), answers to invitations, minutes.",
    "calendars": "Calendars for phones (.ics), what may be shared, my inbox.",
    "accounts": "Accounts and their grants.",
    "imports": "Lists that come in as files (nhập danh sách): preview, correction, undo.",
    "households": "Households (hộ gia đình), their people, and what happened to them.",
    "poverty figures": "Flow tables of poverty, review campaigns, simulations of other standards.",
    "support": "What households are given, visits, loans, and the way out of poverty.",
    "poverty": "Poverty standards, assessments under them, decisions of the commune.",
    "jobs": "Long work I asked for: how far it is, what came of it.",
    "exports": "Which lists left the server as files.",
    "changes": "The change log: audit, field history, and the order all readers follow.",
    "health": "Liveness, readiness and the published signing keys.",
}
# What each kind of client needs.
SUBSETS = {
    "mobile": (
        "auth",
        "own record",
        "access",
        "units",
        "members",
        "memberships",
        "transfers",
        "duplicates",
        "groups",
        "cadres",
        "imports",
        "privacy",
        "attendance",
        "events",
        "calendars",
        "households",
        "poverty figures",
        "support",
        "poverty",
        "jobs",
    ),
    "integration": (
        "auth",
        "units",
        "members",
        "memberships",
        "transfers",
        "duplicates",
        "groups",
        "cadres",
        "imports",
        "attendance",
        "events",
        "households",
        "poverty figures",
        "support",
        "poverty",
        "jobs",
        "changes",
        "health",
    ),
}
# What each parameter means, wherever it stands.
_PARAMETERS = {
    "account_id": "Id of the account.",
    "assigned_to": "Only what this account sees to.",
    "anonymisation_id": "Id of the run.",
    "erasure_id": "Id of the receipt of an erasure.",
    "consent_id": "Id of the consent.",
    "in_force": "Only what is in force today, or only what is over.",
    "limit_id": "Id of the processing limit.",
    "open": "Only requests that are open, or only those that are closed.",
    "overdue": "Only what is open beyond a deadline, or only what is not.",
    "purpose": "The purpose asked about, a code of GET /v1/privacy/purposes.",
    "request_id": "Id of the request about personal data.",
    "restricted": "Only restricted records, or only the others.",
    "actor": "Only changes made by this account.",
    "age_from": "Only who turns this age this year, or is older.",
    "age_to": "Only who turns this age this year, or is younger.",
    "all": "Those of every day, not of one.",
    "assessment_id": "Id of the assessment.",
    "appointment_id": "Id of the appointment.",
    "as_of": "The day asked about; today by default.",
    "branch": "Only members of this branch.",
    "by": "What to count apart.",
    "area_type": "Only rural, or only urban.",
    "class": "Only this class, as recognised today; its right is needed.",
    "closed": "Those that are no more, instead of those of today.",
    "code": "Only what has this code: a unit its government code, a household that of the register.",
    "commune": "Only what stands in this commune.",
    "core": "Only core members (hội viên nòng cốt), or only the others.",
    "correction_id": "Id of the correction asked for.",
    "capture_id": "Id of the capture.",
    "cursor": "Where the next page begins: `next_cursor` of the page before.",
    "education": "Only this level of general schooling.",
    "delegation_id": "Id of the delegation.",
    "entity": "Only changes of this kind of entity.",
    "ethnic_minority": "Only of an ethnic minority, or only the others; its right is needed.",
    "ethnicity": "Only this ethnic group, by code or name; its right is needed.",
    "direction": "Only into (`in`) or out of (`out`) the unit, or my own units.",
    "expiring_within": "Only what is in force and ends within so many days: `90d`.",
    "female_headed": "Only headed by a woman, or only the others.",
    "fields": "Only these fields of each item, separated by commas.",
    "from": "The first day of the period.",
    "gender": "Only this gender.",
    "group_id": "Id of the group: of its unit.",
    "format": "The whole list as a file, for links and browsers; by default as `Accept` says.",
    "grant_id": "Id of the grant.",
    "group": "Only who takes part in this group today.",
    "household_id": "Id of the household.",
    "basis": "Units as they were on each day, or their branches where they stand today.",
    "campaign": "A year (`2026`) or a month (`2026-09`).",
    "check_id": "Id of the check.",
    "deprived": "Only found to be deprived in this indicator when last assessed.",
    "due_to": "What is due by this day; today by default.",
    "loan_figure_id": "Id of the figure.",
    "path_id": "Id of the escape path.",
    "missing": "Only who still needs this.",
    "scheme": "Only of this bank or fund.",
    "standard_id": "Id of the poverty standard.",
    "step_id": "Id of the step.",
    "support_id": "Id of the support.",
    "without_support": "Only who was given nothing against this in so many days: `water:365d`.",
    "year": "The year.",
    "merit": "Only of people with merit (người có công), or only the others; its right is needed.",
    "no_labour_capacity": "Only without anybody able to work, or only the others; needs its right.",
    "household": "Only members of this household.",
    "id": "Id of the entity.",
    "file_name": "What the file is called, where the request says nothing else.",
    "import_id": "Id of the import.",
    "number": "The row's number in the file.",
    "outcome": "Only rows of this outcome.",
    "sheet": "The sheet to read; without it, the likeliest.",
    "in_force_on": "The day asked about; today by default.",
    "include_closed": "Also the units that had closed by the day asked.",
    "job_id": "Id of the job.",
    "joined_from": "Only who joined the union on this day or later.",
    "joined_to": "Only who joined the union on this day or earlier.",
    "kind": "Only this kind.",
    "level": "Only these levels; may be repeated.",
    "limit": "Items a page.",
    "member": "Id of the member asked about.",
    "member_id": "Id of the member.",
    "min_score": "Only pairs at least as likely, 0 to 100.",
    "meetings": "How many meetings in succession.",
    "membership_id": "Id of the membership.",
    "merge_id": "Id of the merge.",
    "on": "The day asked about.",
    "parent": "Only units directly under this one.",
    "party": "Only this standing towards the Communist Party; its right is needed.",
    "pair_id": "Id of the pair.",
    "participation_id": "Id of the participation.",
    "person_id": "Id of the person.",
    "payment": "Only posts paid in this way.",
    "post": "Only this post.",
    "printed": "A code that does not change, for a sheet of paper.",
    "q": "Words in the name, in any order, with or without tone marks; of members also initials,"
    " and the last 4 or more digits of a phone or identity number (its right is needed).",
    "qualification": "Only this professional degree.",
    "religion": "Only this religion; its right is needed.",
    "right": "The right asked about.",
    "room": "Only in this room (điểm cầu).",
    "session_id": "Id of the session.",
    "since": "Only changes after this `seq`.",
    "state": "Only this state.",
    "status_id": "Id of the decision.",
    "status": "Only this status; without it, those in use today.",
    "to": "The last day of the period; today by default.",
    "training_id": "Id of the training.",
    "transfer_id": "Id of the transfer.",
    "under": "Only units below this one, at any depth.",
    "unit": "Only what stands in this unit or below it.",
    "answer": "Only this answer.",
    "event": "Only sessions of this event.",
    "event_id": "Id of the event.",
    "link_id": "Id of the calendar link.",
    "mine": "Only of the units I have a role or am a member in.",
    "mode": "Only held, or attended, in this way.",
    "notification_id": "Id of the notification.",
    "reminder_id": "Id of the reminder.",
    "room_id": "Id of the room.",
    "tag": "Only of this programme or campaign.",
    "token": "The secret of the link.",
    "unread": "Only those not read yet.",
    "unit_id": "Id of the unit.",
    "vacant": "The expected posts that nobody holds today, instead of those held.",
}
_METHODS = ("get", "post", "put", "patch", "delete")
_DESCRIPTION = """
The open backend of a women's union: members, branches, access, history.

Sign in at `POST /v1/auth/token` (a form) and send `Authorization: Bearer <access_token>`.
Errors are `application/problem+json`; branch on `code`. Send `content-type: application/json`
with every JSON body. `Idempotency-Key` makes a POST, PATCH or DELETE safe to send again.
"""


def openapi(app: FastAPI) -> dict[str, Any]:
    """The contract of the running app (OpenAPI 3.1)."""
    if app.openapi_schema is None:
        routes = [route for route in routes_of(app) if route.include_in_schema]
        schema = get_openapi(
            title="Hội Số",
            version=app.version,
            description=_DESCRIPTION.strip(),
            routes=[route.fastapi for route in routes],
            tags=[{"name": name, "description": text} for name, text in TAGS.items()],
            license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
            servers=[{"url": "/"}],
        )
        _secure(schema)
        _add_headers(schema, routes)
        _describe_problems(schema)
        _describe_parameters(schema)
        app.openapi_schema = schema
    return app.openapi_schema


def _operations(schema: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    for item in schema["paths"].values():
        for method in _METHODS:
            if method in item:
                yield method, item[method]


def _describe_parameters(schema: dict[str, Any]) -> None:
    for _, operation in _operations(schema):
        for parameter in operation.get("parameters", []):
            if "name" in parameter and "description" not in parameter:
                parameter["description"] = _PARAMETERS[parameter["name"]]


def _secure(schema: dict[str, Any]) -> None:
    schema["components"]["securitySchemes"] = {
        "bearer": {
            "type": "oauth2",
            "description": "Access token of POST /v1/auth/token, valid for 15 minutes.",
            "flows": {
                "password": {
                    "tokenUrl": "/v1/auth/token",
                    "refreshUrl": "/v1/auth/token",
                    "scopes": {},
                },
                "clientCredentials": {"tokenUrl": "/v1/auth/token", "scopes": {}},
            },
        }
    }
    for _, operation in _operations(schema):
        operation.setdefault("security", [{"bearer": []}])


def _add_headers(schema: dict[str, Any], routes: Iterable[Route]) -> None:
    """The headers every route of a kind honours, documented once."""
    components = schema["components"].setdefault("parameters", {})
    components["IdempotencyKey"] = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "1 to 128 printable ASCII characters; the same key and request get the"
        " stored answer for a day.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[ -~]+$"},
    }
    components["IfMatch"] = {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "The ETag the change is based on; 412 when the record has changed since.",
        "schema": {"type": "string"},
    }
    components["AcceptLanguage"] = {
        "name": "Accept-Language",
        "in": "header",
        "required": False,
        "description": "Language of error texts: vi (default) or en.",
        "schema": {"type": "string"},
    }
    for route in routes:
        operation = schema["paths"][route.path_format][route.method.lower()]
        parameters = operation.setdefault("parameters", [])
        if route.replayed and route.method != "GET":
            parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
        if route.if_match:
            parameters.append({"$ref": "#/components/parameters/IfMatch"})
        parameters.append({"$ref": "#/components/parameters/AcceptLanguage"})


def _describe_problems(schema: dict[str, Any]) -> None:
    """FastAPI documents its own 422 bodies; ours are problems, described by their codes."""
    schemas = schema["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs") | {"ProblemBody": problem}
    for _, operation in _operations(schema):
        for status, answer in operation["responses"].items():
            if MEDIA_TYPE in answer.get("content", {}):
                answer["description"] = " | ".join(codes_of(int(status)))


def subset(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """The contract cut down to one kind of client: its tags and what they refer to."""
    tags = SUBSETS[name]
    paths: dict[str, Any] = {}
    for path, item in schema["paths"].items():
        kept = {
            method: operation
            for method, operation in item.items()
            if method in _METHODS and set(operation["tags"]) & set(tags)
        }
        if kept:
            paths[path] = kept
    cut = schema | {
        "info": schema["info"] | {"title": f"Hội Số: {name}"},
        "tags": [tag for tag in schema["tags"] if tag["name"] in tags],
        "paths": paths,
    }
    components = schema["components"]
    used = _references(paths, components)
    cut["components"] = {
        kind: {
            n: value for n, value in group.items() if kind == "securitySchemes" or (kind, n) in used
        }
        for kind, group in components.items()
    }
    return cut


def _references(root: Any, components: dict[str, Any]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str):
                kind, name = reference.removeprefix("#/components/").split("/")
                if (kind, name) not in found:
                    found.add((kind, name))
                    waiting.append(components[kind][name])
            waiting.extend(value for key, value in node.items() if key != "$ref")
    return found
