from typing import Any

from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from rest_framework import exceptions, mixins, pagination, response, viewsets
from rest_framework.generics import get_object_or_404
from uuid_utils.compat import uuid7

from benchmarks.peer_drf.models import Change, Feed, FeedHead, Member, Outbox
from benchmarks.peer_drf.scope import scope_of
from benchmarks.peer_drf.serializers import MemberSerializer

CURRENT = ("active", "transferring")


class MemberPagination(pagination.CursorPagination):
    ordering = ("sort_key", "id")
    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"

    def get_paginated_response(self, data: Any) -> response.Response:
        return response.Response({"items": data, "next_cursor": self.get_next_link()})


class MemberViewSet(
    mixins.RetrieveModelMixin,
    mixins.ListModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet,
):
    serializer_class = MemberSerializer
    pagination_class = MemberPagination
    http_method_names = ("get", "patch")

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.scope = scope_of(request)

    def get_serializer_context(self) -> dict[str, Any]:
        context: dict[str, Any] = super().get_serializer_context()
        return context | {"scope": self.scope}

    def get_queryset(self) -> "QuerySet[Member]":
        members = Member.objects.filter(self.scope.members)
        return members.filter(status__in=CURRENT) if self.action == "list" else members

    @transaction.atomic
    def partial_update(self, request: Any, *_: Any, **__: Any) -> response.Response:
        if not self.scope.may_write:
            raise exceptions.PermissionDenied
        member = get_object_or_404(self.get_queryset().select_for_update(), pk=self.kwargs["pk"])
        serializer = self.get_serializer(member, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        before = {name: getattr(member, name) for name in serializer.validated_data}
        now = timezone.now()
        serializer.save(revision=member.revision + 1, updated_at=now)
        change = Change.objects.create(
            at=now,
            account_id=request.user.pk,
            session_id=request.auth["sid"],
            request_id=str(uuid7()),
            source="api",
            entity="member",
            entity_id=str(member.pk),
            operation="updated",
            revision=member.revision,
            before=before,
            after=dict(serializer.validated_data),
        )
        place(change, member)
        return response.Response(serializer.data)


def place(change: Change, member: Member) -> None:
    """Into the feed on SQLite, whose one writer numbers as it writes; else into the queue."""
    where = {
        "change_id": change.pk,
        "operation": change.operation,
        "entity": change.entity,
        "entity_id": change.entity_id,
        "unit_id": member.branch_id,
        "province_id": member.province_id,
        "commune_id": member.commune_id,
        "branch_id": member.branch_id,
    }
    if connection.vendor != "sqlite":
        Outbox.objects.create(**where)
        return
    FeedHead.objects.update(seq=F("seq") + 1)
    Feed.objects.create(seq=FeedHead.objects.values_list("seq", flat=True).get(), **where)
