from tests.client import Api


class TestListMembers:
    def test_a_branch_head_sees_her_branch_only(self, api: Api, unit_id: dict[str, int]) -> None:
        items = api.as_("phuongvi-1").get("/v1/members?limit=200").json()["items"]
        assert {item["branch_id"] for item in items} == {unit_id["phuongvi-1"]}
