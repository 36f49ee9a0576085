"""Certificates for tests, made by OpenSSL's program."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

NAMES = "DNS:lab.example,DNS:localhost,IP:127.0.0.1"


def openssl(*arguments: str | Path) -> None:
    """Run it; the test is skipped where there is none."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("there is no openssl program to make a certificate with")
    subprocess.run([program, *arguments], check=True, capture_output=True)


def made(folder: Path, *, names: str = NAMES, name: str = "server") -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    files = ("-keyout", key, "-out", certificate)
    told = ("-days", "1", "-subj", "/CN=warpcore", "-addext", f"subjectAltName={names}")
    openssl("req", "-x509", *kind, *files, *told)
    return certificate, key


def expired(folder: Path) -> tuple[Path, Path]:
    """A certificate that was good until yesterday, and its key."""
    request, certificate, key = (folder / f"expired.{end}" for end in ("csr", "pem", "key"))
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=warpcore")
    openssl("req", "-new", *kind, "-keyout", key, "-out", request)
    openssl("x509", "-req", "-in", request, "-signkey", key, "-days", "-1", "-out", certificate)
    return certificate, key
