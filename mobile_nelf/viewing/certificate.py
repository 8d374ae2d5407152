"""A certificate of this machine's own: browsers allow WebGPU to https alone, but for localhost."""

from __future__ import annotations

import hashlib
import ipaddress
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mobile_nelf.errors import MissingToolError

__all__ = ["own_certificate"]

#: Days that it holds. Safari refuses those of more than 825, and it is made anew for each server.
DAYS = 30


def own_certificate(hosts: Sequence[str]) -> tuple[ssl.SSLContext, str]:
    """Returns what a server needs for https, and the certificate's fingerprint.

    Args:
        hosts: names and addresses under which browsers reach this machine.

    Returns:
        The context, and the SHA-256 of the certificate as browsers show it.

    Raises:
        MissingToolError: the command `openssl` is not installed, or failed.
    """
    path = shutil.which("openssl")
    if path is None:
        raise MissingToolError(
            "a certificate for https is made by the command openssl, which is not installed; "
            "install it, or do without https",
            arguments=["https"],
        )
    names = ",".join(f"{_kind(host)}:{host}" for host in hosts)
    with tempfile.TemporaryDirectory(prefix="mnelf-https-") as folder:
        # What an installation sets as the usual must not matter.
        settings, key, certificate = (Path(folder) / name for name in ("cnf", "key", "certificate"))
        settings.write_text(
            "[req]\nprompt = no\ndistinguished_name = who\nx509_extensions = own\n"
            f"[who]\nCN = mnelf view\n[own]\nsubjectAltName = {names}\n"
            "basicConstraints = critical, CA:FALSE\nextendedKeyUsage = serverAuth\n",
            encoding="utf-8",
        )
        options = ["-newkey", "rsa:2048", "-nodes", "-sha256", "-days", str(DAYS)]
        files: list[str | Path] = ["-config", settings, "-keyout", key, "-out", certificate]
        done = subprocess.run(
            [path, "req", "-x509", *options, *files],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            words = done.stderr.strip().splitlines() or ["it said nothing"]
            raise MissingToolError(
                f"{path}: failed to make a certificate for https ({words[-1]}); update it, or do "
                "without https",
                arguments=["https"],
            )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        content = ssl.PEM_cert_to_DER_cert(certificate.read_text(encoding="ascii"))
    return context, hashlib.sha256(content).digest().hex(":").upper()


def _kind(host: str) -> str:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "DNS"
    return "IP"
