"""Where requests go: to the address that was checked, with a certificate for the name, and nowhere else."""

from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from app.config import Settings
from app.services.webhooks import addresses
from app.services.webhooks.addresses import target_of
from app.services.webhooks.wire import ReceiverAnswer, Wire
from tests.webhooks import certificates
from tests.webhooks.receiver import Receiver, receiving

LOCAL = [ip_network("127.0.0.0/8")]
LeadsTo = Callable[..., None]


@pytest.fixture
def leads_to(monkeypatch: pytest.MonkeyPatch) -> LeadsTo:
    """Has every name lead to these addresses."""

    def lead(*found: str) -> None:
        known = [ip_address(each) for each in found]
        monkeypatch.setattr(addresses, "looked_up", lambda *_: known)

    return lead


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_construct(
        webhook_allowed_networks=LOCAL, webhook_ca_file=certificates.authority(tmp_path)
    )


def posted(settings: Settings, url: str) -> ReceiverAnswer:
    with Wire(settings) as wire:
        return wire.post(target_of(url, LOCAL), {"webhook-id": "1"}, b"{}")


class TestCertificates:
    @pytest.fixture
    def receiver(self, tmp_path: Path) -> Iterator[Receiver]:
        with receiving(lambda: certificates.of_receiver(tmp_path)) as found:
            yield found

    def test_are_of_the_name(
        self, settings: Settings, receiver: Receiver, leads_to: LeadsTo
    ) -> None:
        leads_to("127.0.0.1")
        said = posted(settings, f"https://{certificates.NAME}:{receiver.port}/hook")
        assert (said.status, said.error) == (204, None)
        assert receiver.got[0].headers["host"] == f"{certificates.NAME}:{receiver.port}"

    def test_of_another_name_end_it(
        self, settings: Settings, receiver: Receiver, leads_to: LeadsTo
    ) -> None:
        leads_to("127.0.0.1")
        said = posted(settings, f"https://other.example.vn:{receiver.port}/hook")
        assert (said.status, said.error, receiver.got) == (None, "certificate", [])

    def test_of_an_unknown_authority_end_it(
        self, settings: Settings, receiver: Receiver, leads_to: LeadsTo
    ) -> None:
        leads_to("127.0.0.1")
        settings.webhook_ca_file = None
        said = posted(settings, f"https://{certificates.NAME}:{receiver.port}/hook")
        assert (said.status, said.error, receiver.got) == (None, "certificate", [])


class TestAddresses:
    @pytest.fixture
    def receiver(self) -> Iterator[Receiver]:
        with receiving() as found:
            yield found

    def test_of_a_name_that_leads_inside_later(
        self, settings: Settings, receiver: Receiver, leads_to: LeadsTo
    ) -> None:
        leads_to("127.0.0.1")
        url = f"http://{certificates.NAME}:{receiver.port}/hook"
        assert posted(settings, url).error is None
        leads_to("10.0.0.1")
        assert posted(settings, url).error == "address_refused"
        # One that is good does not make up for it.
        leads_to("127.0.0.1", "169.254.169.254")
        assert posted(settings, url).error == "address_refused"
        assert len(receiver.got) == 1

    def test_are_asked_once_for_a_connection(
        self, settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A name server that answers otherwise the second time is not asked a second time."""
        found = iter([["127.0.0.1"], ["169.254.169.254"]])
        monkeypatch.setattr(
            addresses, "looked_up", lambda *_: [ip_address(each) for each in next(found)]
        )
        url = f"http://{certificates.NAME}:{receiver.port}/hook"
        assert posted(settings, url).error is None
        assert len(list(found)) == 1

    def test_proxies_of_the_environment_are_not_asked(
        self, settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        assert posted(settings, receiver.url).error is None

    def test_without_tls_only_in_allowed_networks(
        self, settings: Settings, leads_to: LeadsTo
    ) -> None:
        leads_to("8.8.8.8")
        assert posted(settings, "http://receiver.example.vn/hook").error == "address_refused"

    def test_that_lead_nowhere(self, settings: Settings, leads_to: LeadsTo) -> None:
        with receiving() as gone:
            url = gone.url
        assert posted(settings, url).error == "connection"
        leads_to()
        assert posted(settings, "https://receiver.example.vn/hook").error == "name_unknown"

    @pytest.mark.parametrize(
        ("address", "is_good"),
        [
            ("8.8.8.8", True),
            ("203.162.4.190", True),
            ("2405:4800::1", True),
            ("127.0.0.1", False),
            ("192.168.1.1", False),
            ("172.16.0.1", False),
            ("172.32.0.1", True),
            ("169.254.169.254", False),
            ("192.0.0.192", False),
            ("192.88.99.1", False),
            ("198.18.0.1", False),
            ("239.1.2.3", False),
            ("240.0.0.1", False),
            ("::", False),
            ("::1", False),
            ("::7f00:1", False),
            ("::ffff:10.0.0.1", False),
            ("64:ff9b::a00:1", False),
            ("64:ff9b:1::a00:1", False),
            ("2001::1", False),
            ("2001:db8::1", False),
            ("2002:a00:1::", False),
            ("fd12::1", False),
            ("fe80::1", False),
            ("fec0::1", False),
            ("ff02::1", False),
        ],
    )
    def test_that_are_public(self, address: str, is_good: bool) -> None:
        assert addresses.may_be_sent_to(ip_address(address), []) is is_good

    def test_of_our_own_are_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever they are: here one that this machine has, and that would be public elsewhere."""
        monkeypatch.setattr(addresses, "_is_own", lambda address: str(address) == "8.8.8.8")
        assert not addresses.may_be_sent_to(ip_address("8.8.8.8"), [])
        monkeypatch.undo()
        assert addresses._is_own(ip_address("127.0.0.1"))
        assert not addresses._is_own(ip_address("203.0.113.9"))

    def test_of_allowed_networks_are(self) -> None:
        allowed = [ip_network("10.20.0.0/16")]
        assert addresses.may_be_sent_to(ip_address("10.20.3.4"), allowed)
        assert not addresses.may_be_sent_to(ip_address("10.21.3.4"), allowed)
        assert target_of("http://10.20.3.4:8080/x?y=1", allowed).target == "/x?y=1"
