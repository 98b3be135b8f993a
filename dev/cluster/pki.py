"""A certificate authority for one cluster, and the identities it vouches for."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from typing import TYPE_CHECKING

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_VALID = datetime.timedelta(days=365)


class Authority:
    """Signs the certificates of one cluster; all files lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        self.folder = folder
        self.certificate = folder / "ca.crt"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("graphschedule-local-cluster", None)
        constraint = x509.BasicConstraints(ca=True, path_length=None)
        _write_certificate(self.certificate, self._sign(self._name, self._key.public_key(), constraint))

    def issue(self, file: str, user: str, *, group: str | None = None, hosts: Sequence[str] = ("localhost",)) -> None:
        """Write `FILE.crt` and `FILE.key`, which identify a user of a group, and a server at `hosts`."""
        key = new_key(self.folder / f"{file}.key")
        constraint = x509.BasicConstraints(ca=False, path_length=None)
        certificate = self._sign(_name(user, group), key.public_key(), constraint, _alternatives(hosts))
        _write_certificate(self.folder / f"{file}.crt", certificate)

    def kubeconfig(self, path: Path, server: str, file: str) -> None:
        """Write a kubeconfig that reaches `server` with the identity `FILE`, certificates inside."""
        read = {name: _base64(self.folder / name) for name in ("ca.crt", f"{file}.crt", f"{file}.key")}
        cluster = {"server": server, "certificate-authority-data": read["ca.crt"]}
        user = {"client-certificate-data": read[f"{file}.crt"], "client-key-data": read[f"{file}.key"]}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "local", "cluster": cluster}],
            "users": [{"name": file, "user": user}],
            "contexts": [{"name": "local", "context": {"cluster": "local", "user": file}}],
            "current-context": "local",
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(content))

    def _sign(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + _VALID)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self._key, hashes.SHA256())


def new_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Write a new private key to `path` and return it."""
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.TraditionalOpenSSL
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return key


def _name(user: str, group: str | None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
    if group is not None:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    return x509.Name(attributes)


def _alternatives(hosts: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_alternative(host) for host in hosts])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_certificate(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
