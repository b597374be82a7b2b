"""The rules around a domain that need neither DNS nor a store."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from postroad.features.senders.naming import checked_domain, checked_settings
from postroad.features.senders.policies import applicable_policy, steps
from postroad.features.senders.scripts import to_unicode, warnings
from postroad.features.senders.speaking import return_path, self_and_parents, signing, speaker
from postroad.features.senders.standing import GRACE, PATIENCE, Pace, judged
from postroad.model.clock import DAY, HOUR, MINUTE, Instant, after
from postroad.model.domain import (
    DkimKey,
    DnsRecord,
    Domain,
    DomainSettings,
    DomainState,
    Finding,
    KeyState,
    Purpose,
    RecordState,
)
from postroad.model.errors import Refused
from postroad.model.ids import DkimKeyId, DomainId, ProjectId
from worlds import PaperDns

AT = Instant(1_795_000_000_000_000)
PACE = Pace(settled=6 * HOUR, unsettled=5 * MINUTE)
DOMAIN = Domain(
    id=DomainId("dom_1"), project_id=ProjectId("prj_1"), name="shop.test", state=DomainState.PENDING, created_at=AT
)
KEY = DkimKey(
    id=DkimKeyId("dkim_1"), project_id=DOMAIN.project_id, domain_id=DOMAIN.id, domain="shop.test", selector="s",
    number=1, algorithm="rsa-sha256", state=KeyState.PENDING, sealed=b"", public="", created_at=AT,
)  # fmt: skip


def _found(state: RecordState, *, required: bool = True) -> Finding:
    record = DnsRecord(purpose=Purpose.DKIM, type="TXT", name="n", value="v", required=required, key_id=KEY.id)
    return Finding(record=record, state=state)


# --- standing --------------------------------------------------------------------------------------------------------


def test_a_domain_whose_key_is_seen_is_verified_from_then_on() -> None:
    seen = judged(DOMAIN, [], [_found(RecordState.OK)], AT, PACE)
    assert (seen.state, seen.verified_at, seen.failing_since) == (DomainState.VERIFIED, AT, None)
    assert seen.next_check_at == after(AT, PACE.settled)
    later = judged(seen, [], [_found(RecordState.OK)], after(AT, DAY), PACE)
    assert later.verified_at == AT


def test_a_domain_with_keys_that_wait_is_looked_at_sooner() -> None:
    seen = judged(DOMAIN, [KEY], [_found(RecordState.OK)], AT, PACE)
    assert seen.next_check_at == after(AT, PACE.unsettled)


@given(st.sampled_from(DomainState), st.lists(st.sampled_from([RecordState.MISSING, RecordState.WRONG])))
def test_an_unknown_answer_moves_nothing(state: DomainState, others: list[RecordState]) -> None:
    before = replace(DOMAIN, state=state, failing_since=after(AT, -30 * DAY))
    found = judged(before, [], [_found(RecordState.UNKNOWN), *map(_found, others)], AT, PACE)
    assert (found.state, found.failing_since) == (state, before.failing_since)


def test_a_verified_domain_has_an_hour_to_mend_its_dns() -> None:
    verified = replace(DOMAIN, state=DomainState.VERIFIED, verified_at=AT)
    lost = judged(verified, [], [_found(RecordState.MISSING)], AT, PACE)
    assert (lost.state, lost.failing_since) == (DomainState.VERIFIED, AT)
    almost = judged(lost, [], [_found(RecordState.WRONG)], after(AT, GRACE - 1), PACE)
    assert almost.state is DomainState.VERIFIED
    gone = judged(almost, [], [_found(RecordState.MISSING)], after(AT, GRACE), PACE)
    assert gone.state is DomainState.FAILED
    back = judged(gone, [], [_found(RecordState.OK)], after(AT, 2 * GRACE), PACE)
    assert (back.state, back.failing_since) == (DomainState.VERIFIED, None)
    assert back.verified_at == after(AT, 2 * GRACE)


def test_a_domain_never_seen_fails_once_patience_is_over() -> None:
    first = judged(DOMAIN, [], [_found(RecordState.MISSING)], AT, PACE)
    assert first.state is DomainState.PENDING
    assert judged(first, [], [_found(RecordState.MISSING)], after(AT, PATIENCE), PACE).state is DomainState.FAILED


def test_a_record_that_is_not_required_proves_nothing() -> None:
    found = judged(DOMAIN, [], [_found(RecordState.OK, required=False)], AT, PACE)
    assert found.state is DomainState.PENDING


@given(st.integers(min_value=0, max_value=100 * DAY))
def test_what_stays_absent_is_looked_at_ever_more_rarely(age: int) -> None:
    waiting = replace(DOMAIN, failing_since=AT)
    found = judged(waiting, [], [_found(RecordState.MISSING)], after(AT, age), PACE)
    assert found.next_check_at is not None
    assert PACE.unsettled <= found.next_check_at - after(AT, age) <= PACE.settled


# --- who speaks for whom ---------------------------------------------------------------------------------------------


def _named(name: str, state: DomainState = DomainState.VERIFIED, *, subdomains: bool = True) -> Domain:
    return replace(DOMAIN, name=name, state=state, settings=DomainSettings(subdomains=subdomains))


def test_a_name_and_all_above_it_with_two_labels_may_speak() -> None:
    assert self_and_parents("a.b.shop.test") == ["a.b.shop.test", "b.shop.test", "shop.test"]
    assert self_and_parents("test") == ["test"]


def test_the_nearest_verified_domain_speaks() -> None:
    top, near = _named("shop.test"), _named("b.shop.test")
    assert speaker([top, near], "a.b.shop.test") is near
    unproven = _named("b.shop.test", DomainState.PENDING)
    assert speaker([top, unproven], "b.shop.test") is top
    assert speaker([unproven], "b.shop.test") is unproven
    assert speaker([], "b.shop.test") is None


def test_a_domain_that_keeps_to_itself_speaks_for_no_subdomain() -> None:
    alone = _named("shop.test", subdomains=False)
    assert speaker([alone], "a.shop.test") is None
    assert speaker([alone], "shop.test") is alone


def test_keys_that_wait_sign_only_where_nothing_has_to_be_proven() -> None:
    active, retired = replace(KEY, state=KeyState.ACTIVE), replace(KEY, state=KeyState.RETIRED)
    assert signing([KEY, active, retired], proven_only=False) == [active]
    assert signing([KEY, retired], proven_only=True) == []
    assert signing([KEY, retired], proven_only=False) == [KEY]


def test_the_domain_s_own_bounce_host_is_used_once_it_leads_to_us() -> None:
    def with_path(value: str, state: RecordState) -> Domain:
        record = DnsRecord(purpose=Purpose.RETURN_PATH, type="CNAME", name="bounce.shop.test", value=value)
        return replace(DOMAIN, findings=(Finding(record=record, state=state),))

    assert return_path(with_path("b.mail.test", RecordState.OK), "b.mail.test") == "bounce.shop.test"
    assert return_path(with_path("b.mail.test", RecordState.MISSING), "b.mail.test") == "b.mail.test"
    assert return_path(with_path("old.mail.test", RecordState.OK), "b.mail.test") == "b.mail.test"
    assert return_path(DOMAIN, None) is None


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [("Shop.Example", "shop.example"), ("bücher.example.", "xn--bcher-kva.example"), (" a.b ", "a.b")],
)
def test_a_domain_is_named_in_a_labels(text: str, name: str) -> None:
    assert checked_domain(text) == name


@pytest.mark.parametrize("text", ["", "localhost", "a b.c", "192.0.2.1", "[192.0.2.1]", "x" * 64 + ".c", "a@b.c",
                                  ".".join(["label"] * 35)])  # fmt: skip
def test_what_cannot_send_is_no_sending_domain(text: str) -> None:
    with pytest.raises(Refused) as refused:
        checked_domain(text)
    assert refused.value.flaws[0].pointer == "/name"


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        (DomainSettings(return_path="a.b"), "/settings/return_path"),
        (DomainSettings(return_path=""), "/settings/return_path"),
        (DomainSettings(tracking="-x"), "/settings/tracking"),
        (DomainSettings(tracking="ü"), "/settings/tracking"),
        (DomainSettings(tracking="bounce"), "/settings/tracking"),
    ],
)
def test_hosts_of_ours_are_single_labels_of_their_own(settings: DomainSettings, pointer: str) -> None:
    with pytest.raises(Refused) as refused:
        checked_settings(settings)
    assert refused.value.flaws[0].pointer == pointer


def test_labels_are_kept_in_lower_case() -> None:
    assert checked_settings(DomainSettings(return_path="B-1")).return_path == "b-1"


@pytest.mark.parametrize(
    "name",
    [
        "pаypal.test",  # one Cyrillic letter among Latin ones
        "gοogle.test",  # one Greek letter among Latin ones
        "аррӏе.test",  # all Cyrillic, all look Latin
        "ѕсоре.test",
        "ехаmple.test",
        "toуs.test",
        "ηαβcd.test",
        "օօօ.test",
        "кириллицаlatin.test",
        "漢字кир.test",
    ],
)
def test_names_that_imitate_are_warned_of(name: str) -> None:
    assert warnings(checked_domain(name))


@pytest.mark.parametrize(
    "name",
    [
        "shop.test",
        "bücher.test",
        "пример.test",
        "παράδειγμα.test",
        "例え.test",
        "日本語abc.test",
        "한국어x.test",
        "مثال.test",
        "straße-24.test",
        "xn--a.test",
    ],
)
def test_honest_names_are_not_warned_of(name: str) -> None:
    assert warnings(name if name.startswith("xn--") else checked_domain(name)) == ()


def test_a_name_is_shown_as_people_read_it() -> None:
    assert to_unicode("xn--bcher-kva.example") == "bücher.example"
    assert to_unicode("xn--a.example") == "xn--a.example"


# --- the walk to a DMARC policy --------------------------------------------------------------------------------------


def test_the_walk_asks_at_most_eight_names() -> None:
    assert steps("a.b.shop.test") == ["a.b.shop.test", "b.shop.test", "shop.test", "test"]
    long = ".".join("abcdefghijklm") + ".shop.test"
    walked = steps(long)
    assert len(walked) == 8
    assert walked[:2] == [long, "i.j.k.l.m.shop.test"]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({"a.b.test": "v=DMARC1; p=none", "b.test": "v=DMARC1; p=reject"}, "_dmarc.a.b.test"),
        ({"b.test": "v=DMARC1; p=reject"}, "_dmarc.b.test"),
        ({"b.test": "v=DMARC1; psd=n", "test": "v=DMARC1; p=none"}, "_dmarc.b.test"),
        ({"b.test": "v=DMARC1; p=none", "test": "v=DMARC1; psd=y"}, "_dmarc.b.test"),
        ({"test": "v=DMARC1; psd=y; p=reject"}, "_dmarc.test"),
        ({"b.test": "something else"}, ""),
    ],
)
async def test_the_policy_that_holds_is_found(records: dict[str, str], expected: str) -> None:
    dns = PaperDns({(f"_dmarc.{name}", "TXT"): (text,) for name, text in records.items()})
    assert (await applicable_policy("a.b.test", dns.texts)).name == expected


async def test_a_walk_without_an_answer_says_so() -> None:
    dns = PaperDns({("_dmarc.test", "TXT"): ("v=DMARC1; p=none",)}, silent={"_dmarc.b.test"})
    assert (await applicable_policy("a.b.test", dns.texts)).trouble
