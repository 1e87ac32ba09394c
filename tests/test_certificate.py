"""The development certificate: what it is, where it is kept, when it is made anew."""

from __future__ import annotations

import os
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from cryptography import x509

from ticker.certificate import development_certificate, state_folder
from ticker.core.codes import StartError

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def load(path: Path) -> x509.Certificate:
    """Read a certificate."""
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_it_is_for_localhost_and_valid_for_a_year(tmp_path: Path) -> None:
    certificate, key = development_certificate(tmp_path / "state" / "ticker", NOW)
    made = load(certificate)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert made.not_valid_before_utc < NOW
    assert made.not_valid_after_utc == NOW + timedelta(days=365)
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)


def test_nobody_else_can_read_the_key(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        _, key = development_certificate(tmp_path / "ticker", NOW)
    finally:
        os.umask(mask)

    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in key.parent.iterdir()) == ["localhost-key.pem", "localhost.pem"]


@pytest.mark.parametrize(("days", "is_kept"), [(0, True), (357, True), (358, False), (400, False)])
def test_it_is_kept_until_a_week_before_it_expires(tmp_path: Path, days: int, is_kept: bool) -> None:
    certificate, _ = development_certificate(tmp_path, NOW)
    before = certificate.read_bytes()
    development_certificate(tmp_path, NOW + timedelta(days=days, hours=1))

    assert (certificate.read_bytes() == before) == is_kept


@pytest.mark.parametrize("damage", ["no certificate", "no key", "not PEM", "another key"])
def test_a_damaged_pair_is_made_anew(tmp_path: Path, damage: str) -> None:
    certificate, key = development_certificate(tmp_path / "one", NOW)
    _, other = development_certificate(tmp_path / "two", NOW)
    match damage:
        case "no certificate":
            certificate.unlink()
        case "no key":
            key.unlink()
        case "not PEM":
            certificate.write_text("x")
        case "another key":
            key.write_bytes(other.read_bytes())
    development_certificate(tmp_path / "one", NOW)

    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)


def test_a_folder_that_cant_be_written_is_one_sentence_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError) as raised:
        development_certificate(tmp_path / "file" / "ticker", NOW)

    assert str(raised.value) == (
        f"The development certificate can't be kept in {tmp_path}/file/ticker (Not a directory); make that folder "
        "writable, set XDG_STATE_HOME to one that is, or give a certificate with --cert and --key."
    )


def test_the_folder_is_where_the_user_keeps_state() -> None:
    with patch.object(Path, "home", return_value=Path("/ann")):
        folders = [state_folder(environ) for environ in ({"XDG_STATE_HOME": "/var/ann"}, {"XDG_STATE_HOME": "x"}, {})]

    assert list(map(str, folders)) == [
        "/var/ann/ticker",
        "/ann/.local/state/ticker",
        "/ann/.local/state/ticker",
    ]
