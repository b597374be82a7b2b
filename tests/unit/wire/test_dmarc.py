"""DMARC records by the rules of RFC 9989."""

import pytest

from postroad.wire.dmarc import Alignment, DmarcRecord, Policy, PublicSuffix, find_record, parse


def test_a_record_is_read_tag_by_tag() -> None:
    assert parse(
        "v=DMARC1; p=reject; sp=quarantine; np=none; adkim=s; aspf=S; psd=n; t=y;"
        " rua=mailto:a@x.example, mailto:b@x.example; ruf=mailto:c@x.example;"
    ) == DmarcRecord(
        policy=Policy.REJECT,
        subdomain_policy=Policy.QUARANTINE,
        nonexistent_policy=Policy.NONE,
        dkim=Alignment.STRICT,
        spf=Alignment.STRICT,
        public_suffix=PublicSuffix.NO,
        testing=True,
        reports=("mailto:a@x.example", "mailto:b@x.example"),
        failures=("mailto:c@x.example",),
    )


def test_absent_policies_follow_the_one_above() -> None:
    record = parse("v=DMARC1;p=quarantine")
    assert record is not None
    assert (record.subdomain_policy, record.nonexistent_policy) == (Policy.QUARANTINE, Policy.QUARANTINE)
    record = parse("v=DMARC1; p=none; sp=reject")
    assert record is not None
    assert record.nonexistent_policy is Policy.REJECT


def test_a_record_without_a_policy_asks_for_nothing_and_unknown_tags_are_ignored() -> None:
    assert parse("v=DMARC1; rua=mailto:a@x.example") == DmarcRecord(reports=("mailto:a@x.example",))
    assert parse("v=DMARC1; pct=50; rf=afrf; ri=1; new=thing; nonsense") == DmarcRecord()
    assert parse("v=DMARC1; p=whatever; adkim=x") == DmarcRecord(strange_policy="whatever")
    assert parse("v=DMARC1; p=none; p=reject") == DmarcRecord()


@pytest.mark.parametrize("text", ["", "v=DMARC2", "p=none; v=DMARC1", "v=dmarc1", "v", "v=DMARC1" + " " * 5000])
def test_other_texts_are_not_policies(text: str) -> None:
    assert parse(text) is None


def test_a_domain_has_one_policy_or_none() -> None:
    assert find_record(["other", "v = DMARC1 ; p = reject"]) == parse("v=DMARC1; p=reject")
    assert find_record(["v=DMARC1; p=none", "v=DMARC1; p=reject"]) is None
    assert find_record([]) is None
