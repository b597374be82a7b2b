"""Names are resolved by DNS, on the loop; the servers are a real resolver's."""

import pytest

from peers.dns import DnsServer, a, cname
from postroad.features.egress import Egress, Failure, Policy, Trouble
from postroad.features.egress.network import ResolveError, dns_resolver


async def test_all_addresses_of_a_name_are_found(dns: DnsServer) -> None:
    dns.change([a("two.test", "192.0.2.1"), a("two.test", "2001:db8::1"), cname("other.test", "two.test")])
    resolve = dns_resolver([(dns.host, dns.port)])
    assert set(await resolve("two.test")) == {"192.0.2.1", "2001:db8::1"}
    assert set(await resolve("other.test")) == {"192.0.2.1", "2001:db8::1"}


async def test_localhost_is_known_without_asking(dns: DnsServer) -> None:
    resolve = dns_resolver([(dns.host, dns.port)])
    assert await resolve("localhost") == await resolve("api.localhost") == ("127.0.0.1", "::1")


async def test_a_name_that_is_not_there_or_whose_server_fails_is_told(dns: DnsServer) -> None:
    dns.change([], servfail=["broken.test"])
    resolve = dns_resolver([(dns.host, dns.port)], timeout_s=2.0)
    for name in ("nowhere.test", "broken.test"):
        with pytest.raises(ResolveError):
            await resolve(name)


async def test_a_name_in_dns_that_points_inside_is_not_reached(dns: DnsServer) -> None:
    dns.change([a("inside.test", "127.0.0.1")])
    egress = Egress(Policy(), resolve=dns_resolver([(dns.host, dns.port)]))
    outcome = await egress.post("https://inside.test/", headers={}, body=b"")
    assert isinstance(outcome, Failure)
    assert outcome.trouble is Trouble.FORBIDDEN
