"""Every error the API can answer (RFC 9457), with its texts in Vietnamese and English.

A rule that refuses raises `Problem("code", ...)`. Clients branch on `code`, people read `detail`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Language = Literal["vi", "en"]
Place = Literal["body", "query", "path", "header"]


@dataclass(frozen=True, slots=True)
class Kind:
    """Status, title and detail of one problem; the texts are `str.format` templates."""

    status: int
    title: Mapping[Language, str]
    detail: Mapping[Language, str]


def _kind(status: int, title_vi: str, title_en: str, detail_vi: str, detail_en: str) -> Kind:
    return Kind(status, {"vi": title_vi, "en": title_en}, {"vi": detail_vi, "en": detail_en})


PROBLEMS: dict[str, Kind] = {
    "malformed_request": _kind(
        400,
        "Yêu cầu sai định dạng",
        "Malformed request",
        "Máy chủ không đọc được nội dung gửi lên: {reason}.",
        "The server could not read the request: {reason}.",
    ),
    "not_authenticated": _kind(
        401,
        "Chưa đăng nhập",
        "Not signed in",
        "Hãy đăng nhập tại POST /v1/auth/token và gửi mã truy cập trong tiêu đề Authorization.",
        "Sign in at POST /v1/auth/token and send the access token in the Authorization header.",
    ),
    "invalid_token": _kind(
        401,
        "Mã truy cập không hợp lệ",
        "Invalid access token",
        "Mã truy cập hết hạn, đã bị thu hồi hoặc không do máy chủ này cấp ({reason}).",
        "The access token is expired, revoked or not issued by this server ({reason}).",
    ),
    "bad_credentials": _kind(
        401,
        "Sai thông tin đăng nhập",
        "Wrong credentials",
        "Tên đăng nhập, mật khẩu hoặc mã không đúng, hoặc tài khoản đã bị khoá.",
        "The user name, password or code is wrong, or the account is disabled.",
    ),
    "forbidden": _kind(
        403,
        "Không có quyền",
        "Not allowed",
        "Bạn cần quyền {right} tại đơn vị này.",
        "You need the right {right} over this unit.",
    ),
    "grant_exceeds_own": _kind(
        403,
        "Không thể giao quyền mình không có",
        "You cannot grant what you do not have",
        "Vai trò {role} gồm quyền {right} mà bạn không có tại đơn vị này.",
        "The role {role} includes the right {right}, which you do not hold over this unit.",
    ),
    "password_change_required": _kind(
        403,
        "Phải đặt mật khẩu mới",
        "A new password is required",
        "Bạn đã đăng nhập bằng mã dùng một lần: hãy đặt mật khẩu tại POST /v1/me/password.",
        "You signed in with a one-time code: set a password at POST /v1/me/password.",
    ),
    "not_found": _kind(
        404,
        "Không tìm thấy",
        "Not found",
        "Không có dữ liệu này, hoặc nó nằm ngoài phạm vi của bạn.",
        "There is no such thing, or it is outside your scope.",
    ),
    "no_own_record": _kind(
        404,
        "Tài khoản chưa gắn với hồ sơ hội viên",
        "The account is not linked to a member",
        "Tài khoản này chưa gắn với hồ sơ hội viên nào; hãy nhờ cán bộ Hội gắn hồ sơ.",
        "This account is not linked to a member's record; ask an officer to link it.",
    ),
    "method_not_allowed": _kind(
        405,
        "Phương thức không được hỗ trợ",
        "Method not allowed",
        "Địa chỉ này không nhận phương thức {method}.",
        "This address does not take {method}.",
    ),
    "id_taken": _kind(
        409,
        "Mã định danh đã được dùng",
        "Id already taken",
        "Mã này đã thuộc về một bản ghi khác nội dung.",
        "This id already belongs to a record with other content.",
    ),
    "username_taken": _kind(
        409,
        "Tên đăng nhập đã có",
        "User name taken",
        "Đã có tài khoản tên {username}.",
        "An account named {username} exists already.",
    ),
    "code_taken": _kind(
        409,
        "Mã đơn vị đã được dùng",
        "Unit code taken",
        "Mã {value} đang thuộc về đơn vị khác trong thời gian này.",
        "The code {value} belongs to another unit during that time.",
    ),
    "unit_closed": _kind(
        409,
        "Đơn vị đã kết thúc hoạt động",
        "The unit is closed",
        "Đơn vị {unit} kết thúc ngày {closed_on}; không ghi thêm được sau ngày đó.",
        "The unit {unit} closed on {closed_on} and takes nothing new after that day.",
    ),
    "unit_not_open_yet": _kind(
        409,
        "Đơn vị chưa thành lập",
        "The unit is not open yet",
        "Đơn vị {unit} thành lập ngày {opened_on}, sau ngày được ghi.",
        "The unit {unit} opened on {opened_on}, after the date given.",
    ),
    "unit_in_use": _kind(
        409,
        "Đơn vị còn đang được dùng",
        "The unit is still in use",
        "Đơn vị {unit} còn {children} đơn vị con đang mở và {members} hội viên.",
        "The unit {unit} still has {children} open child units and {members} members.",
    ),
    "unit_level_order": _kind(
        409,
        "Sai cấp đơn vị",
        "Wrong unit level",
        "Đơn vị cấp {level} không thể trực thuộc đơn vị cấp {parent_level}.",
        "A unit of level {level} cannot stand under one of level {parent_level}.",
    ),
    "unit_date_conflict": _kind(
        409,
        "Ngày mâu thuẫn với lịch sử đơn vị",
        "The date conflicts with the unit's history",
        "Ngày {date} mâu thuẫn với mốc {existing} đã ghi của đơn vị này.",
        "The date {date} conflicts with {existing}, already recorded for this unit.",
    ),
    "team_of_another_branch": _kind(
        409,
        "Tổ chỉ nhận hội viên của chi hội mình",
        "A team takes members of its own branch only",
        "Tổ {unit} chỉ gồm hội viên của chi hội mà tổ trực thuộc.",
        "The team {unit} consists of members of the branch it stands in.",
    ),
    "participation_exists": _kind(
        409,
        "Đã tham gia nhóm này",
        "She takes part already",
        "Hội viên đã tham gia {unit} trong thời gian đó (từ {since}).",
        "She takes part in {unit} during that time already (since {since}).",
    ),
    "participation_ended": _kind(
        409,
        "Đã thôi tham gia",
        "The participation has ended",
        "Lần tham gia này đã kết thúc, ngày cuối là {valid_to}.",
        "This participation has ended already; its last day was {valid_to}.",
    ),
    "person_in_household": _kind(
        409,
        "Đã ở một hộ khác",
        "Already in a household",
        "{person} đang thuộc một hộ trong thời gian đó (từ {since}).",
        "{person} is in a household during that time already (since {since}).",
    ),
    "household_closed": _kind(
        409,
        "Hộ không còn",
        "The household is no more",
        "Hộ này kết thúc ngày {closed_on}; không ghi thêm được.",
        "The household ended on {closed_on}: nothing can be added.",
    ),
    "head_must_stay": _kind(
        409,
        "Hộ phải có chủ hộ",
        "A household needs its head",
        "Người này là chủ hộ; hãy đổi chủ hộ trước, hoặc kết thúc hộ.",
        "This person heads the household: change the head first, or close the household.",
    ),
    "status_overlap": _kind(
        409,
        "Chồng lên quyết định khác",
        "Another decision holds at that time",
        "Hộ đã có quyết định {number} có hiệu lực từ {since} trong thời gian đó.",
        "Decision {number}, in force since {since}, holds for this household at that time.",
    ),
    "assessment_corrected": _kind(
        409,
        "Lần rà soát đã được đính chính",
        "The assessment has been corrected",
        "Lần rà soát này đã có bản đính chính; hãy đính chính bản mới nhất.",
        "Another assessment corrects this one already: correct the newest.",
    ),
    "no_standard": _kind(
        409,
        "Chưa có chuẩn nghèo",
        "No poverty standard",
        "Không có chuẩn nghèo nào áp dụng ngày {date}.",
        "No poverty standard applies on {date}.",
    ),
    "support_state": _kind(
        409,
        "Hỗ trợ đã được xử lý",
        "The support has been decided on",
        "Khoản hỗ trợ này {status}.",
        "This support is {status}.",
    ),
    "path_open": _kind(
        409,
        "Hộ đang có lộ trình thoát nghèo",
        "The household is on an escape path",
        "Hộ này đang có một lộ trình chưa kết thúc.",
        "The household has a path that is not closed yet.",
    ),
    "path_state": _kind(
        409,
        "Lộ trình đã kết thúc",
        "The path is closed",
        "Lộ trình này {status}.",
        "This path is {status}.",
    ),
    "still_poor": _kind(
        409,
        "Hộ chưa được công nhận thoát nghèo",
        "Not recognised as escaped",
        "Ngày {date} hộ vẫn còn trong danh sách hộ nghèo, cận nghèo.",
        "On {date} the household is still recognised as poor or near-poor.",
    ),
    "loan_figure_exists": _kind(
        409,
        "Đã có số liệu ngày này",
        "There is a figure of that day",
        "Đơn vị đã có số liệu {scheme} của ngày {date}; hãy sửa số liệu đó.",
        "The unit has a figure of {scheme} as of {date}: correct that one.",
    ),
    "correction_state": _kind(
        409,
        "Đề nghị đã được xử lý",
        "The request has been dealt with",
        "Đề nghị đính chính này đang ở trạng thái {status}.",
        "This request for a correction is {status}.",
    ),
    "correction_outdated": _kind(
        409,
        "Nội dung đề nghị không còn hợp lệ",
        "What was asked for is no longer valid",
        "Giá trị được đề nghị không còn được chấp nhận; hãy từ chối và mời hội viên gửi lại.",
        "The values asked for are no longer accepted: refuse the request and invite a new one.",
    ),
    "correction_superseded": _kind(
        409,
        "Hồ sơ đã thay đổi sau khi gửi đề nghị",
        "The record has changed since she asked",
        "Các trường sau đã được sửa sau khi hội viên gửi đề nghị: {fields}."
        " Hãy từ chối và mời hội viên gửi lại nếu vẫn cần.",
        "Changed since she asked: {fields}. Refuse the request and invite a new one if needed.",
    ),
    "corrections_pending": _kind(
        409,
        "Quá nhiều đề nghị đang chờ",
        "Too many requests are pending",
        "Đã có {limit} đề nghị đính chính đang chờ xử lý; hãy huỷ bớt hoặc chờ kết quả.",
        "{limit} requests for corrections are pending: cancel some of them, or wait.",
    ),
    "account_state": _kind(
        409,
        "Trạng thái tài khoản không cho phép",
        "The account's state does not allow this",
        "Tài khoản này đang ở trạng thái {status}.",
        "This account is {status}.",
    ),
    "own_account": _kind(
        409,
        "Không tự làm với tài khoản của mình",
        "Not your own account",
        "Hãy nhờ cán bộ khác khoá tài khoản của bạn, hoặc gắn với hồ sơ hội viên.",
        "Ask another officer to disable your account, or to link it to a member.",
    ),
    "grant_exists": _kind(
        409,
        "Đã có quyền này",
        "Already granted",
        "Tài khoản đã có vai trò {role} tại {unit} trong thời gian đó.",
        "The account holds the role {role} over {unit} during that time already.",
    ),
    "reset_first": _kind(
        409,
        "Hãy cấp lại mã đăng nhập trước",
        "Reset the account first",
        "Người đã mời hoặc cấp lại tài khoản này không có đủ quyền của vai trò {role} tại {unit}."
        " Hãy gọi POST /v1/accounts/{{id}}/reset rồi giao quyền lại.",
        "Whoever invited or last reset this account holds less than the role {role} over {unit}."
        " Call POST /v1/accounts/{{id}}/reset, then grant again.",
    ),
    "wrong_account_kind": _kind(
        409,
        "Loại tài khoản không phù hợp",
        "Wrong kind of account",
        "Việc này chỉ dành cho tài khoản loại {kind}.",
        "This is only for accounts of kind {kind}.",
    ),
    "member_state": _kind(
        409,
        "Tình trạng hội viên không cho phép",
        "The member's state does not allow this",
        "Hội viên này {status}.",
        "This member is {status}.",
    ),
    "duplicate_suspected": _kind(
        409,
        "Có thể đã có hồ sơ",
        "Perhaps on record already",
        "{count} hồ sơ có thể là cùng một người (candidates); chưa ghi gì."
        " Gửi lại với Prefer: duplicates=flag nếu là người khác.",
        "{count} record(s) may be the same person (candidates); nothing was stored."
        " Send it again with Prefer: duplicates=flag if she is somebody else.",
    ),
    "duplicate_state": _kind(
        409,
        "Cặp này đã được xử lý",
        "The pair has been dealt with",
        "Cặp hồ sơ này đang ở trạng thái {status}.",
        "This pair is {status}.",
    ),
    "member_merged": _kind(
        409,
        "Hồ sơ đã được gộp",
        "The record was merged",
        "Hồ sơ này đã gộp vào hồ sơ khác (merged_into); hãy làm việc trên hồ sơ đó.",
        "This record was merged into another (merged_into): work on that one.",
    ),
    "merge_blocked": _kind(
        409,
        "Chưa gộp được",
        "They cannot be merged yet",
        "Có {count} điều phải giải quyết trước khi gộp; xem obstacles.",
        "{count} thing(s) stand in the way of the merge; see obstacles.",
    ),
    "undo_blocked": _kind(
        409,
        "Không tách lại được",
        "It cannot be undone",
        "Hồ sơ đã thay đổi sau khi gộp: {count} điều cản trở việc tách; xem obstacles.",
        "The record has changed since the merge: {count} thing(s) stand in the way; see obstacles.",
    ),
    "undo_too_late": _kind(
        409,
        "Đã hết hạn tách lại",
        "Too late to undo",
        "Việc gộp này không còn tách lại được nữa.",
        "This merge can no longer be undone.",
    ),
    "capture_state": _kind(
        409,
        "Ghi nhận không ở trạng thái chờ xác định",
        "The capture is not waiting for a name",
        "Lần ghi nhận này {status}; chỉ xác định được người của lần ghi nhận đang chờ.",
        "This capture is {status}: only one that is pending_identity can be given a name.",
    ),
    "transfer_under_way": _kind(
        409,
        "Đang chuyển sinh hoạt",
        "A transfer is under way",
        "Hội viên này đã có một đề nghị chuyển sinh hoạt chưa kết thúc (transfer_id).",
        "A transfer of this member is under way already (transfer_id).",
    ),
    "transfer_state": _kind(
        409,
        "Trạng thái chuyển sinh hoạt không cho phép",
        "The transfer's state does not allow this",
        "Đề nghị chuyển sinh hoạt này {status}.",
        "This transfer is {status}.",
    ),
    "membership_annulled": _kind(
        409,
        "Giai đoạn sinh hoạt đã huỷ bỏ",
        "The membership is annulled",
        "Giai đoạn này đã được ghi là chưa từng có; không sửa được nữa.",
        "It was recorded as never having been and cannot be corrected any more.",
    ),
    "membership_not_last": _kind(
        409,
        "Không phải giai đoạn sinh hoạt cuối cùng",
        "Not her last membership",
        "Chỉ huỷ bỏ được giai đoạn cuối cùng; hãy huỷ bỏ các giai đoạn sau trước.",
        "Only the last one can be annulled; annul the later ones first.",
    ),
    "post_taken": _kind(
        409,
        "Chức vụ đang có người giữ",
        "The post is taken",
        "{holder} giữ chức {post} tại {unit} từ ngày {since}; hãy kết thúc trước.",
        "{holder} has held the post {post} of {unit} since {since}; end that first.",
    ),
    "already_in_post": _kind(
        409,
        "Đã giữ chức vụ này",
        "In this post already",
        "{holder} đã giữ chức {post} tại {unit} từ ngày {since}.",
        "{holder} holds the post {post} of {unit} already, since {since}.",
    ),
    "own_appointment": _kind(
        409,
        "Không tự bổ nhiệm mình",
        "Not your own appointment",
        "Không ai tự giao hay kéo dài chức vụ của mình; hãy nhờ cán bộ khác, hoặc cấp trên.",
        "Nobody gives herself a post or more time in it; ask another officer, or the unit above.",
    ),
    "appointment_ended": _kind(
        409,
        "Chức vụ đã kết thúc",
        "The appointment has ended",
        "Đã thôi giữ chức từ ngày {ended_on}; muốn sửa ngày hãy dùng PATCH valid_to.",
        "It ended on {ended_on}; correct the day with PATCH valid_to.",
    ),
    "member_has_account": _kind(
        409,
        "Hội viên đã có tài khoản",
        "The member has an account",
        "Mỗi hội viên chỉ có một tài khoản.",
        "A member has one account only.",
    ),
    "account_linked": _kind(
        409,
        "Tài khoản đã gắn với hội viên khác",
        "The account is another member's",
        "Tài khoản của một người không chuyển cho người khác; nếu gắn nhầm, hãy gỡ trước (member_id"
        " = null).",
        "One person's account is not handed to another; if it was linked wrongly, unlink it first"
        " (member_id = null).",
    ),
    "grant_follows_post": _kind(
        409,
        "Quyền này đi theo chức vụ",
        "The grant follows a post",
        "Quyền này theo chức vụ {appointment}; hãy kết thúc chức vụ tại"
        " POST /v1/appointments/{appointment}/end.",
        "This grant follows the appointment {appointment}; end that at"
        " POST /v1/appointments/{appointment}/end.",
    ),
    "member_erased": _kind(
        404,
        "Danh tính đã được xoá",
        "The identity was erased",
        "Danh tính của người này đã được xoá theo quy định ngày {date}; hồ sơ chỉ còn để đếm.",
        "Who this was has been erased on {date} as the law asks; the record is only counted.",
    ),
    "member_restricted": _kind(
        409,
        "Hồ sơ đang hạn chế xử lý",
        "The record is restricted",
        "Theo yêu cầu của hội viên, hồ sơ này chỉ được lưu giữ; cần quyền privacy:manage để sửa.",
        "On the member's demand this record is only kept; the right privacy:manage may change it.",
    ),
    "consent_state": _kind(
        409,
        "Trạng thái sự đồng ý không cho phép",
        "The consent's state does not allow this",
        "Chỉ rút được sự đồng ý đang có hiệu lực; câu trả lời này {status}.",
        "Only a consent that holds can be withdrawn; this answer is {status}.",
    ),
    "privacy_request_state": _kind(
        409,
        "Yêu cầu đã chuyển trạng thái",
        "The request has moved on",
        "Yêu cầu về dữ liệu này {status}.",
        "This request about personal data is {status}.",
    ),
    "privacy_request_open": _kind(
        409,
        "Đã có yêu cầu cùng loại đang xử lý",
        "A request of this kind is open",
        "Hội viên đã có một yêu cầu cùng loại chưa trả lời xong (request_id).",
        "The member has a request of this kind that is still open (request_id).",
    ),
    "limit_exists": _kind(
        409,
        "Đã có giới hạn này",
        "Limited already",
        "Giới hạn này đang có hiệu lực (limit_id).",
        "This limit is in force already (limit_id).",
    ),
    "limit_lifted": _kind(
        409,
        "Giới hạn đã được bỏ",
        "The limit was lifted",
        "Giới hạn này đã hết hiệu lực, ngày cuối là {valid_to}.",
        "This limit is over; its last day was {valid_to}.",
    ),
    "erasure_refused": _kind(
        409,
        "Chưa xoá được",
        "Cannot be erased yet",
        "Còn {count} điều phải giải quyết trước khi xoá danh tính; xem obstacles.",
        "{count} thing(s) stand in the way of the erasure; see obstacles.",
    ),
    "erasure_changed": _kind(
        409,
        "Dữ liệu đã đổi sau khi xem trước",
        "Changed since the dry run",
        "Những gì sẽ bị xoá đã khác lần xem trước; hãy gọi lại với dry_run = true.",
        "What would be erased has changed since the dry run; ask again with dry_run = true.",
    ),
    "erasure_not_asked": _kind(
        409,
        "Chưa có yêu cầu xoá",
        "Nobody asked for it",
        "Cần một yêu cầu xoá (erase) của chính người này đang được xử lý.",
        "An open request of this very person to be erased is needed.",
    ),
    "own_acknowledgement": _kind(
        409,
        "Cần người thứ hai",
        "A second person is needed",
        "Một cán bộ xác nhận đã tiếp nhận yêu cầu (acknowledge), một cán bộ khác mới được xoá.",
        "One officer acknowledges the request, and another one does the erasure.",
    ),
    "erasure_by_itself": _kind(
        409,
        "Xoá danh tính là một việc riêng",
        "An erasure is an act of its own",
        "Gọi POST /v1/members/{{id}}/erasure với request_id; yêu cầu sẽ tự đóng.",
        "Call POST /v1/members/{{id}}/erasure with request_id; the request is closed by it.",
    ),
    "no_policy": _kind(
        409,
        "Chưa có quy định ẩn danh",
        "There is no policy",
        "Đơn vị này và cấp trên chưa có quy định thời hạn ẩn danh người đã rời Hội.",
        "Neither this unit nor one above has a policy for anonymising those who left.",
    ),
    "anonymisation_state": _kind(
        409,
        "Đợt ẩn danh đã chuyển trạng thái",
        "The run has moved on",
        "Đợt ẩn danh này {status}.",
        "This anonymisation is {status}.",
    ),
    "nobody_to_anonymise": _kind(
        409,
        "Không có ai để ẩn danh",
        "There is nobody to anonymise",
        "Không có người rời Hội trước ngày {date} mà không còn vướng gì.",
        "Nobody left before {date} whom nothing holds.",
    ),
    "anonymisation_open": _kind(
        409,
        "Đang có đợt ẩn danh khác",
        "Another run is open",
        "Đơn vị này đang có một đợt ẩn danh chưa xong (anonymisation_id).",
        "An anonymisation of this unit is not finished yet (anonymisation_id).",
    ),
    "own_proposal": _kind(
        409,
        "Cần người thứ hai",
        "A second person is needed",
        "Người đề xuất không tự duyệt; hãy nhờ cán bộ khác có quyền {right}.",
        "Who proposed it cannot approve it; another officer with the right {right} must.",
    ),
    "idempotency_in_progress": _kind(
        409,
        "Yêu cầu trước chưa xong",
        "The first request is still running",
        "Một yêu cầu cùng Idempotency-Key đang được xử lý; hãy thử lại sau.",
        "A request with this Idempotency-Key is still running; try again shortly.",
    ),
    "stale_revision": _kind(
        412,
        "Dữ liệu đã thay đổi",
        "The record has changed",
        "Bản hiện tại là {current}; hãy tải lại rồi sửa trên bản đó.",
        "The current revision is {current}; load it and apply your change to it.",
    ),
    "body_too_large": _kind(
        413,
        "Nội dung quá lớn",
        "Body too large",
        "Nội dung gửi lên vượt quá giới hạn {limit} byte.",
        "The request body exceeds the limit of {limit} bytes.",
    ),
    "batch_too_large": _kind(
        413,
        "Quá nhiều mục trong một lần gửi",
        "Too many items in one batch",
        "Lần gửi này có {count} mục; hãy chia thành nhiều lần, mỗi lần nhiều nhất {limit} mục.",
        "There are {count} items; send them in batches of at most {limit}.",
    ),
    "code_foreign": _kind(
        422,
        "Mã không thuộc hệ thống này",
        "Not a code of this system",
        "Đây không phải mã của Hội, hoặc là mã của một hệ thống khác.",
        "This is no code of the union, or one of another installation.",
    ),
    "code_forged": _kind(
        422,
        "Mã không thật",
        "The code is not genuine",
        "Chữ ký của mã không đúng; có thể mã đã bị sửa hoặc đọc sai.",
        "The code's signature is wrong: it was changed, or misread.",
    ),
    "code_expired": _kind(
        422,
        "Mã đã hết hạn",
        "The code has expired",
        "Mã này không phải mã đang hiển thị ở buổi sinh hoạt vào lúc đó.",
        "This code was not on the screen of the session at that moment.",
    ),
    "code_replayed": _kind(
        422,
        "Thiết bị đã điểm danh cho người khác",
        "This device has checked in somebody else",
        "Mỗi thiết bị chỉ tự điểm danh cho một hội viên; hãy nhờ chi hội trưởng điểm danh.",
        "A device checks in one member a session; let the branch head capture the others.",
    ),
    "code_revoked": _kind(
        422,
        "Thẻ đã bị thu hồi",
        "The card has been revoked",
        "Thẻ này không còn giá trị; hãy điểm danh theo danh sách và cấp thẻ mới.",
        "This card is no longer good: capture her from the roster and issue a new one.",
    ),
    "code_unknown": _kind(
        422,
        "Không có thẻ hay buổi này",
        "No such card or session",
        "Mã thật nhưng thẻ hay buổi sinh hoạt của mã không có ở đây.",
        "The code is genuine, but its card or session does not exist here.",
    ),
    "code_names_nobody": _kind(
        422,
        "Mã của buổi không nói ai đến",
        "A session's code names nobody",
        "Hội viên tự quét mã này tại POST /v1/me/check-ins; chi hội trưởng quét thẻ hội viên.",
        "Members read it themselves (POST /v1/me/check-ins); a head reads the member's card.",
    ),
    "unsupported_media_type": _kind(
        415,
        "Loại nội dung không được hỗ trợ",
        "Unsupported media type",
        "Hãy gửi nội dung kèm tiêu đề content-type: {expected}.",
        "Send the body with the header content-type: {expected}.",
    ),
    "validation_failed": _kind(
        422,
        "Dữ liệu không hợp lệ",
        "Invalid data",
        "Có {count} chỗ cần sửa; xem errors.",
        "{count} thing(s) to correct; see errors.",
    ),
    "idempotency_key_reused": _kind(
        422,
        "Idempotency-Key đã dùng cho yêu cầu khác",
        "Idempotency-Key reused",
        "Khoá này đã dùng cho một yêu cầu khác; mỗi yêu cầu cần một khoá riêng.",
        "This key was used for another request; every request needs a key of its own.",
    ),
    "rate_limited": _kind(
        429,
        "Quá nhiều lần thử",
        "Too many attempts",
        "Hãy thử lại sau {retry_after} giây.",
        "Try again in {retry_after} seconds.",
    ),
    "internal": _kind(
        500,
        "Lỗi máy chủ",
        "Server error",
        "Đã có lỗi ở phía máy chủ. Khi báo lỗi hãy gửi kèm request_id.",
        "Something went wrong on the server. Please quote the request_id when reporting it.",
    ),
    "account_gone": _kind(
        403,
        "Tài khoản không còn dùng được",
        "The account is no longer in use",
        "Tài khoản yêu cầu việc này đã bị khoá trước khi việc được làm.",
        "The account that asked for this was disabled before it was done.",
    ),
    "job_given_up": _kind(
        503,
        "Việc không làm xong được",
        "The work could not be finished",
        "Đã thử {count} lần mà không xong; phần đã ghi vẫn còn. Hãy báo người quản trị rồi gửi lại.",
        "It was tried {count} times and never finished; what was stored stays. Tell the operator, then ask again.",
    ),
    "import_not_ready": _kind(
        409,
        "Chưa thể nhập",
        "The import cannot be applied",
        "Tệp đang ở trạng thái {state}: chỉ ghi được tệp đã đọc xong (ready) và xem trước.",
        "The import is {state}: only one that has been read and previewed (ready) can be applied.",
    ),
    "import_not_editable": _kind(
        409,
        "Không sửa được nữa",
        "The import cannot be changed",
        "Tệp đang ở trạng thái {state}: cột và lựa chọn chỉ sửa được trước khi ghi.",
        "The import is {state}: columns and options can be changed before it is applied.",
    ),
    "import_has_errors": _kind(
        409,
        "Còn dòng lỗi",
        "There are rows in error",
        "{count} dòng lỗi hoặc chờ quyết định: ghi trọn tệp thì không ghi dòng nào. Sửa, hoặc ghi từng dòng.",
        "{count} rows are in error or wait for a decision: as a whole none is written. Correct them, or apply row by row.",
    ),
    "import_row_refused": _kind(
        409,
        "Dữ liệu đã thay đổi từ lúc xem trước",
        "What is on record has changed since the preview",
        "Dòng {row} không ghi được nữa, nên chưa ghi dòng nào. Hãy xem trước lại.",
        "Row {row} can no longer be written, so none was. Preview the file again.",
    ),
    "import_not_applied": _kind(
        409,
        "Chưa ghi nên không hoàn tác",
        "There is nothing to undo",
        "Tệp đang ở trạng thái {state}: chỉ hoàn tác được tệp đã ghi (applied).",
        "The import is {state}: only one that was applied can be undone.",
    ),
    "import_touched": _kind(
        409,
        "Không hoàn tác được",
        "It cannot be undone any more",
        "{count} dòng đã có thay đổi sau khi nhập (obstacles); không hoàn tác dòng nào.",
        "Of {count} rows the records have changed since (obstacles); nothing was undone.",
    ),
    "import_forgotten": _kind(
        409,
        "Tệp đã được xoá",
        "The file was deleted",
        "Tệp và nội dung các dòng đã xoá vì hết thời hạn lưu.",
        "The file and what its rows said were deleted when their time was over.",
    ),
    "import_too_large": _kind(
        413,
        "Tệp quá lớn",
        "The file is too large",
        "Tệp có {size} byte, nhiều nhất là {limit}. Hãy chia thành nhiều tệp, hoặc xoá hình ảnh trong tệp.",
        "The file has {size} bytes, the limit is {limit}. Split it, or take the pictures out.",
    ),
    "import_zip_bomb": _kind(
        422,
        "Tệp nén bất thường",
        "The file unpacks to too much",
        "Tệp giải nén ra hơn {limit} byte hoặc được nén bất thường ({part}). Hãy chép danh sách sang một tệp mới.",
        "The file unpacks to over {limit} bytes or is packed abnormally ({part}). Copy the list to a new file.",
    ),
    "import_unsafe": _kind(
        422,
        "Tệp không an toàn",
        "The file is not safe",
        "Tệp có khai báo mà Excel không bao giờ ghi ({part}). Hãy chép danh sách sang một tệp mới.",
        "The file declares what Excel never writes ({part}). Copy the list to a new file.",
    ),
    "import_not_a_workbook": _kind(
        422,
        "Không phải tệp danh sách",
        "Not a list in a file we can read",
        "Tệp này không phải Excel (.xlsx, .xls), CSV hay NDJSON. Mở bằng Excel rồi lưu thành .xlsx.",
        "This is no Excel (.xlsx, .xls), CSV or NDJSON file. Open it in Excel and save it as .xlsx.",
    ),
    "import_format_unsupported": _kind(
        422,
        "Định dạng chưa hỗ trợ",
        "A format that is not supported",
        "Tệp có định dạng {format}. Mở bằng Excel rồi lưu thành .xlsx.",
        "The file is in the format {format}. Open it in Excel and save it as .xlsx.",
    ),
    "import_damaged": _kind(
        422,
        "Tệp hỏng",
        "The file is damaged",
        "Không đọc được tệp ({part}). Mở bằng Excel, lưu lại rồi gửi lại.",
        "The file cannot be read ({part}). Open it in Excel, save it, and send it again.",
    ),
    "import_encrypted": _kind(
        422,
        "Tệp có mật khẩu",
        "The file has a password",
        "Tệp được bảo vệ bằng mật khẩu mở tệp. Bỏ mật khẩu (Tệp > Thông tin > Bảo vệ) rồi gửi lại.",
        "The file is encrypted with a password. Remove it (File > Info > Protect) and send the file again.",
    ),
    "import_empty": _kind(
        422,
        "Tệp trống",
        "The file is empty",
        "Không có ô nào có dữ liệu.",
        "No cell holds anything.",
    ),
    "import_no_header": _kind(
        422,
        "Không thấy dòng tiêu đề",
        "No header row was found",
        "Không tìm thấy dòng tên cột (Họ và tên, Năm sinh...) trong {rows} dòng đầu. Tải tệp mẫu, hoặc thêm dòng tiêu đề.",
        "No row of column names (Họ và tên, Năm sinh, full_name...) in the first {rows} rows. Take the template, or add a header.",
    ),
    "import_no_rows": _kind(
        422,
        "Tệp chỉ có tiêu đề",
        "There is nothing under the header",
        "Dưới dòng tiêu đề (dòng {header_row}) không có dòng dữ liệu nào.",
        "There is no row below the header (row {header_row}).",
    ),
    "import_too_many_rows": _kind(
        422,
        "Quá nhiều dòng",
        "Too many rows",
        "Trang tính kéo dài tới dòng {rows}, nhiều nhất là {limit}. Chia thành nhiều tệp, hoặc xoá các dòng thừa ở cuối.",
        "The sheet goes down to row {rows}, the limit is {limit}. Split it, or delete the stray rows at its end.",
    ),
    "import_too_many_columns": _kind(
        422,
        "Quá nhiều cột",
        "Too many columns",
        "Trang tính kéo dài tới cột thứ {columns}, nhiều nhất là {limit}. Xoá các cột thừa bên phải.",
        "The sheet goes out to column {columns}, the limit is {limit}. Delete the stray columns at its right.",
    ),
    "import_duplicate_headers": _kind(
        422,
        "Trùng tên cột",
        "Two columns have one name",
        "Tên cột {header} có ở các cột {letters}. Mỗi cột cần một tên riêng.",
        "The header {header} stands over the columns {letters}. Give each its own name.",
    ),
    "import_mixed_encodings": _kind(
        422,
        "Lẫn lộn bảng mã trong một cột",
        "Several encodings in one column",
        "Cột {letter} ({header}) lẫn lộn {encodings}, thí dụ các dòng {rows}. Chuyển cả cột sang Unicode rồi gửi lại.",
        "Column {letter} ({header}) mixes {encodings}, for example in the rows {rows}. Convert all of it to Unicode.",
    ),
    "import_sheet_unknown": _kind(
        422,
        "Không có trang tính này",
        "There is no such sheet",
        "Tệp không có trang tính {sheet}; các trang có trong tệp: {sheets}.",
        "The file has no sheet {sheet}; its sheets are {sheets}.",
    ),
    "event_state": _kind(
        409,
        "Trạng thái sự kiện không cho phép",
        "The event's state does not allow this",
        "Sự kiện này {status}.",
        "The event is {status}.",
    ),
    "session_state": _kind(
        409,
        "Trạng thái buổi sinh hoạt không cho phép",
        "The session's state does not allow this",
        "Buổi này {status}.",
        "The session is {status}.",
    ),
    "session_not_yet": _kind(
        409,
        "Chưa đến ngày",
        "Its day has not come",
        "Buổi này diễn ra ngày {date}; chỉ ghi nhận từ ngày đó.",
        "The session is on {date}; it cannot have been held before that day.",
    ),
    "event_without_sessions": _kind(
        409,
        "Sự kiện chưa có buổi nào",
        "The event has no session",
        "Hãy thêm ít nhất một buổi (POST /v1/events/{{id}}/sessions) rồi công bố.",
        "Add a session (POST /v1/events/{{id}}/sessions), then announce it.",
    ),
    "reminder_sent": _kind(
        409,
        "Lời nhắc đã gửi",
        "The reminder was sent",
        "Lời nhắc này đã được gửi đi; không rút lại được.",
        "This reminder has been sent off and cannot be taken back.",
    ),
    "minutes_signed": _kind(
        409,
        "Biên bản đã ký",
        "The minutes are signed",
        "Biên bản đã được ký ngày {date}; không sửa được nữa.",
        "The minutes were signed on {date} and cannot be changed any more.",
    ),
    "unavailable": _kind(
        503,
        "Máy chủ đang bận",
        "The server is busy",
        "Hãy thử lại sau {retry_after} giây.",
        "Try again in {retry_after} seconds.",
    ),
}


@dataclass(frozen=True, slots=True)
class FieldKind:
    """What is wrong with one field, and how to put it right."""

    detail: Mapping[Language, str]
    hint: Mapping[Language, str] | None = None


def _field(
    detail_vi: str, detail_en: str, hint_vi: str | None = None, hint_en: str | None = None
) -> FieldKind:
    hint: Mapping[Language, str] | None = (
        {"vi": hint_vi, "en": hint_en} if hint_vi and hint_en else None
    )
    return FieldKind({"vi": detail_vi, "en": detail_en}, hint)


FIELD_ERRORS: dict[str, FieldKind] = {
    "required": _field("Thiếu trường bắt buộc.", "This field is required."),
    "unknown_field": _field(
        "Không có trường hay tham số này.",
        "There is no such field or parameter.",
        "Kiểm tra chính tả trong tài liệu /docs.",
        "Check the spelling in /docs.",
    ),
    "wrong_type": _field("Sai kiểu dữ liệu.", "The value has the wrong type."),
    "not_null": _field("Trường này không được để trống.", "This field may not be null."),
    "too_short": _field("Quá ngắn (ít nhất {min}).", "Too short (at least {min})."),
    "too_long": _field("Quá dài (nhiều nhất {max}).", "Too long (at most {max})."),
    "too_small": _field("Nhỏ hơn mức cho phép ({min}).", "Below the allowed minimum ({min})."),
    "too_large": _field("Lớn hơn mức cho phép ({max}).", "Above the allowed maximum ({max})."),
    "not_in_list": _field(
        "Không có trong danh sách cho phép.",
        "Not one of the allowed values.",
        "Cho phép: {expected}.",
        "Allowed: {expected}.",
    ),
    "wrong_format": _field("Sai định dạng.", "The value has the wrong format."),
    "date_invalid": _field(
        "Ngày không tồn tại hoặc sai định dạng.",
        "No such date, or the wrong format.",
        "Viết dạng {form}.",
        "Write it as {form}.",
    ),
    "date_in_future": _field(
        "Ngày ở tương lai.",
        "The date is in the future.",
        "Muộn nhất là hôm nay.",
        "Today is the latest.",
    ),
    "date_too_early": _field("Ngày trước năm 1900.", "The date is before 1900."),
    "birth_in_future": _field("Ngày sinh ở tương lai.", "The date of birth is in the future."),
    "birth_too_early": _field("Năm sinh trước 1900.", "The year of birth is before 1900."),
    "joined_before_birth": _field(
        "Ngày vào Hội trước năm sinh.", "The join date is before the year of birth."
    ),
    "id_invalid": _field(
        "Không phải mã UUID.", "Not a UUID.", "Dạng: 0192f0c1-...-...", "Form: 0192f0c1-...-..."
    ),
    "name_empty": _field("Họ tên trống.", "The name is empty."),
    "name_too_short": _field(
        "Họ tên chỉ có một chữ cái.",
        "The name has one letter only.",
        "Ghi đủ họ và tên.",
        "Write the whole name.",
    ),
    "name_too_long": _field(
        "Họ tên quá dài (nhiều nhất 120 ký tự).", "The name is too long (at most 120 characters)."
    ),
    "name_has_invisible": _field(
        "Họ tên có ký tự ẩn (không độ rộng hoặc đổi chiều chữ).",
        "The name has invisible characters in it (zero-width or direction marks).",
        "Gõ lại họ tên thay vì dán.",
        "Type the name instead of pasting it.",
    ),
    "name_look_alike": _field(
        "Họ tên có chữ Ð (U+00D0) trông giống chữ Đ.",
        "The name has the letter eth (U+00D0), which looks like Đ.",
        "Dùng chữ Đ (U+0110).",
        "Use Đ (U+0110).",
    ),
    "name_has_digits": _field("Họ tên có chữ số.", "The name has digits in it."),
    "name_has_symbols": _field(
        "Họ tên có ký hiệu lạ.",
        "The name has symbols in it.",
        "Chỉ dùng chữ cái La-tinh, dấu cách, dấu nháy, dấu gạch nối, dấu chấm.",
        "Use Latin letters, spaces, apostrophes, hyphens and dots only.",
    ),
    "phone_invalid": _field(
        "Không phải số điện thoại Việt Nam.",
        "Not a Vietnamese phone number.",
        "Ví dụ: 0912345678 hoặc +84912345678.",
        "For example 0912345678 or +84912345678.",
    ),
    "citizen_id_invalid": _field(
        "Số định danh/CCCD không đủ 12 chữ số.",
        "A citizen id has 12 digits.",
        "Ghi dạng chữ; Excel hay làm mất số 0 ở đầu. Số CMND 9 chữ số ghi ở mục Số CMND (id_card).",
        "Send it as text; Excel often drops the leading 0. A 9-digit card goes to id_card.",
    ),
    "id_card_invalid": _field(
        "Số CMND cũ không đủ 9 chữ số.",
        "The old identity card has 9 digits.",
        "Số định danh/CCCD 12 chữ số ghi ở mục Số định danh (citizen_id).",
        "A 12-digit citizen id goes to citizen_id.",
    ),
    "citizen_id_century": _field(
        "Chữ số thứ tư của số định danh là {digit}, không ứng với thế kỷ nào.",
        "The fourth digit of the citizen id is {digit}, which stands for no century.",
    ),
    "citizen_id_gender": _field(
        "Chữ số thứ tư của số định danh ({digit}) không khớp giới tính.",
        "The fourth digit of the citizen id ({digit}) does not match the gender.",
    ),
    "citizen_id_birth_year": _field(
        "Số định danh ghi năm sinh {year}, khác năm sinh trong hồ sơ.",
        "The citizen id says born in {year}, the record another year.",
    ),
    "citizen_id_known": _field(
        "Số định danh này đã có ở một hồ sơ hội viên khác.",
        "Another member's record has this citizen id already.",
        "Kiểm tra xem có phải cùng một người không.",
        "Check whether they are the same person.",
    ),
    "man_not_honorary": _field(
        "Nam giới thường là hội viên danh dự.",
        "A man is usually an honorary member.",
        "Đổi kind thành honorary nếu đúng.",
        "Change kind to honorary if so.",
    ),
    "joined_under_age": _field(
        "Chưa đủ {age} tuổi khi vào Hội.", "She joined, or is, below the age of {age}."
    ),
    "ethnicity_unknown": _field(
        "Không có dân tộc này trong danh mục 2008.",
        "No such group on the 2008 list.",
        "Xem GET /v1/code-lists; ví dụ 01 hoặc Kinh.",
        "See GET /v1/code-lists; for example 01 or Kinh.",
    ),
    "party_date_alone": _field(
        "Chỉ đảng viên mới có ngày vào Đảng.",
        "Only a party member has a date of joining the Party.",
        "Gửi kèm party = member, hoặc party_joined_on = null.",
        "Send party = member with it, or party_joined_on = null.",
    ),
    "masked_field": _field(
        "Bạn không được xem trường này nên không sửa được.",
        "You may not see this field, so you may not change it.",
        "Bỏ trường này khỏi yêu cầu, hoặc nhờ người có quyền.",
        "Leave it out, or ask somebody who holds the right.",
    ),
    "email_invalid": _field("Không phải địa chỉ thư điện tử.", "Not an e-mail address."),
    "control_character": _field("Có ký tự điều khiển.", "The text has control characters in it."),
    "nul_character": _field("Có ký tự NUL.", "The text has a NUL character in it."),
    "text_invalid": _field("Chuỗi ký tự không hợp lệ.", "Not valid Unicode text."),
    "unit_unknown": _field(
        "Không có đơn vị này trong phạm vi của bạn.",
        "No such unit within your scope.",
        "Xem các đơn vị của bạn tại GET /v1/units, hoặc viết đúng tên chi hội.",
        "See your units at GET /v1/units, or write the branch's name as it is.",
    ),
    "unit_level_wrong": _field(
        "Đơn vị không đúng cấp.",
        "The unit has the wrong level.",
        "Cần cấp {expected}.",
        "The level must be {expected}.",
    ),
    "unit_not_open": _field(
        "Đơn vị không hoạt động vào ngày này.", "The unit is not open on that day."
    ),
    "branch_is_her_own": _field(
        "Hội viên đang sinh hoạt tại chính chi hội này.", "She is in this very branch."
    ),
    "merge_with_itself": _field(
        "Không thể gộp một hồ sơ với chính nó.", "A record cannot be merged with itself."
    ),
    "duplicate_suspected": _field(
        "Có thể người này đã có hồ sơ (duplicates).",
        "She may be on record already (duplicates).",
        "Xem GET /v1/duplicates: gộp hai hồ sơ, hoặc xác nhận là hai người.",
        "See GET /v1/duplicates: merge the two, or say that they are two people.",
    ),
    "state_conflict": _field(
        "Tình trạng hiện tại không cho phép.", "The present state does not allow this."
    ),
    "before_membership": _field(
        "Trước ngày bắt đầu sinh hoạt tại chi hội ({date}).",
        "Before she came to the branch ({date}).",
    ),
    "membership_overlap": _field(
        "Chồng lên giai đoạn sinh hoạt khác (mốc {date}).",
        "It overlaps another of her memberships (at {date}).",
    ),
    "joined_after_leaving": _field(
        "Ngày vào Hội sau ngày cuối cùng tại chi hội đầu tiên ({date}).",
        "The join date is after her last day in her first branch ({date}).",
    ),
    "membership_lasts": _field(
        "Giai đoạn này chưa kết thúc.",
        "This membership has not ended.",
        "Ghi việc rời Hội, qua đời hoặc chuyển sinh hoạt thay vì sửa ngày.",
        "Record a departure, a death or a transfer instead.",
    ),
    "ended_by_transfer": _field(
        "Giai đoạn này kết thúc do chuyển sinh hoạt.",
        "This membership ended with a transfer.",
        "Huỷ bỏ giai đoạn sau nó (annul).",
        "Annul the membership that follows it.",
    ),
    "not_a_departure": _field(
        "Giai đoạn này không kết thúc do rời Hội.", "This membership did not end with a departure."
    ),
    "group_kind_without_group": _field(
        "Chỉ đơn vị cấp tổ, nhóm mới có loại nhóm.", "Only a unit of level group has a kind."
    ),
    "member_unknown": _field(
        "Không có hội viên này trong phạm vi của bạn.", "No such member within your scope."
    ),
    "not_member_then": _field(
        "Ngày đó người này không phải là hội viên tại đây.",
        "She was not a member here on that day.",
    ),
    "cursor_invalid": _field(
        "Con trỏ trang không hợp lệ hoặc thuộc danh sách khác.",
        "The cursor is invalid or belongs to another list.",
        "Bỏ cursor để đọc lại từ đầu.",
        "Leave cursor out to start again.",
    ),
    "member_without_account": _field(
        "Hội viên này chưa có tài khoản đang dùng.",
        "This member has no account in use.",
        "Gắn tài khoản với hội viên bằng member_id của tài khoản.",
        "Link an account to her by its member_id.",
    ),
    "not_yourself": _field("Không thể chọn chính mình.", "You cannot choose yourself."),
    "post_level_wrong": _field(
        "Đơn vị cấp này không có chức vụ đó.",
        "A unit of this level has no such post.",
        "Chức vụ này có ở cấp: {expected}.",
        "The post exists at the levels: {expected}.",
    ),
    "not_together": _field("Không dùng cùng với {expected}.", "Not to be used with {expected}."),
    "date_in_past": _field("Ngày ở quá khứ.", "The date is in the past."),
    "right_not_delegable": _field(
        "Quyền này không được uỷ quyền.", "This right cannot be handed on."
    ),
    "right_not_held": _field(
        "Bạn không tự giữ quyền này tại đơn vị.",
        "You do not hold this right over the unit yourself.",
        "Quyền được uỷ cho bạn thì bạn không uỷ tiếp được.",
        "What was handed on to you cannot be handed on again.",
    ),
    "right_of_another_grant": _field(
        "Quyền này thuộc một lần giao quyền khác với các quyền còn lại.",
        "This right comes from another grant of yours than the others.",
        "Uỷ quyền riêng cho quyền này.",
        "Delegate it on its own.",
    ),
    "range_reversed": _field("Giá trị cuối nhỏ hơn giá trị đầu.", "It ends below where it begins."),
    "search_empty": _field(
        "Không có gì để tìm.",
        "There is nothing to search for.",
        "Gõ ít nhất một chữ cái của họ tên, hoặc 4 chữ số cuối của số điện thoại hay giấy tờ.",
        "Type a letter of the name, or the last 4 digits of a phone or identity number.",
    ),
    "search_digits": _field(
        "Số quá ngắn để tìm (ít nhất {min} chữ số).",
        "Too few digits to search for (at least {min}).",
        "Gõ cả số, hoặc các chữ số cuối của số điện thoại hay giấy tờ.",
        "Type the whole number, or the last digits of a phone or identity number.",
    ),
    "search_too_many": _field(
        "Quá nhiều hội viên có số này (hơn {max}).",
        "Too many members have this number (over {max}).",
        "Gõ thêm chữ số, hoặc tìm theo tên trong một xã.",
        "Type more digits, or search by name within a commune.",
    ),
    "search_words": _field(
        "Quá nhiều từ để tìm (nhiều nhất {max}).", "Too many words to search for (at most {max})."
    ),
    "status_not_dated": _field(
        "Trạng thái của một ngày đã qua không đếm được.",
        "The statuses of a past day cannot be counted.",
        "Bỏ status hoặc by=status: ngày đó chỉ đếm những người đang trong Hội.",
        "Leave status or by=status out: of a past day those in the union are counted.",
    ),
    "dates_reversed": _field("Ngày kết thúc trước ngày bắt đầu.", "It ends before it begins."),
    "password_wrong": _field("Mật khẩu hiện tại không đúng.", "The current password is wrong."),
    "password_weak": _field(
        "Mật khẩu quá dễ đoán.",
        "The password is too easy to guess.",
        "Dùng ít nhất 10 ký tự, không chứa tên đăng nhập.",
        "Use at least 10 characters, not your user name.",
    ),
    "key_invalid": _field(
        "Khoá không hợp lệ.",
        "The key is invalid.",
        "1 đến 128 ký tự ASCII in được.",
        "1 to 128 printable ASCII characters.",
    ),
    "member_or_name": _field(
        "Cần đúng một trong hai: member_id hoặc name.",
        "Exactly one is needed of member_id and name.",
    ),
    "not_of_this_kind": _field(
        "Loại ghi nhận này không có trường đó.", "A capture of this kind has no such field."
    ),
    "report_unreadable": _field(
        "Không đọc được báo cáo người tham gia.",
        "This is no report of participants that can be read.",
        "Gửi tệp CSV tải từ Zoom hoặc Google Meet, UTF-8, có dòng tiêu đề cột tên và thời gian.",
        "Send the CSV of Zoom or Google Meet as it is, in UTF-8, with its header of names and times.",
    ),
    "report_time": _field(
        "Không đọc được giờ này, hoặc giờ của ngày khác.",
        "This time cannot be read, or is of another day than the session.",
    ),
    "guests_beyond_count": _field(
        "Số khách nhiều hơn số người.", "There are more guests than people."
    ),
    "event_kind_unknown": _field(
        "Không có loại sự kiện này.",
        "No such kind of event.",
        "Xem danh mục event_kind tại GET /v1/code-lists; ví dụ meeting.",
        "See the list event_kind at GET /v1/code-lists; for example meeting.",
    ),
    "instant_invalid": _field(
        "Không phải thời điểm hợp lệ.",
        "Not a valid instant.",
        "Ghi cả múi giờ, ví dụ 2026-11-21T19:30:00+07:00.",
        "Write it with its offset, for example 2026-11-21T19:30:00+07:00.",
    ),
    "instant_out_of_range": _field(
        "Thời điểm ngoài khoảng năm 2000 đến 2099.", "The instant is outside of 2000 to 2099."
    ),
    "url_invalid": _field(
        "Không phải địa chỉ web.",
        "Not a web address.",
        "Bắt đầu bằng https://",
        "Begin with https://",
    ),
    "ends_before_start": _field("Kết thúc trước khi bắt đầu.", "It ends before it starts."),
    "session_too_long": _field(
        "Một buổi dài nhất {max} giờ.",
        "A session lasts {max} hours at most.",
        "Chia thành nhiều buổi.",
        "Make several sessions of it.",
    ),
    "rule_invalid": _field(
        "Quy tắc lặp lại không hợp lệ.",
        "The rule of recurrence is not valid.",
        "RRULE theo RFC 5545, lặp theo ngày, tuần, tháng hoặc năm; ví dụ FREQ=MONTHLY;BYDAY=3SU;COUNT=12.",
        "An RRULE (RFC 5545), daily, weekly, monthly or yearly: for example"
        " FREQ=MONTHLY;BYDAY=3SU;COUNT=12.",
    ),
    "rule_unbounded": _field(
        "Quy tắc lặp lại không có điểm dừng.",
        "The rule never ends.",
        "Thêm COUNT hoặc UNTIL.",
        "Add COUNT or UNTIL.",
    ),
    "sessions_too_many": _field(
        "Nhiều nhất {max} buổi trong {years} năm.",
        "At most {max} sessions within {years} years.",
    ),
    "rule_empty": _field("Quy tắc không cho ra buổi nào.", "The rule gives no session."),
    "frozen_field": _field(
        "Không sửa được trường này khi sự kiện đã {status}.",
        "This field cannot be changed any more: the event is {status}.",
    ),
    "host_not_yours": _field(
        "Đơn vị đầu tiên phải là đơn vị bạn được ghi sự kiện.",
        "Name the unit that hosts it: you may write events for several, or for none.",
    ),
    "not_invited": _field(
        "Hội viên này không thuộc đơn vị được mời.", "She is in none of the invited units."
    ),
    "other_day": _field(
        "Buổi đã diễn ra phải giữ nguyên ngày {date}.",
        "A session that was held stays on its day, {date}.",
    ),
    "period_not_whole_years": _field(
        "Ngoài phạm vi của bạn chỉ xem được số liệu tròn năm.",
        "Outside of your units only whole years are told.",
        "Chọn from là ngày 1/1 và to là ngày 31/12 hoặc hôm nay.",
        "Let it begin on 1 January and end on 31 December or today.",
    ),
    "programme_unknown": _field(
        "Không có chương trình này vào ngày đó.",
        "No such programme on that day.",
        "Xem GET /v1/support-programmes.",
        "See GET /v1/support-programmes.",
    ),
    "not_a_child": _field(
        "Ngày đó người này không phải trẻ dưới 18 tuổi của hộ.",
        "This person is no child (under 18) of the household on that day.",
    ),
    "double_support": _field(
        "Hộ đã được hỗ trợ việc này ngày {date}.",
        "The household was helped with this on {date}.",
    ),
    "not_eligible": _field(
        "Hộ không thuộc đối tượng của chương trình: {lacking}.",
        "The household is not who the programme is for: {lacking}.",
    ),
    "deprivation_not_found": _field(
        "Lần rà soát gần nhất không ghi thiếu hụt này.",
        "The last assessment does not find this deprivation.",
    ),
    "check_too_early": _field(
        "Chưa đến kỳ kiểm tra (từ {date}).", "The check is not due yet (from {date})."
    ),
    "campaign_unknown": _field(
        "Không có đợt rà soát này.",
        "No such review campaign.",
        "Viết năm (2026) hoặc tháng (2026-09).",
        "Write a year (2026) or a month (2026-09).",
    ),
    "one_head_needed": _field(
        "Hộ phải có đúng một chủ hộ (đang có {heads}).",
        "A household has exactly one head ({heads} given).",
        "Ghi relation = head cho đúng một người.",
        "Give exactly one person relation = head.",
    ),
    "person_twice": _field("Người này được ghi hai lần.", "This person is named twice."),
    "person_in_household": _field(
        "Có người đang thuộc hộ khác.",
        "Somebody is in another household.",
        "Ghi người đó rời hộ cũ trước.",
        "Record first that the person left the other one.",
    ),
    "not_in_household": _field(
        "Ngày đó người này không ở trong hộ.", "This person is not in the household then."
    ),
    "before_household": _field(
        "Trước khi hộ hình thành ({date}).", "Before the household existed ({date})."
    ),
    "before_stay": _field(
        "Trước ngày ghi nhận gần nhất ({date}).", "Before what is recorded last ({date})."
    ),
    "standard_unknown": _field(
        "Không có chuẩn nghèo này.",
        "No such poverty standard.",
        "Xem GET /v1/poverty-standards.",
        "See GET /v1/poverty-standards.",
    ),
    "standard_not_in_force": _field(
        "Chuẩn {standard} không áp dụng ngày này.",
        "The standard {standard} does not apply on that day.",
        "Bỏ standard để máy chủ chọn theo ngày.",
        "Leave standard out: the day decides.",
    ),
    "indicator_unknown": _field(
        "Chuẩn {standard} không có chỉ số này.",
        "The standard {standard} has no such indicator.",
        "Các chỉ số: {expected}.",
        "Its indicators: {expected}.",
    ),
    "cause_unknown": _field(
        "Chuẩn {standard} không có nguyên nhân này.",
        "The standard {standard} has no such cause.",
        "Các nguyên nhân: {expected}.",
        "Its causes: {expected}.",
    ),
    "assessment_unknown": _field(
        "Không có lần rà soát này của hộ.", "No such assessment of this household."
    ),
    "no_points": _field(
        "Chuẩn {standard} không có mốc điểm B1 cho khu vực này.",
        "The standard {standard} has no lines in points for this area.",
        "Gửi income_per_person thay cho income_points.",
        "Send income_per_person instead of income_points.",
    ),
    "both_needed": _field("Cần cả {expected}.", "{expected} is needed as well."),
    "one_of_needed": _field(
        "Cần đúng một trong: {expected}.", "Exactly one is needed of: {expected}."
    ),
    "unit_ambiguous": _field(
        "Có nhiều đơn vị cùng tên này.",
        "Several units have this name.",
        "Ghi thêm tên xã, hoặc mã chi hội.",
        "Give the commune as well, or the id of the branch.",
    ),
    "member_elsewhere": _field(
        "Hội viên này không thuộc đơn vị của tệp, hoặc không do bạn quản lý.",
        "This member is not in the unit of the file, or not yours to write.",
    ),
    "member_in_other_branch": _field(
        "Hội viên này đang sinh hoạt ở chi hội khác.",
        "This member is in another branch.",
        "Chuyển sinh hoạt, không sửa bằng tệp; hoặc ghi đúng chi hội của hội viên.",
        "Transfer her, a file does not; or give the branch she is in.",
    ),
    "row_may_be_known": _field(
        "Người này có thể đã có hồ sơ.",
        "She may be on record already.",
        "Quyết định từng dòng: create (người khác), update (chính là người đó), skip (bỏ qua).",
        "Decide the row: create (somebody else), update (that very person), skip.",
    ),
    "row_repeated": _field(
        "Trùng với dòng {row} của tệp này.",
        "The same as row {row} of this file.",
        "Xoá một trong hai dòng; nếu là hai người khác nhau, chọn thêm mới (create).",
        "Delete one of them; if they are two people, decide create.",
    ),
    "row_id_repeated": _field(
        "Mã này đã có ở dòng {row}.",
        "This id stands in row {row} already.",
        "Mỗi mã chỉ ở một dòng; dòng mới thì để trống ô Mã.",
        "An id stands in one row; leave it empty in a new row.",
    ),
    "household_unknown": _field(
        "Không có hộ này trong phạm vi của bạn.", "No such household within your scope."
    ),
    "household_elsewhere": _field(
        "Hộ này không thuộc đơn vị của tệp, hoặc không do bạn quản lý.",
        "This household is not in the unit of the file, or not yours to write.",
    ),
    "household_closed": _field(
        "Hộ này không còn; không ghi thêm được.",
        "The household is no more: nothing can be added.",
    ),
    "household_may_be_known": _field(
        "Hộ này có thể đã có hồ sơ (cùng số hộ hoặc cùng chủ hộ).",
        "This household may be on record already (the same code, or the same head).",
        "Quyết định từng dòng: create (hộ khác), update (chính là hộ đó), skip (bỏ qua).",
        "Decide the row: create (another household), update (that very one), skip.",
    ),
    "head_may_be_known": _field(
        "Chủ hộ có thể là hội viên đã có hồ sơ.",
        "The head may be a member on record.",
        "Ghi mã hội viên hoặc ngày sinh; hoặc chọn: thêm mới (create, không phải hội viên), cập nhật (update, người đầu).",
        "Give her id or birth; or decide: create (not a member), update (the first of them).",
    ),
    "member_not_found": _field(
        "Trong đơn vị không có hội viên nào có họ tên và ngày sinh này.",
        "No member of the unit has this name and birth.",
        "Ghi họ tên, ngày sinh như hồ sơ, hoặc mã hội viên; người chưa có hồ sơ: nhập danh sách hội viên trước.",
        "Write name and birth as on record, or her id; who is not on record comes in with a list of members.",
    ),
    "member_ambiguous": _field(
        "Chưa rõ là hội viên nào.",
        "It is not clear which member this is.",
        "Ghi mã hội viên hoặc ngày sinh; hoặc chọn: cập nhật (update, người đầu), bỏ qua (skip).",
        "Give her id or her birth; or decide: update (the first of them), skip.",
    ),
    "appointment_unknown": _field(
        "Không có chức vụ này trong phạm vi của bạn.", "No such appointment within your scope."
    ),
    "appointment_elsewhere": _field(
        "Chức vụ này không thuộc đơn vị của tệp, hoặc không do bạn quản lý.",
        "This appointment is not in the unit of the file, or not yours to write.",
    ),
    "term_incomplete": _field(
        "Nhiệm kỳ chưa đủ nên không được ghi.",
        "The term is not complete, and is not stored.",
        "Cần đại hội lần thứ, ngày bắt đầu và ngày kết thúc; hoặc đơn vị đã có nhiệm kỳ này.",
        "Give the number of the congress, first and last day; or let the unit have this term already.",
    ),
    "post_taken": _field(
        "{holder} đang giữ chức này từ ngày {since}.",
        "{holder} has held this post since {since}.",
        "Kết thúc chức vụ đó trước, hoặc sửa ngày.",
        "End that one first, or correct the days.",
    ),
    "already_in_post": _field(
        "Người này đã giữ chức này từ ngày {since}.",
        "She holds this post already, since {since}.",
        "Ghi đúng ngày bắt đầu như hồ sơ.",
        "Give the first day as it is on record.",
    ),
    "own_appointment": _field(
        "Không ai tự giao hay kéo dài chức vụ của mình.",
        "Nobody gives herself a post or more time in it.",
        "Nhờ cán bộ khác, hoặc cấp trên.",
        "Ask another officer, or the unit above.",
    ),
    "grant_exceeds_own": _field(
        "Chức vụ này đi kèm quyền {right} mà bạn không có tại đơn vị này.",
        "The right {right} comes with this post, and you do not hold it over this unit.",
    ),
    "reset_first": _field(
        "Người mời hoặc cấp lại tài khoản của người này không có đủ quyền đi kèm chức vụ.",
        "Whoever invited or last reset her account holds less than what comes with the post.",
        "Cấp lại mã đăng nhập (reset) cho tài khoản, rồi gửi lại dòng này.",
        "Reset the account, then send the row again.",
    ),
    "member_state": _field(
        "Tình trạng hội viên không cho phép.", "The member's state does not allow this."
    ),
    "act_needed": _field(
        "Khác hồ sơ; thay đổi này không ghi bằng tệp.",
        "This differs from the record, and a file does not change it.",
        "Ghi thành một việc riêng (chuyển nơi ở, đổi chủ hộ, thôi chức vụ...), rồi để ô như hồ sơ.",
        "Record what has happened (a move, another head, the end of a post), and leave the cell as it was.",
    ),
    "nothing_proposed": _field(
        "Ô này của dòng không có đề nghị nào.", "Nothing is proposed for this field of the row."
    ),
    "record_changed": _field(
        "Hồ sơ đã được sửa sau đó.",
        "The record has been changed since.",
        "Xem trước lại để so với hồ sơ hiện nay.",
        "Preview again to compare with the record of today.",
    ),
    "record_gone": _field("Hồ sơ không còn nữa.", "The record is no longer there."),
    "record_has_history": _field(
        "Hội viên đã chuyển, thôi hoặc trở lại sinh hoạt sau đó.",
        "She has been transferred, has left or come back since.",
    ),
    "record_in_use": _field(
        "Hồ sơ đã được dùng ở nơi khác (chức vụ, tài khoản, nhóm, sự kiện...).",
        "The record is used elsewhere (posts, accounts, groups, events...).",
    ),
    "formula_error": _field(
        "Ô có công thức bị lỗi ({text}).",
        "The cell holds a formula that failed ({text}).",
        "Sửa công thức, hoặc gõ giá trị.",
        "Put the formula right, or type the value.",
    ),
    "date_unread": _field(
        "Không hiểu ngày này.",
        "This is not read as a date.",
        "Viết {form}; nếu chỉ biết năm sinh thì viết năm, ví dụ 1968.",
        "Write {form}; if only the year of birth is known, write the year: 1968.",
    ),
    "date_month_first": _field(
        "Ngày này viết tháng trước, hoặc sai tháng.",
        "This date has the month first, or a wrong month.",
        "Viết ngày trước tháng: {form}.",
        "Write the day before the month: {form}.",
    ),
    "date_partial": _field(
        "Thiếu ngày hoặc tháng.",
        "The day or the month is missing.",
        "Viết đủ ngày, tháng, năm: {form}.",
        "Write day, month and year: {form}.",
    ),
    "date_century": _field(
        "Năm chỉ có hai chữ số, không rõ thế kỷ.",
        "The year has two digits, and the century is not plain.",
        "Viết đủ bốn chữ số của năm: {form}.",
        "Write all four digits of the year: {form}.",
    ),
    "phone_several": _field(
        "Ô có nhiều số điện thoại.",
        "There are several phone numbers.",
        "Để lại một số.",
        "Keep one of them.",
    ),
    "citizen_id_zero_lost": _field(
        "Số định danh có {count} chữ số, có thể mất số 0 ở đầu.",
        "The citizen id has {count} digits and may have lost its leading zero.",
        "So với giấy tờ, rồi viết đủ 12 chữ số ở ô định dạng Văn bản (Text).",
        "Compare it with the card, then write all 12 digits in a cell formatted as text.",
    ),
    "citizen_id_rounded": _field(
        "Excel đã làm tròn số này, không còn đúng.",
        "Excel rounded this number, and it is no longer right.",
        "Gõ lại từ giấy tờ, ở ô định dạng Văn bản (Text).",
        "Type it again from the card, in a cell formatted as text.",
    ),
    "id_card_not_citizen_id": _field(
        "Đây là số CMND cũ (9 chữ số), không phải số định danh.",
        "This is a number of the old identity card (9 digits), not a citizen id.",
        "Chuyển sang cột CMND, hoặc viết số định danh 12 chữ số.",
        "Move it to the column CMND, or write the citizen id of 12 digits.",
    ),
    "number_invalid": _field("Không phải là số.", "This is not a number."),
    "yes_no_invalid": _field(
        "Không rõ là có hay không.",
        "It is neither yes nor no.",
        "Viết x hoặc Có; để trống là không.",
        "Write x or Có for yes; leave it empty for no.",
    ),
    "code_unknown": _field(
        "Không có trong danh mục: {text}.",
        "Not on the list: {text}.",
        "Các giá trị được dùng: {allowed}.",
        "What may stand here: {allowed}.",
    ),
    "encoding_mixed": _field(
        "Ô này viết bằng bảng mã khác với cả cột ({encoding}).",
        "This cell is written in another encoding than its column ({encoding}).",
        "Gõ lại bằng bảng mã Unicode.",
        "Type it again in Unicode.",
    ),
    "row_of_erased": _field(
        "Danh tính của người này đã được xoá theo quy định; không ghi lại từ danh sách.",
        "Who this was has been erased as the law asks; a list does not bring it back.",
        "Nếu chị ấy vào Hội lại, hãy kết nạp mới bằng biểu mẫu.",
        "If she joins again, admit her anew by the form.",
    ),
    "row_of_restricted": _field(
        "Hồ sơ này đang hạn chế xử lý theo yêu cầu của hội viên.",
        "This record is restricted on the member's demand.",
        "Cần quyền privacy:manage để sửa.",
        "The right privacy:manage may change it.",
    ),
    "two_genders": _field(
        "Cả hai cột Nam và Nữ đều có giá trị.",
        "Both columns, for men and for women, hold a value.",
        "Chỉ điền một cột.",
        "Fill in one of them.",
    ),
    "purpose_unknown": _field(
        "Không có mục đích xử lý này.",
        "There is no such purpose.",
        "Xem GET /v1/privacy/purposes.",
        "See GET /v1/privacy/purposes.",
    ),
    "consent_not_needed": _field(
        "Mục đích này có căn cứ khác, không hỏi sự đồng ý.",
        "This purpose rests on another basis: no consent is asked for it.",
    ),
    "consent_text_outdated": _field(
        "Nội dung đã hiển thị không phải bản hiện hành ({expected}).",
        "What was shown is not the version in force ({expected}).",
        "Tải lại GET /v1/privacy/purposes, hiển thị rồi hỏi lại.",
        "Load GET /v1/privacy/purposes, show it and ask again.",
    ),
    "representative_needed": _field(
        "Dưới {age} tuổi (hoặc chưa rõ ngày sinh): cần người đại diện theo pháp luật.",
        "Below the age of {age} (or not surely above): a legal representative is needed.",
    ),
    "before_last_answer": _field(
        "Trước câu trả lời gần nhất ({date}).", "Before her latest answer ({date})."
    ),
    "purpose_without_objection": _field(
        "Chỉ phản đối hoặc rút đồng ý mới kèm mục đích.",
        "Only an objection or a withdrawal is about one purpose.",
    ),
    "assignee_unknown": _field(
        "Không có cán bộ này với quyền privacy:manage đối với hội viên.",
        "No such officer with privacy:manage over the member.",
    ),
    "request_unknown": _field(
        "Không có yêu cầu này của hội viên.", "The member has no such request."
    ),
    "extension_too_long": _field(
        "Chỉ được gia hạn một lần, nhiều nhất {max} ngày.",
        "It may be extended once, by {max} days at most.",
    ),
    "invalid": _field("Giá trị không hợp lệ.", "The value is not valid."),
}


_WORDS_VI = {
    "central": "trung ương",
    "province": "tỉnh",
    "district": "huyện",
    "commune": "xã",
    "branch": "chi hội",
    "group": "tổ",
    "invited": "đã mời",
    "transferring": "đang chuyển sinh hoạt",
    "left": "đã rời Hội",
    "deceased": "đã qua đời",
    "requested": "đã được đề nghị",
    "consented": "đã được nơi đi đồng ý",
    "accepted": "đã được nơi đến tiếp nhận",
    "refused": "đã bị từ chối",
    "cancelled": "đã huỷ",
    "active": "đang hoạt động",
    "disabled": "đã khoá",
    "pending": "đang chờ",
    "given": "là đồng ý",
    "withdrawn": "đã rút",
    "superseded": "đã có câu trả lời mới hơn",
    "received": "mới tiếp nhận",
    "acknowledged": "đã xác nhận",
    "extended": "đã gia hạn",
    "done": "đã xong",
    "proposed": "mới đề xuất",
    "approved": "đã duyệt",
    "open": "đang chờ xem xét",
    "distinct": "đã xác nhận là hai người",
    "merged": "đã gộp",
    "stored": "đã có tên",
    "annulled": "đã huỷ",
    "draft": "còn là bản nháp",
    "announced": "đã công bố",
    "planned": "chưa diễn ra",
    "held": "đã diễn ra",
    "closed": "đã khép lại",
    "chair": "Chủ tịch",
    "vice_chair": "Phó Chủ tịch",
    "standing_member": "Uỷ viên Ban Thường vụ",
    "committee_member": "Uỷ viên Ban Chấp hành",
    "branch_head": "Chi hội trưởng",
    "branch_deputy": "Chi hội phó",
    "team_head": "Tổ trưởng",
    "team_deputy": "Tổ phó",
    "staff": "Cán bộ chuyên môn",
    "person": "cá nhân",
    "client": "phần mềm",
}


# What holds one of our words; all else (the name of a unit) is told as it is.
_WORDED = ("level", "parent_level", "expected", "status", "kind", "post")


def _told(params: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """Parameters as people read them; a date is written whole unless its field says otherwise."""
    told = {"form": "2024-05-17"} | dict(params)
    if language == "vi":
        worded = {name: told[name] for name in _WORDED if name in told}
        told |= {name: _WORDS_VI.get(str(value), value) for name, value in worded.items()}
    return told


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field. `pointer` is a JSON pointer (RFC 6901) into `place`."""

    place: Place
    pointer: str
    code: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def render(self, language: Language) -> dict[str, str]:
        kind = FIELD_ERRORS[self.code]
        body = {
            "in": self.place,
            "pointer": self.pointer,
            "code": self.code,
            "detail": kind.detail[language].format_map(_told(self.params, language)),
        }
        if kind.hint:
            body["hint"] = kind.hint[language].format_map(_told(self.params, language))
        return body


class Problem(Exception):
    """A refusal that the client is told about. `extra` adds members to the answer."""

    def __init__(
        self,
        code: str,
        *,
        errors: Iterable[FieldError] = (),
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **params: Any,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.kind = PROBLEMS[code]
        self.errors = tuple(errors)
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})
        self.params = params

    def render(self, *, language: Language, instance: str, request_id: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": f"urn:hoiso:problem:{self.code}",
            "title": self.kind.title[language],
            "status": self.kind.status,
            "detail": self.kind.detail[language].format_map(_told(self.params, language)),
            "code": self.code,
            "instance": instance,
            "request_id": request_id,
        }
        if self.errors:
            body["errors"] = [error.render(language) for error in self.errors]
        return body | self.extra


def invalid(code: str, pointer: str, *, place: Place = "body", **params: Any) -> Problem:
    """422 for one field that the rules (not its type) refuse."""
    return Problem("validation_failed", errors=[FieldError(place, pointer, code, params)], count=1)


def not_found() -> Problem:
    return Problem("not_found")


# -- what pydantic says, in our codes

_PLACES: Mapping[str, Place] = {
    "body": "body",
    "query": "query",
    "path": "path",
    "header": "header",
}

# pydantic's error types -> our stable codes, with the parameter names of its context.
_TYPES: Mapping[str, str] = {
    "missing": "required",
    "extra_forbidden": "unknown_field",
    "string_too_short": "too_short",
    "too_short": "too_short",
    "string_too_long": "too_long",
    "too_long": "too_long",
    "greater_than_equal": "too_small",
    "greater_than": "too_small",
    "less_than_equal": "too_large",
    "less_than": "too_large",
    "enum": "not_in_list",
    "literal_error": "not_in_list",
    "string_pattern_mismatch": "wrong_format",
    "string_unicode": "text_invalid",
    "uuid_parsing": "id_invalid",
    "uuid_type": "id_invalid",
    "int_parsing": "wrong_type",
    "int_type": "wrong_type",
    "int_from_float": "wrong_type",
    "finite_number": "wrong_type",
    "int_parsing_size": "too_large",
    "bool_parsing": "wrong_type",
    "bool_type": "wrong_type",
    "string_type": "wrong_type",
    "list_type": "wrong_type",
    "dict_type": "wrong_type",
    "model_type": "wrong_type",
    "model_attributes_type": "wrong_type",
    "date_from_datetime_parsing": "date_invalid",
    "date_parsing": "date_invalid",
    "date_type": "date_invalid",
    "date_from_datetime_inexact": "date_invalid",
}


def field_error(item: Mapping[str, Any]) -> FieldError:
    """What pydantic says of one value (an item of `errors()`), its location begun by its place."""
    location: Sequence[Any] = item["loc"]
    place = _PLACES.get(str(location[0]), "body")
    context: Mapping[str, Any] = item.get("ctx") or {}
    code = _TYPES.get(item["type"], "invalid")
    if item["type"] == "value_error":
        code = _own_code(item, context)
    elif item.get("input", ...) is None and code not in ("required", "unknown_field"):
        code = "not_null"
    params = {
        "min": context.get("min_length", context.get("ge", context.get("gt"))),
        "max": context.get("max_length", context.get("le", context.get("lt"))),
        "expected": _listed(context.get("expected")),
    }
    if location[-1] == "birth_date":
        params["form"] = "1968; 1968-05; 1968-05-17"
    return FieldError(place, pointer(_named(location[1:])), code, params)


def _listed(expected: Any) -> str | None:
    """pydantic writes 'a', 'b' or 'c'; a list of values reads the same in every language."""
    return None if expected is None else str(expected).replace(" or ", ", ").replace("'", "")


def _own_code(item: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    """Our validators raise ValueError(code); e-mail validation is a library's."""
    code = str(context.get("error", ""))
    if code in FIELD_ERRORS:
        return code
    return "email_invalid" if "email" in str(item.get("msg", "")) else "invalid"


def _named(location: Iterable[Any]) -> list[Any]:
    """pydantic adds the names of its union branches to a location; a pointer has none of them."""
    return [
        part
        for part in location
        if not (isinstance(part, str) and ("[" in part or ("-" in part and "(" in part)))
    ]


def pointer(parts: Iterable[Any]) -> str:
    """RFC 6901: ("grants", 0, "unit_id") -> /grants/0/unit_id."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
