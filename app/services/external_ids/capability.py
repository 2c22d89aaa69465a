"""What other systems call our records."""

from typing import Any

from app.models.base import sealed_fields
from app.models.external_ids.external_ids import (
    HouseholdExternalId,
    MemberExternalId,
    UnitExternalId,
)
from app.models.kernel.access import Right
from app.services.external_ids import records
from app.services.households.standing import of_household
from app.services.kernel.holdings import Holding, emptied
from app.services.kernel.manifest import Capability
from app.services.kernel.offers import News, Without
from app.services.kernel.pointers import Pointer, follow
from app.services.kernel.tracking import DERIVED, Tracked, UnitsOf, of_unit
from app.services.kernel.unit_ends import Stays
from app.services.members.standing import of_member


def _tracked(model: Any, units: UnitsOf, right: Right) -> Tracked:
    return Tracked(
        entity=str(model.__tablename__),
        units=units,
        read_right=right,
        left_out=DERIVED | {"id", "key", "province_id", "import_id"},
        sealed=sealed_fields(model),
    )


_BECAUSE = "what another system calls a record is read with the record, by GET /v1/external-ids"
CAPABILITY = Capability(
    module=__name__,
    owned=(MemberExternalId, HouseholdExternalId, UnitExternalId),
    unit_ends={UnitExternalId: Stays("says what another system calls the unit that has closed")},
    tracked={
        MemberExternalId: _tracked(MemberExternalId, of_member(), Right.members_read),
        HouseholdExternalId: _tracked(HouseholdExternalId, of_household, Right.members_read),
        UnitExternalId: _tracked(UnitExternalId, of_unit(), Right.units_read),
    },
    holdings=(
        Holding(
            MemberExternalId,
            "Mã của chị ở hệ thống khác; giữ dấu để hệ thống đó không gửi chị trở lại",
            "What other systems call her; a digest stays, so that none of them brings her back",
            wiped=emptied("value"),
            tells_nobody=frozenset({"system"}),
            internal=frozenset({"key"}),
        ),
        Holding(
            HouseholdExternalId,
            "Mã của hộ chị làm chủ ở hệ thống khác",
            "What other systems call the household she heads",
            by="household_id",
            of_household=True,
            wiped=emptied("value"),
            tells_nobody=frozenset({"system"}),
            internal=frozenset({"key"}),
        ),
    ),
    nobody={UnitExternalId: frozenset({"system", "value"})},
    labels={
        "import_id": ("Danh sách đã đưa vào", "Import that brought it"),
        "system": ("Hệ thống", "System"),
        "value": ("Mã ở hệ thống đó", "Identifier there"),
    },
    pointers=(Pointer(MemberExternalId, follow),),
    resealed=dict.fromkeys(
        (MemberExternalId, HouseholdExternalId, UnitExternalId), records.resealed
    ),
    problems=("external_ids.yaml",),
    tags={"external ids": "What other systems call members, households and units."},
    audience={"external ids": frozenset({"integration"})},
    work=Without("identifiers wait for nobody"),
    figures=Without("identifiers count nobody"),
    sync=Without("programs ask by identifiers of other systems, phones by ours"),
    events=News(
        kinds=(),
        untold={
            "member_external_id": _BECAUSE,
            "household_external_id": _BECAUSE,
            "unit_external_id": _BECAUSE,
        },
    ),
    operations=Without("identifiers are entered while online"),
)
