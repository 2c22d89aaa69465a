from typing import Any

from rest_framework import serializers

from benchmarks.peer_drf.models import Member


class MemberSerializer(serializers.ModelSerializer):
    phone = serializers.RegexField(r"^\+84[0-9]{9}$", allow_null=True, required=False)
    citizen_id = serializers.RegexField(r"^[0-9]{12}$", allow_null=True, required=False)
    id_card = serializers.RegexField(r"^[0-9]{9}$", allow_null=True, required=False)
    masked = serializers.SerializerMethodField()

    class Meta:
        model = Member
        fields = (
            "id",
            "full_name",
            "given_name",
            "birth_date",
            "gender",
            "kind",
            "status",
            "branch_id",
            "commune_id",
            "province_id",
            "joined_on",
            "core",
            "phone",
            "citizen_id",
            "id_card",
            "address",
            "hometown",
            "ethnicity",
            "religion",
            "party",
            "party_joined_on",
            "education",
            "qualification",
            "occupation",
            "household_id",
            "photo",
            "restricted",
            "revision",
            "masked",
        )
        read_only_fields = (
            *("id", "status", "branch_id", "commune_id", "province_id"),
            *("restricted", "revision"),
        )

    def get_masked(self, _: Member) -> list[str]:
        return list(self.context["scope"].masked)

    def to_representation(self, instance: Member) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        for name in self.context["scope"].masked:
            shown[name] = None
        if self.context["view"].action != "partial_update":
            shown["not_dated"] = []
        return shown
