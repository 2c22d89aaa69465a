"""The tables of Hội Số as unmanaged Django models: only what the three endpoints touch."""

from datetime import date
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Q
from uuid_utils.compat import uuid7


class BytesUuidField(models.UUIDField):
    """A UUID in 16 bytes (Django's own field takes 32 characters on SQLite)."""

    def get_internal_type(self) -> str:
        return "BinaryField"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        value = self.to_python(value)
        return None if value is None else value.bytes

    def from_db_value(self, value: bytes | None, *_: Any) -> UUID | None:
        return None if value is None else UUID(bytes=value)


on_sqlite = settings.DATABASE_URL.startswith("sqlite")
UuidField = BytesUuidField if on_sqlite else models.UUIDField


class Unit(models.Model):
    level = models.CharField(max_length=32)

    class Meta:
        managed = False
        db_table = "unit"


class Account(models.Model):
    """The user model of simplejwt."""

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: tuple[str, ...] = ()
    is_anonymous = False
    is_authenticated = True

    id = UuidField(primary_key=True)
    username = models.CharField(max_length=64, unique=True)
    display_name = models.CharField(max_length=120)
    status = models.CharField(max_length=32)

    class Meta:
        managed = False
        db_table = "account"

    @property
    def is_active(self) -> bool:
        return bool(self.status == "active")


class GrantQuerySet(models.QuerySet):
    def valid_on(self, day: date) -> Any:
        still_open = Q(valid_to__isnull=True) | Q(valid_to__gte=day)
        return self.filter(still_open, valid_from__lte=day)


class Grant(models.Model):
    id = UuidField(primary_key=True)
    account = models.ForeignKey(Account, models.DO_NOTHING)
    unit = models.ForeignKey(Unit, models.DO_NOTHING)
    role = models.CharField(max_length=32)
    valid_from = models.DateField()
    valid_to = models.DateField(null=True)

    objects = GrantQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "access_grant"


class Member(models.Model):
    id = UuidField(primary_key=True)
    province_id = models.IntegerField()
    commune_id = models.IntegerField(null=True)
    branch_id = models.IntegerField()
    full_name = models.CharField(max_length=120)
    given_name = models.CharField(max_length=120, null=True)
    sort_key = models.TextField()
    birth_date = models.CharField(max_length=10)
    gender = models.CharField(max_length=32)
    kind = models.CharField(max_length=32)
    status = models.CharField(max_length=32)
    joined_on = models.DateField(null=True)
    core = models.BooleanField()
    phone = models.TextField(null=True)
    citizen_id = models.TextField(null=True)
    id_card = models.TextField(null=True)
    address = models.CharField(max_length=300, null=True)
    hometown = models.CharField(max_length=300, null=True)
    ethnicity = models.CharField(max_length=2, null=True)
    religion = models.CharField(max_length=32, null=True)
    party = models.CharField(max_length=32, null=True)
    party_joined_on = models.DateField(null=True)
    education = models.CharField(max_length=32, null=True)
    qualification = models.CharField(max_length=32, null=True)
    occupation = models.CharField(max_length=120, null=True)
    household_id = UuidField(null=True)
    photo = models.CharField(max_length=500, null=True)
    restricted = models.BooleanField()
    revision = models.IntegerField()
    updated_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "member"


class Change(models.Model):
    id = UuidField(primary_key=True, default=uuid7)
    at = models.DateTimeField()
    account_id = UuidField(null=True)
    session_id = UuidField(null=True)
    request_id = models.CharField(max_length=64, null=True)
    source = models.CharField(max_length=32)
    entity = models.CharField(max_length=32)
    entity_id = models.CharField(max_length=36)
    operation = models.CharField(max_length=32)
    revision = models.IntegerField()
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        managed = False
        db_table = "change"


class Placed(models.Model):
    change_id = UuidField()
    operation = models.CharField(max_length=32)
    entity = models.CharField(max_length=32)
    entity_id = models.CharField(max_length=36)
    unit_id = models.IntegerField(null=True)
    province_id = models.IntegerField(null=True)
    commune_id = models.IntegerField(null=True)
    branch_id = models.IntegerField(null=True)

    class Meta:
        abstract = True


class Outbox(Placed):
    id = models.BigAutoField(primary_key=True)

    class Meta:
        managed = False
        db_table = "outbox"


class Feed(Placed):
    seq = models.BigIntegerField(primary_key=True)

    class Meta:
        managed = False
        db_table = "feed"


class FeedHead(models.Model):
    id = models.IntegerField(primary_key=True)
    seq = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "feed_head"
