"""A certificate that is renewed is used without a restart, and one that is broken is not used at all."""

import os
from pathlib import Path

import pytest

from peers.certificate import write_certificate
from postroad.smtpd.certificate import Certificate


def test_a_renewed_certificate_is_used_and_a_broken_one_is_not(tmp_path: Path) -> None:
    chain, key = write_certificate(tmp_path, ["mx.test"])
    certificate = Certificate(chain, key)
    first = certificate.context()
    assert certificate.context() is first
    write_certificate(tmp_path, ["mx.test"])
    os.utime(chain, ns=(1, 1))
    second = certificate.context()
    assert second is not first
    chain.write_text("not a certificate")
    assert certificate.context() is second
    chain.unlink()
    assert certificate.context() is second


def test_files_that_cannot_be_used_are_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Certificate(tmp_path / "none.pem", tmp_path / "none.key")
