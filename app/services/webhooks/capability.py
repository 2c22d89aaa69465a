"""Webhooks: the events of the feed, sent to the systems that keep copies."""

from app.models.kernel.access import Right
from app.models.webhooks.attempts import WebhookAttempt
from app.models.webhooks.endpoints import WebhookEndpoint, WebhookPosition, WebhookSecret
from app.services.kernel.holdings import Scanned
from app.services.kernel.manifest import Capability, forgetting
from app.services.kernel.offers import Without
from app.services.kernel.retention import BY_KIND, Kept
from app.services.kernel.tracking import DERIVED, Tracked, of_account
from app.services.kernel.unit_ends import Stays
from app.services.webhooks import keys, pausing, restored
from app.services.webhooks.forgetting import forget_about

CAPABILITY = Capability(
    module=__name__,
    owned=(WebhookEndpoint, WebhookPosition, WebhookSecret, WebhookAttempt),
    unit_ends={WebhookEndpoint: Stays("what happened in the unit before it closed is sent, too")},
    tracked={
        WebhookEndpoint: Tracked(
            entity="webhook",
            units=of_account,
            read_right=Right.accounts_read,
            left_out=DERIVED | {"id", "confirmed"},
        ),
    },
    scanned=(
        Scanned(
            WebhookAttempt,
            "Trả lời của hệ thống nhận, có thể nhắc đến người này: bị xoá hết",
            "Answers of receivers that may mention her: all of them go",
            frozenset({"answer"}),
            tells_nobody=frozenset({"purpose", "webhook_id", "type", "error"}),
            passing=True,
        ),
    ),
    nobody={
        WebhookEndpoint: frozenset({"url", "kinds", "description", "state", "reason", "confirmed"}),
        WebhookPosition: frozenset({"last_error"}),
        WebhookSecret: frozenset({"signing", "secret", "public_key"}),
    },
    forget_all=(forget_about,),
    retention=(
        Kept(
            model=WebhookAttempt,
            vi="Nhật ký gửi dữ liệu cho chương trình khác",
            en="Tries to send events to other systems",
            days=30,
            reason_vi="Để tìm ra vì sao một hệ thống không nhận được dữ liệu.",
            reason_en="To find out why a system did not get an event.",
            setting=BY_KIND,
            column="at",
        ),
    ),
    upkeep=(forgetting(keys.forget_expired),),
    due=(restored.DUE,),
    notices=(pausing.PAUSED,),
    problems=("webhooks.yaml",),
    tags={"webhooks": "Webhooks: the events of the feed, sent to systems that keep copies."},
    audience={"webhooks": frozenset({"integration"})},
    work=Without("a notice says what was paused"),
    figures=Without("it counts nothing of the union"),
    sync=Without("webhooks stay on the server"),
    events=Without("addresses of other systems are nobody's news"),
    operations=Without("webhooks are changed while online"),
)
