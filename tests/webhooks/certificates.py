"""Certificates of receivers, and the authority that they are from."""

import ssl
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "receiver.example.vn"


@cache
def _key(_whose: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(whose: str, extensions: list[tuple[x509.ExtensionType, bool]]) -> x509.Certificate:
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(_named(whose))
        .issuer_name(_named("authority"))
        .public_key(_key(whose).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
    )
    for extension, critical in extensions:
        made = made.add_extension(extension, critical)
    return made.sign(_key("authority"), hashes.SHA256())


def authority(folder: Path) -> Path:
    """The file of the authority's certificate."""
    key = x509.SubjectKeyIdentifier.from_public_key(_key("authority").public_key())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    limits = x509.BasicConstraints(ca=True, path_length=None)
    made = _certificate("authority", [(limits, True), (key, False), (usage, True)])
    file = folder / "authority.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return file


def of_receiver(folder: Path, name: str = NAME) -> ssl.SSLContext:
    """What a receiver of this name shows."""
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    public = _key("authority").public_key()
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
    made = _certificate(name, [(names, False), (issuer, False)])
    private = _key(name).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / f"{name}.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
