"""Who somebody is: accounts, how they sign in, and which rights they were granted."""

from app.clock import utc_now
from app.models.identity.clients import ClientSecret, ClientUsage
from app.models.identity.devices import Device
from app.models.identity.external_logins import ExternalLogin, UsedNonce
from app.models.kernel.access import Grant, Right
from app.models.kernel.accounts import Account, AccountStatus
from app.models.kernel.sessions import AuthSession, RefreshToken, RevokedReason
from app.services.identity import external_sign_in, sessions, sync_health, usage
from app.services.kernel.holdings import ERASED_NAME, Holding, emptied
from app.services.kernel.manifest import Capability, Upkeep, forgetting
from app.services.kernel.offers import Without
from app.services.kernel.pointers import Pointer, follow
from app.services.kernel.retention import BY_KIND, Kept
from app.services.kernel.tracking import DERIVED, Tracked, of_account, of_unit
from app.services.kernel.unit_ends import AtEnd, Stays

CAPABILITY = Capability(
    module=__name__,
    owned=(
        Account,
        Grant,
        AuthSession,
        RefreshToken,
        Device,
        ClientSecret,
        ClientUsage,
        ExternalLogin,
        UsedNonce,
    ),
    unit_ends={
        Account: Stays("officers of the units above manage it"),
        Grant: AtEnd.ends,
    },
    tracked={
        Account: Tracked(
            entity="account",
            units=of_unit(),
            read_right=Right.accounts_read,
            left_out=DERIVED | {"id"},
            secret=frozenset({"password_hash", "code_digest"}),
            moved_by="unit_id",
        ),
        ClientSecret: Tracked(
            entity="client_secret",
            units=of_account,
            read_right=Right.accounts_read,
            left_out=DERIVED | {"id", "last_used_at", "last_used_from"},
            secret=frozenset({"digest"}),
        ),
        Grant: Tracked(
            entity="grant",
            units=of_unit(),
            read_right=Right.accounts_read,
            left_out=DERIVED | {"id"},
        ),
        ExternalLogin: Tracked(
            entity="external_login",
            units=of_account,
            read_right=Right.accounts_read,
            left_out=DERIVED | {"id"},
            secret=frozenset({"subject"}),
        ),
        Device: Tracked(
            entity="device",
            units=of_account,
            read_right=Right.accounts_read,
            left_out=DERIVED
            | {"id", "app_version", "last_seen_at", "reported_at"}
            | {"unsent", "unsent_since", "last_success_at", "last_error_at", "last_error"},
        ),
    },
    problems=("identity.yaml",),
    holdings=(
        Holding(
            Account,
            "Tài khoản; bị khoá, giữ để biết ai đã làm gì trong nhật ký",
            "Her account; locked, and kept so that the log knows its acts from others'",
            wiped={
                "username": lambda row: f"erased-{row['id'].hex}",
                "display_name": ERASED_NAME,
                "status": AccountStatus.disabled,
                **emptied("password_hash", "code_digest", "code_expires_at"),
                **emptied("armed_by", "member_id", "purpose", "contact"),
            },
            # Of programs.
            tells_nobody=frozenset({"networks"}),
            internal=frozenset({"password_hash", "code_digest"}),
            by="id",
            of_account=True,
        ),
        Holding(
            AuthSession,
            "Phiên đăng nhập",
            "Her sign-in sessions",
            by="account_id",
            of_account=True,
            # They stay for as long as ended ones do: by them her phones get the order to wipe.
            wiped={
                **emptied("device", "user_agent", "network", "kept_answer", "kept_access_id"),
                "revoked_at": lambda row: row["revoked_at"] or utc_now(),
                "revoked_reason": lambda row: row["revoked_reason"] or RevokedReason.device_revoked,
            },
            internal=frozenset({"network", "kept_answer", "kept_access_id"}),
            passing=True,
        ),
        Holding(
            ExternalLogin,
            "Đăng nhập qua nhà cung cấp khác; bị gỡ hết",
            "Logins of providers that open her account; all of them go",
            by="account_id",
            of_account=True,
            tells_nobody=frozenset({"issuer", "subject"}),
            internal=frozenset({"subject"}),
            deleted=True,
        ),
        Holding(
            Device,
            "Thiết bị chị đã ghi danh; được yêu cầu xoá dữ liệu khi liên lạc lại",
            "Devices she has enrolled; told to wipe when they are heard from",
            by="account_id",
            of_account=True,
            wiped={
                "name": ERASED_NAME,
                "revoked_at": lambda row: row["revoked_at"] or utc_now(),
                "wipe_requested_at": lambda row: row["wipe_requested_at"] or utc_now(),
            },
            tells_nobody=frozenset({"app_version", "last_error"}),
        ),
        Holding(
            Grant,
            "Quyền từng được giao",
            "Rights she was granted",
            by="account_id",
            of_account=True,
            tells_nobody=frozenset({"rights"}),
        ),
    ),
    nobody={
        RefreshToken: frozenset({"digest"}),
        # Of programs, whose addresses are those of servers.
        ClientSecret: frozenset({"digest", "last_used_from"}),
        ClientUsage: frozenset({"operation"}),
        UsedNonce: frozenset({"digest"}),
    },
    retention=(
        Kept(
            model=ClientSecret,
            vi="Khoá bí mật của phần mềm",
            en="Secrets of programs",
            days=None,
            reason_vi="Để biết khoá nào đã được cấp, thu hồi và dùng lần cuối khi nào.",
            reason_en="To know which secrets were issued, revoked and last used when.",
        ),
        Kept(
            model=ExternalLogin,
            vi="Đăng nhập qua nhà cung cấp khác",
            en="Logins of providers",
            days=None,
            reason_vi="Cho đến khi được gỡ khỏi tài khoản.",
            reason_en="Until they are unlinked from the account.",
        ),
        Kept(
            model=ClientUsage,
            vi="Số lần phần mềm truy cập, theo ngày",
            en="How much programs asked, by day",
            days=usage.KEPT_DAYS,
            reason_vi="Để so với cùng kỳ năm trước.",
            reason_en="To compare with the same days a year before.",
            setting=BY_KIND,
        ),
        Kept(
            model=AuthSession,
            vi="Phiên đăng nhập",
            en="Sign-ins",
            days=30,
            reason_vi="Kể từ khi hết hạn hoặc đăng xuất.",
            reason_en="After they expired or were signed out.",
        ),
        Kept(
            model=Device,
            vi="Thiết bị",
            en="Devices",
            days=None,
            reason_vi="Để biết máy nào từng giữ dữ liệu của đơn vị; khi xoá người dùng thì chỉ bỏ tên máy.",
            reason_en="To know which phones have kept data of a unit; their names go with their user.",
        ),
    ),
    labels={
        "username": ("Tên đăng nhập", "User name"),
        "display_name": ("Tên hiển thị", "Display name"),
        "role": ("Vai trò", "Role"),
        "platform": ("Nền tảng", "Platform"),
        "app_version": ("Phiên bản ứng dụng", "Version of the app"),
        "last_seen_at": ("Liên lạc lần cuối", "Last heard from at"),
        "device_id": ("Thiết bị ghi danh", "Enrolled device"),
        "unsent": ("Số bản ghi chưa gửi", "Unsent records"),
        "unsent_since": ("Chưa gửi từ lúc", "Unsent since"),
        "last_success_at": ("Gửi được lần cuối", "Last success at"),
        "last_error_at": ("Lỗi lần cuối lúc", "Last error at"),
        "last_error": ("Lỗi lần cuối", "Last error"),
        "reported_at": ("Báo cáo lúc", "Reported at"),
        "wipe_requested_at": ("Yêu cầu xoá dữ liệu lúc", "Told to wipe at"),
        "wiped_at": ("Đã xoá dữ liệu lúc", "Wiped at"),
        "user_agent": ("Trình duyệt", "Browser"),
        "code_expires_at": ("Mã hết hạn lúc", "Code expires at"),
        "armed_by": ("Người cấp mã", "Code issued by"),
        "must_change_password": ("Phải đổi mật khẩu", "Has to change the password"),
        "last_used_at": ("Dùng lần cuối", "Last used at"),
        "expires_at": ("Hết hạn lúc", "Expires at"),
        "revoked_reason": ("Lý do kết thúc phiên", "Reason of the end"),
        "granted_by": ("Người trao quyền", "Granted by"),
        "appointment_id": ("Chức vụ kèm theo", "Appointment"),
        "parent_id": ("Quyền gốc", "Drawn from"),
        "rights": ("Các quyền", "Rights"),
        "contact": ("Người liên hệ", "Contact"),
        "networks": ("Các mạng được phép", "Networks it may come from"),
        "key_id": ("Khoá đã dùng", "Opened with"),
        "issuer": ("Nhà cung cấp đăng nhập", "Provider"),
        "linked_by": ("Người gắn", "Linked by"),
        "reads_past": ("Còn xem được thời trước", "Still reads its past"),
    },
    upkeep=(
        forgetting(sessions.forget_old),
        forgetting(external_sign_in.forget_used),
        Upkeep(run=usage.forget_due, forgets=True),
    ),
    tags={
        "auth": "Signing in and out, my sign-in sessions, myself.",
        "devices": "Phones that keep records (thiết bị): enrolled, revoked, wiped.",
    },
    audience={
        "auth": frozenset({"mobile", "integration"}),
        "devices": frozenset({"mobile"}),
    },
    pointers=(Pointer(Account, follow),),
    work=(sync_health.WORK,),
    figures=Without("sessions are no figures of the union"),
    sync=Without("sessions and grants stay on the server"),
    events=Without("who signs in is nobody's news"),
    operations=Without("sessions and grants are changed while online"),
)
