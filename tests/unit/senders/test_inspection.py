"""Each wanted record is compared with DNS: ok, missing, wrong or unknown, with what to change."""

from __future__ import annotations

import pytest

from postroad.features.senders import pairs
from postroad.features.senders.inspection import inspect
from postroad.features.senders.standing import seen_keys
from postroad.features.senders.wanted import House, wanted_records
from postroad.model.clock import Instant
from postroad.model.domain import DkimKey, Domain, DomainSettings, DomainState, Finding, Purpose, RecordState
from postroad.model.ids import DomainId, ProjectId
from postroad.store.vault import Vault
from stores import CountingMint, StillClock
from worlds import PaperDns

AT = Instant(1_795_000_000_000_000)
HOUSE = House("bounces.mail.test", "bounces.mail.test", "links.mail.test")
DOMAIN = Domain(
    id=DomainId("dom_1"), project_id=ProjectId("prj_1"), name="shop.test", state=DomainState.PENDING, created_at=AT
)
PRIVATE = pairs.generate()
KEYS: list[DkimKey] = pairs.sealed_pair(
    PRIVATE, DOMAIN, 1, "pr", at=AT, vault=Vault(bytes(32)), mint=CountingMint(StillClock(AT))
)


async def _findings(dns: PaperDns, domain: Domain = DOMAIN, house: House = HOUSE) -> dict[Purpose, Finding]:
    found = await inspect(domain, KEYS, house, dns)
    return {finding.record.purpose: finding for finding in reversed(found)}  # of the two keys, RSA


def _all_good() -> PaperDns:
    dns = PaperDns()
    for record in wanted_records(DOMAIN, KEYS, HOUSE):
        dns.publish(record.name, record.type, record.value)
    dns.publish("bounces.mail.test", "TXT", "v=spf1 ip4:192.0.2.1 -all")
    return dns


def _without(purpose: Purpose) -> PaperDns:
    dns = _all_good()
    for record in wanted_records(DOMAIN, KEYS, HOUSE):
        if record.purpose is purpose:
            dns.withdraw(record.name, record.type)
    return dns


def test_the_wanted_records_are_exact() -> None:
    records = wanted_records(DOMAIN, KEYS, HOUSE)
    assert [(r.purpose.value, r.type, r.name, r.required) for r in records] == [
        ("dkim", "TXT", "pr1-202611r._domainkey.shop.test", True),
        ("dkim", "TXT", "pr1-202611e._domainkey.shop.test", False),
        ("return_path", "CNAME", "bounce.shop.test", False),
        ("spf", "TXT", "shop.test", False),
        ("dmarc", "TXT", "_dmarc.shop.test", False),
        ("tracking", "CNAME", "track.shop.test", False),
    ]
    assert [r.value for r in records[2:]] == [
        "bounces.mail.test", "v=spf1 include:bounces.mail.test ~all", "v=DMARC1; p=none;", "links.mail.test",
    ]  # fmt: skip


def test_a_long_text_is_split_into_strings_of_255_octets() -> None:
    (rsa, *_) = wanted_records(DOMAIN, KEYS, HOUSE)
    assert [len(piece) for piece in rsa.strings] == [255, len(rsa.value) - 255]
    assert "".join(rsa.strings) == rsa.value
    assert rsa.zone_line == f'pr1-202611r._domainkey.shop.test. IN TXT "{rsa.strings[0]}" "{rsa.strings[1]}"'


def test_an_installation_without_names_wants_only_what_it_needs() -> None:
    assert {record.purpose for record in wanted_records(DOMAIN, KEYS, House())} == {Purpose.DKIM, Purpose.DMARC}


async def test_records_as_wanted_are_ok() -> None:
    found = await inspect(DOMAIN, KEYS, HOUSE, _all_good())
    assert [(finding.state, finding.advice) for finding in found] == [(RecordState.OK, "")] * 6
    assert seen_keys(KEYS, found) == KEYS


async def test_absent_records_are_missing() -> None:
    found = await inspect(DOMAIN, KEYS, HOUSE, PaperDns())
    assert {finding.state for finding in found} == {RecordState.MISSING}
    assert seen_keys(KEYS, found) == []


async def test_no_answer_is_unknown_and_never_missing() -> None:
    dns = PaperDns(silent={record.name for record in wanted_records(DOMAIN, KEYS, HOUSE)})
    found = await inspect(DOMAIN, KEYS, HOUSE, dns)
    assert {finding.state for finding in found} == {RecordState.UNKNOWN}


# --- DKIM ------------------------------------------------------------------------------------------------------------


async def test_white_space_and_order_of_a_dkim_record_do_not_matter() -> None:
    dns = _all_good()
    dns.publish("pr1-202611r._domainkey.shop.test", "TXT", KEYS[0].public.replace("p=MIIB", "p= MIIB ") + " ;")
    assert (await _findings(dns))[Purpose.DKIM].state is RecordState.OK


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        ((KEYS[1].public,), "another key"),
        (("v=DKIM1; k=rsa; p=",), "another key"),
        (("hello",), "not a list of tags"),
        ((KEYS[0].public[:-20],), "cannot be read"),
        ((KEYS[0].public, "v=DKIM1; p=x"), "several"),
    ],
)
async def test_another_dkim_record_is_wrong(values: tuple[str, ...], advice: str) -> None:
    dns = _all_good()
    dns.publish("pr1-202611r._domainkey.shop.test", "TXT", *values)
    finding = (await _findings(dns))[Purpose.DKIM]
    assert finding.state is RecordState.WRONG
    assert advice in finding.advice


async def test_a_record_under_a_doubled_name_is_pointed_out() -> None:
    dns = _without(Purpose.DKIM)
    dns.publish("pr1-202611r._domainkey.shop.test.shop.test", "TXT", KEYS[0].public)
    finding = (await _findings(dns))[Purpose.DKIM]
    assert finding.state is RecordState.MISSING
    assert "as pr1-202611r._domainkey." in finding.advice


async def test_a_testing_flag_is_remarked_on() -> None:
    dns = _all_good()
    dns.publish("pr1-202611r._domainkey.shop.test", "TXT", KEYS[0].public.replace("k=rsa", "k=rsa; t=y"))
    finding = (await _findings(dns))[Purpose.DKIM]
    assert finding.state is RecordState.OK
    assert "t=y" in finding.advice


# --- return path and tracking ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", [Purpose.RETURN_PATH, Purpose.TRACKING])
async def test_an_alias_that_points_elsewhere_is_wrong(purpose: Purpose) -> None:
    dns = _all_good()
    name = {Purpose.RETURN_PATH: "bounce.shop.test", Purpose.TRACKING: "track.shop.test"}[purpose]
    dns.publish(name, "CNAME", "other.test")
    finding = (await _findings(dns))[purpose]
    assert (finding.state, finding.found) == (RecordState.WRONG, ("other.test",))


async def test_mx_and_spf_that_say_the_same_do_for_the_return_path() -> None:
    dns = _without(Purpose.RETURN_PATH)
    dns.publish("bounces.mail.test", "MX", "mx.mail.test")
    dns.publish("bounce.shop.test", "MX", "mx.mail.test")
    dns.publish("bounce.shop.test", "TXT", "v=spf1 include:bounces.mail.test -all")
    assert (await _findings(dns))[Purpose.RETURN_PATH].state is RecordState.OK


@pytest.mark.parametrize(
    ("exchange", "texts", "advice"),
    [
        ("mx.else.test", (), "not those of bounces.mail.test"),
        ("mx.mail.test", (), "must have include"),
        ("mx.mail.test", ("v=spf1 ip4:192.0.2.9 -all",), "must have include"),
        ("mx.mail.test", ("v=spf1 nonsense",), "unknown mechanism"),
    ],
)
async def test_mx_and_spf_that_say_something_else_are_wrong(exchange: str, texts: tuple[str, ...], advice: str) -> None:
    dns = _without(Purpose.RETURN_PATH)
    dns.publish("bounces.mail.test", "MX", "mx.mail.test")
    dns.publish("bounce.shop.test", "MX", exchange)
    dns.publish("bounce.shop.test", "TXT", *texts)
    finding = (await _findings(dns))[Purpose.RETURN_PATH]
    assert finding.state is RecordState.WRONG
    assert advice in finding.advice


async def test_a_return_path_is_unknown_while_our_own_name_gives_no_answer() -> None:
    dns = _without(Purpose.RETURN_PATH)
    dns.silent.add("bounces.mail.test")
    assert (await _findings(dns))[Purpose.RETURN_PATH].state is RecordState.UNKNOWN


# --- SPF -------------------------------------------------------------------------------------------------------------


async def test_an_include_further_down_counts() -> None:
    dns = _all_good()
    dns.publish("shop.test", "TXT", "other text", "v=spf1 include:all.test -all")
    dns.publish("all.test", "TXT", "v=spf1 include:%{d}.x.test include:Bounces.mail.test. -all")
    assert (await _findings(dns))[Purpose.SPF].state is RecordState.OK


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("v=spf1 mx -all", "v=spf1 mx include:bounces.mail.test -all"),
        ("v=spf1 a redirect=x.test", "v=spf1 a include:bounces.mail.test redirect=x.test"),
        ("v=spf1 a Redirect=x.test", "v=spf1 a include:bounces.mail.test Redirect=x.test"),
        ("v=spf1 a", "v=spf1 a include:bounces.mail.test"),
        ("v=spf1 -all include:bounces.mail.test", "v=spf1 include:bounces.mail.test -all"),
        ("v=spf1 -include:Bounces.mail.test a -all", "v=spf1 a include:bounces.mail.test -all"),
    ],
)
async def test_an_spf_record_without_us_is_given_back_with_us(before: str, after: str) -> None:
    dns = _all_good()
    dns.publish("shop.test", "TXT", before)
    finding = (await _findings(dns))[Purpose.SPF]
    assert (finding.state, finding.advice) == (RecordState.WRONG, f"Change the record to: {after}")


async def test_an_spf_record_that_costs_too_much_is_wrong() -> None:
    dns = _all_good()
    dns.publish("shop.test", "TXT", "v=spf1 " + " ".join(f"a:h{n}.test" for n in range(11)) + " -all")
    assert "11 DNS look-ups" in (await _findings(dns))[Purpose.SPF].advice


async def test_includes_that_go_round_in_circles_end() -> None:
    dns = _all_good()
    dns.publish("shop.test", "TXT", "v=spf1 include:a.test -all")
    dns.publish("a.test", "TXT", "v=spf1 include:a.test include:shop.test -all")
    assert (await _findings(dns))[Purpose.SPF].state is RecordState.WRONG


@pytest.mark.parametrize("below", ["silent", "broken"])
async def test_an_include_that_cannot_be_read_leaves_it_unknown(below: str) -> None:
    dns = _all_good()
    dns.publish("shop.test", "TXT", "v=spf1 include:a.test -all")
    dns.publish("a.test", "TXT", "v=spf1 nonsense")
    if below == "silent":
        dns.silent.add("a.test")
    assert (await _findings(dns))[Purpose.SPF].state is RecordState.UNKNOWN


async def test_two_spf_records_are_wrong() -> None:
    dns = _all_good()
    dns.publish("shop.test", "TXT", "v=spf1 -all", "v=spf1 ~all")
    assert "several SPF records" in (await _findings(dns))[Purpose.SPF].advice


# --- DMARC -----------------------------------------------------------------------------------------------------------


async def test_the_parent_s_policy_holds_for_a_subdomain() -> None:
    domain = Domain(**{**{n: getattr(DOMAIN, n) for n in DOMAIN.__struct_fields__}, "name": "mail.shop.test"})
    dns = PaperDns({("_dmarc.shop.test", "TXT"): ("v=DMARC1; p=reject",)})
    finding = (await _findings(dns, domain))[Purpose.DMARC]
    assert finding.state is RecordState.OK
    assert "_dmarc.shop.test" in finding.advice


async def test_several_policies_count_as_none() -> None:
    dns = _all_good()
    dns.publish("_dmarc.shop.test", "TXT", "v=DMARC1; p=none", "v=DMARC1; p=reject")
    assert (await _findings(dns))[Purpose.DMARC].state is RecordState.WRONG


async def test_a_dmarc_policy_that_does_not_exist_is_wrong() -> None:
    dns = _all_good()
    dns.publish("_dmarc.shop.test", "TXT", "v=DMARC1; p=rejekt")
    finding = (await _findings(dns))[Purpose.DMARC]
    assert (finding.state, finding.found) == (RecordState.WRONG, ("v=DMARC1; p=rejekt",))
    assert "p=reject" in finding.advice


async def test_strict_alignment_is_remarked_on_where_subdomains_send() -> None:
    dns = _all_good()
    dns.publish("_dmarc.shop.test", "TXT", "v=DMARC1; p=none; adkim=s")
    assert "adkim=s" in (await _findings(dns))[Purpose.DMARC].advice
    alone = Domain(
        **{**{n: getattr(DOMAIN, n) for n in DOMAIN.__struct_fields__}, "settings": DomainSettings(subdomains=False)}
    )
    assert (await _findings(dns, alone))[Purpose.DMARC].advice == ""
