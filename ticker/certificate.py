"""Development certificate: lets HTTP/2 be tried on localhost before there is a real certificate."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ticker.core.codes import StartError

LIFETIME = timedelta(days=365)
# It is made anew this long before it expires, so that a server started today does not fail tomorrow.
MARGIN = timedelta(days=7)

_NAMES = [
    x509.DNSName("localhost"),
    x509.IPAddress(ip_address("127.0.0.1")),
    x509.IPAddress(ip_address("::1")),
]


def state_folder(environ: Mapping[str, str]) -> Path:
    """Return the user's folder for what the program keeps: ``$XDG_STATE_HOME/ticker``, else ``~/.local/state/ticker``.

    A relative XDG_STATE_HOME counts as not set, as the XDG Base Directory Specification demands.
    """
    home = Path(environ.get("XDG_STATE_HOME") or "-")
    return (home if home.is_absolute() else Path.home() / ".local" / "state") / "ticker"


def development_certificate(folder: Path, now: datetime) -> tuple[Path, Path]:
    """Return the paths of the certificate and of its key in ``folder``, made if missing, damaged or about to expire.

    The folder is made with mode 0700, the key with 0600 from its first byte on.

    Raises:
        StartError: the folder can't be written.
    """
    certificate, key = folder / "localhost.pem", folder / "localhost-key.pem"
    if not _is_good(certificate, key, now):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make(certificate, key, now)
        except OSError as error:
            raise StartError(
                f"The development certificate can't be kept in {folder} ({error.strerror}); make that folder "
                "writable, set XDG_STATE_HOME to one that is, or give a certificate with --cert and --key."
            ) from None
    return certificate, key


def _is_good(certificate: Path, key: Path, now: datetime) -> bool:
    try:
        public = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        return False
    return public.not_valid_after_utc - now > MARGIN and private.public_key() == public.public_key()


def _make(certificate: Path, key: Path, now: datetime) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    # The key goes first: whoever is interrupted between the two leaves a pair that does not match, and is made anew.
    _write(
        key,
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    _write(certificate, _sign(private, now).public_bytes(serialization.Encoding.PEM))


def _sign(private: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ticker on localhost")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        # An hour back: a browser in a virtual machine whose clock lags accepts it too.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(_NAMES), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )


def _write(path: Path, data: bytes) -> None:
    # A temporary file has mode 0600, and a rename is whole or not at all: two servers that start at once don't mix.
    with NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        file.write(data)
    os.replace(file.name, path)
