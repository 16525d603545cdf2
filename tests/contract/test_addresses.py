"""Which addresses are of the public internet, and which a name may lead to (security.md §4-I 125)."""

from __future__ import annotations

import socket
import threading
import time
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.app.issuers import WITHIN
from keystead.config import Xks
from keystead.core.keystores import Trouble
from keystead.core.ports import Unreached
from keystead.net.addresses import N_RESOLVERS, Names, is_public, resolve
from keystead.service.credentials.few import Few

LASTS = 30  # seconds that the system asks name servers that do not answer, at most (resolv.conf(5): 3, twice, 5 each)

PRIVATE = """
    0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 127.0.0.1 127.1.2.3 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255
    192.0.2.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255
    :: ::1 fe80::1 fe80::1%eth0 2606:4700::1111%1 fc00::1 fd12:3456::1 fec0::1 ff02::1 2001:db8::1
    ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254
""".split()  # noqa: SIM905 - a table to be read
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"]
# What an IPv4 address may stand in: prefix, and how many bits follow it there.
WRAPPINGS = [
    ("::", 0),  # RFC 4291 §2.5.5.1
    ("64:ff9b::", 0),  # RFC 6052
    ("64:ff9b:1::", 0),  # RFC 8215
    ("::ffff:0:0:0", 0),  # RFC 7915
    ("2002::", 80),  # RFC 3056
    ("2001::", 0),  # RFC 4380: the client, inverted
    ("2001::", 64),  # and its server
]


@pytest.mark.parametrize("text", PRIVATE)
def test_row_125_no_public_address(text) -> None:
    assert not is_public(text)
    with pytest.raises(Unreached, match="not public") as caught:
        found(text)
    assert caught.value.trouble is Trouble.UNREACHABLE
    assert found(text, private=True) == (text,)


@pytest.mark.parametrize("text", PUBLIC)
def test_row_125_a_public_address(text) -> None:
    assert is_public(text)
    assert found(text) == (text,)


@given(st.ip_addresses(v=4))
def test_row_125_an_address_that_the_system_unwraps_is_what_is_in_it(address: IPv4Address) -> None:
    assert is_public(f"::ffff:{address}") is is_public(str(address))


@pytest.mark.parametrize(("prefix", "shift"), WRAPPINGS)
@given(address=st.ip_addresses(v=4))
def test_row_125_an_address_that_somebody_else_unwraps_is_never_public(prefix, shift, address: IPv4Address) -> None:
    bits = int(address) if prefix != "2001::" or shift else ~int(address) & 0xFFFF_FFFF
    assert not is_public(str(IPv6Address(int(IPv6Address(prefix)) | bits << shift)))


@given(st.ip_addresses())
def test_what_is_public_is_so_by_the_registry(address) -> None:
    if is_public(str(address)):
        plain = getattr(address, "ipv4_mapped", None) or address
        assert plain.is_global
        assert plain.version == 4 or plain in IPv6Network("2000::/3")


# --- names


def found(*addresses: str, private: bool = False) -> tuple[str, ...]:
    return Names(lambda _name, _port: addresses).find("a.example", 443, private=private, timeout_for=5.0)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "017700000001", "localhost", "::1"])
def test_row_125_however_a_loopback_address_is_written(host) -> None:
    """The system's resolver reads all of these; what is looked at is what it says."""
    names = Names(resolve)
    with pytest.raises(Unreached, match="not public"):
        names.find(host, 443, private=False, timeout_for=5.0)
    assert all(ip_address(text).is_loopback for text in names.find(host, 443, private=True, timeout_for=5.0))


def test_row_125_one_private_address_among_public_ones_is_enough() -> None:
    with pytest.raises(Unreached, match="not public"):
        found("93.184.216.34", "127.0.0.1")
    assert found("93.184.216.34", "127.0.0.1", private=True) == ("93.184.216.34", "127.0.0.1")


@pytest.mark.parametrize("addresses", [(), ("nonsense",)])
def test_a_name_that_leads_nowhere(addresses) -> None:
    with pytest.raises(Unreached, match="does not resolve"):
        found(*addresses)


@pytest.mark.parametrize("error", [socket.gaierror(socket.EAI_NONAME, "unknown"), UnicodeError()])
def test_a_name_that_does_not_exist(error) -> None:
    def resolve(_name: str, _port: int) -> list[str]:
        raise error

    with pytest.raises(Unreached, match="does not resolve"):
        Names(resolve).find("a.example", 443, private=True, timeout_for=5.0)


def test_names_of_one_tenant_that_hang_leave_some_who_ask_to_others() -> None:
    """Four names that nobody resolves, of hosts that a tenant may name as it likes, were all that anybody could ask."""
    most = Few(Xks().threads)._places.of_tenant
    assert most * LASTS / WITHIN < N_RESOLVERS
    let_go = threading.Event()
    names = Names(lambda name, _port: ["192.0.2.1"] if name == "b.example" else let_go.wait(60) and [])
    try:
        for n in range(most):
            with pytest.raises(Unreached, match="in time"):
                names.find(f"{n}.a.example", 443, private=True, timeout_for=0.001)
        assert names.find("b.example", 443, private=True, timeout_for=60) == ("192.0.2.1",)
    finally:
        let_go.set()


def test_a_name_server_that_does_not_answer_is_left_waiting() -> None:
    """By so many threads at most; who comes then is not kept longer."""
    let_go = threading.Event()
    names, most = Names(lambda _name, _port: let_go.wait(60) and [], 4), 4
    try:
        for words in [*["in time"] * most, *["too many"] * 2]:
            began = time.monotonic()
            with pytest.raises(Unreached, match=words) as caught:
                names.find("a.example", 443, private=True, timeout_for=0.05)
            assert caught.value.trouble is Trouble.UNREACHABLE
            assert time.monotonic() - began < 30  # it is not the resolver that is waited for
    finally:
        let_go.set()
