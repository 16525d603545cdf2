"""Which addresses are of the public internet (security.md §4-I 125)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.providers.addresses import is_public

PRIVATE = """
    0.0.0.0 10.0.0.1 100.64.0.1 127.0.0.1 127.1.2.3 169.254.169.254 172.16.0.1 172.31.255.255 192.0.2.1 192.168.1.1
    198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255
    :: ::1 fe80::1 fe80::1%eth0 fc00::1 fd12:3456::1 ff02::1 2001:db8::1
    ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::10.0.0.1 64:ff9b::7f00:1 2002:7f00:1::1
    2002:a00:1::1
""".split()  # noqa: SIM905 - a table to be read


@pytest.mark.parametrize("text", PRIVATE)
def test_no_public_address(text) -> None:
    assert not is_public(text)


@pytest.mark.parametrize(
    "text", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1"]
)
def test_a_public_address(text) -> None:
    assert is_public(text)


@given(st.ip_addresses(v=4))
def test_wrapping_changes_nothing(address: IPv4Address) -> None:
    bits = int(address)
    wrapped = (
        IPv6Address(0xFFFF << 32 | bits),
        IPv6Address((0x64FF9B << 96) | bits),
        IPv6Address(0x2002 << 112 | bits << 80),
    )
    expected = is_public(str(address))
    assert [is_public(str(one)) for one in wrapped] == [expected] * 3


@given(st.ip_addresses())
def test_what_is_public_is_so_by_the_registry(address) -> None:
    if is_public(str(address)):
        assert ip_address(address).is_global or getattr(address, "ipv4_mapped", None) is not None
