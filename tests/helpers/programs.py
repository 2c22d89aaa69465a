"""Programs of other systems, as tests enter them."""

from typing import Any

# What every program says of itself.
ABOUT: dict[str, Any] = {
    "kind": "client",
    "purpose": "Đối chiếu danh sách với hệ thống của tỉnh",
    "contact": "Phòng Công nghệ thông tin, 0210 3846 000",
}
