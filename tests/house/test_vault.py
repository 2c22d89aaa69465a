"""The vault: what is sealed can be compared and found, and read by nobody else."""

import pytest

from app.vault import Vault

ONE, OTHER = "first-key-0123456789abcdefghijkl", "other-key-0123456789abcdefghijkl"


class TestSealing:
    def test_gives_back_what_was_sealed(self) -> None:
        vault = Vault([ONE])
        for value in ("+84912345678", "025168001234", "", "Nguyễn Thị Hoà", "x" * 10_000):
            assert vault.open(vault.seal(value, "phone"), "phone") == value

    def test_tells_nothing_but_that_two_are_equal(self) -> None:
        vault = Vault([ONE])
        sealed = vault.seal("+84912345678", "phone")
        assert sealed == vault.seal("+84912345678", "phone")
        assert sealed != vault.seal("+84912345679", "phone")
        assert "912345678" not in sealed
        assert sealed.isascii()

    def test_is_good_for_its_own_field_only(self) -> None:
        vault = Vault([ONE])
        sealed = vault.seal("025168001234", "citizen_id")
        assert sealed != vault.seal("025168001234", "id_card")
        with pytest.raises(ValueError, match="not sealed with this key"):
            vault.open(sealed, "id_card")

    def test_a_changed_letter_is_noticed(self) -> None:
        vault = Vault([ONE])
        sealed = vault.seal("025168001234", "citizen_id")
        changed = sealed[:-1] + ("A" if sealed[-1] != "A" else "B")
        with pytest.raises(ValueError, match="not sealed"):
            vault.open(changed, "citizen_id")

    def test_needs_a_key(self) -> None:
        with pytest.raises(ValueError, match="at least one key"):
            Vault([])


class TestRotation:
    def test_the_first_key_seals_and_all_open(self) -> None:
        before, during, after = Vault([ONE]), Vault([OTHER, ONE]), Vault([OTHER])
        old = before.seal("+84912345678", "phone")
        new = during.seal("+84912345678", "phone")
        assert during.open(old, "phone") == during.open(new, "phone") == "+84912345678"
        assert (during.is_current(old), during.is_current(new)) == (False, True)
        assert (before.is_rotating, during.is_rotating, after.is_rotating) == (False, True, False)
        assert after.open(new, "phone") == "+84912345678"
        with pytest.raises(ValueError, match="HOISO_DATA_KEYS"):
            after.open(old, "phone")

    def test_both_digests_are_looked_for_meanwhile(self) -> None:
        before, during, after = Vault([ONE]), Vault([OTHER, ONE]), Vault([OTHER])
        old, new = (vault.digest("5678", "phone:last4") for vault in (before, after))
        assert during.digests("5678", "phone:last4") == [new, old]
        assert during.digest("5678", "phone:last4") == new != old


class TestDigests:
    def test_are_64_signed_bits_of_one_purpose(self) -> None:
        vault = Vault([ONE])
        digests = {vault.digest("5678", f"{kind}:last4") for kind in ("phone", "citizen_id")}
        assert len(digests) == 2
        assert all(-(2**63) <= digest < 2**63 for digest in digests)
        assert vault.digest("5678", "phone:last4") != Vault([OTHER]).digest("5678", "phone:last4")
