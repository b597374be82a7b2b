"""The deny list, address by address."""

import ipaddress

import pytest

from postroad.features.egress.addresses import Reach, is_forbidden, reach_of


def _list(text: str) -> list[str]:
    return text.split()


PRIVATE = _list("""
10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255 172.16.0.0 172.31.255.255
192.168.0.1 ::1 fc00:: fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fd00:ec2::254
""")
NEVER = _list("""
0.0.0.0 0.255.255.255 169.254.169.254 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255
198.51.100.1 203.0.113.255 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 :: ::2 ::7f00:1
::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1 2001:0:7f00:1::
2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 3fff::1 4000::1 5f00::1 fe80::1 febf::1 fec0::1
ff02::1
""")
PUBLIC = _list("""
1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 169.253.255.255
169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
223.255.255.255 2001:200::1 2001:4860:4860::8888 2003::1 2606:4700::1111 2a00::1
""")


@pytest.mark.parametrize("text", PRIVATE)
def test_private_addresses_need_leave(text: str) -> None:
    address = ipaddress.ip_address(text)
    assert reach_of(address) is Reach.PRIVATE
    assert is_forbidden(address, allow_private=False)
    assert not is_forbidden(address, allow_private=True)


@pytest.mark.parametrize("text", NEVER)
def test_special_addresses_are_never_reached(text: str) -> None:
    address = ipaddress.ip_address(text)
    assert reach_of(address) is Reach.NEVER
    assert is_forbidden(address, allow_private=True)


@pytest.mark.parametrize("text", PUBLIC)
def test_the_public_internet_is_reached(text: str) -> None:
    assert reach_of(ipaddress.ip_address(text)) is Reach.PUBLIC


def test_the_standard_library_knows_no_special_address_that_we_let_through() -> None:
    for network in (*PRIVATE, *NEVER, *PUBLIC):
        address = ipaddress.ip_address(network)
        if address.is_private or address.is_multicast or address.is_reserved or address.is_link_local:
            assert reach_of(address) is not Reach.PUBLIC
