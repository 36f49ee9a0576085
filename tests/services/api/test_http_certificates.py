"""TLS: what cannot serve is told before anything starts; a client that trusts the certificate is served."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.services.api.certificates import expired, made, openssl
from tests.services.api.http_server import serving
from tests.services.api.lone_api import lone_api
from tests.services.api.rest_session import WARPCORE
from warpcore.services.api.http.certificates import CertificateError, read_certificate, server_context
from warpcore.services.api.http.connections import Limits
from warpcore.services.api.http.renewal import Renewal
from warpcore.services.api.service import url
from warpcore.services.client import Session, UnreachableError


def test_a_certificate_tells_its_names(tmp_path: Path) -> None:
    found = read_certificate(*made(tmp_path))
    assert found is not None
    assert found.names == ("lab.example", "localhost", "127.0.0.1")
    assert read_certificate(None, None) is None


def test_the_link_has_a_name_that_the_certificate_is_for(tmp_path: Path) -> None:
    found = read_certificate(*made(tmp_path))
    assert url("0.0.0.0", 5000, found) == "https://127.0.0.1:5000"
    named = read_certificate(*made(tmp_path, names="DNS:*.lab.example,DNS:gpu1.lab.example"))
    assert url("0.0.0.0", 5000, named) == "https://gpu1.lab.example:5000"
    assert url("::", 5000) == "http://[::1]:5000"


def test_what_cannot_serve_is_one_line_that_names_the_file(tmp_path: Path) -> None:
    good, key = made(tmp_path)
    other, other_key = made(tmp_path, name="other")
    late, late_key = expired(tmp_path)
    locked, text, missing = tmp_path / "locked.key", tmp_path / "text", tmp_path / "missing"
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", locked)
    text.write_text("no certificate")
    pipe, large = tmp_path / "pipe", tmp_path / "large"
    os.mkfifo(pipe)
    large.touch()
    os.truncate(large, 2 * 1024 * 1024)
    for file, of, said, named in [
        (good, None, "--tls-key", None),
        (None, key, "--tls-cert", None),
        (missing, key, "No such file", missing),
        (tmp_path, key, "is a folder", tmp_path),
        (pipe, key, "is a pipe", pipe),
        (good, pipe, "is a pipe", pipe),
        (large, key, "more than", large),
        (good, other_key, "not that of the certificate", other_key),
        (text, key, "PEM", text),
        (key, key, "PEM", key),
        (good, good, "PEM", good),
        (good, locked, "password", locked),
        (late, late_key, "expired", late),
    ]:
        with pytest.raises(CertificateError) as raised:
            read_certificate(file, of)
        line = str(raised.value)
        assert said in line
        assert "\n" not in line, line
        assert named is None or str(named) in line
    assert read_certificate(other, other_key)


def test_a_renewed_certificate_is_taken_up_once_it_is_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "warpcore")
    served, renewal = made(tmp_path), Renewal(*made(tmp_path))
    first, later = renewal.context, made(tmp_path, name="later")

    def looks(*new: tuple[Path, Path]) -> list[bool]:
        for source, target in new:
            os.replace(source, target)
        return [renewal.look() for _ in range(3)]

    assert looks() == [False] * 3
    for half in zip(later, served, strict=True):  # a look between the two files finds a pair that does not match
        os.replace(*half)
        assert not renewal.look()
    assert looks() == [True, False, False]
    assert renewal.context is not first
    assert caplog.text.count("\n") == 1, caplog.text

    kept, key = renewal.context, served[1]
    for number, (new, said) in enumerate([(key, "PEM"), (expired(tmp_path)[0], "not that of the certificate")], 2):
        shutil.copy(new, tmp_path / "next")
        assert looks((tmp_path / "next", served[0])) == [False] * 3
        assert caplog.text.count("\n") == number, caplog.text
        assert said in caplog.text.splitlines()[-1]
        assert "the certificate of before" in caplog.text.splitlines()[-1]
    served[0].unlink()
    assert looks() == [False] * 3
    assert "No such file" in caplog.text.splitlines()[-1]
    os.mkfifo(served[0])  # to wait for its other end would end the looks for the renewed one
    assert looks() == [False] * 3
    assert "is a pipe" in caplog.text.splitlines()[-1]
    assert renewal.context is kept
    assert looks(*zip(made(tmp_path, name="again"), served, strict=True)) == [False, True, False]


def test_a_handshake_that_does_not_come_to_its_end_is_closed(tmp_path: Path) -> None:
    limits = Limits(most=10, most_of_one=5, head_s=2)
    certificate, key = made(tmp_path)
    trusting = ssl.create_default_context(cafile=certificate)
    with serving(limits, server_context(certificate, key)) as server:
        silent = [socket.create_connection(server.address, timeout=20) for _ in range(12)]
        plain = socket.create_connection(server.address, timeout=20)
        plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        one = socket.create_connection(server.address, timeout=20)
        with trusting.wrap_socket(one, server_hostname="localhost") as greeted:
            greeted.sendall(b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b" 200 " in greeted.recv(1 << 16), "silent ones are in the way of an honest one"
        for one in (*silent, plain):
            try:
                while one.recv(1 << 16):
                    pass
            except ConnectionResetError:
                pass
            one.close()


def test_rest_by_https(tmp_path: Path, free_ports: Callable[[int], list[int]], wait_until: Callable[..., None]) -> None:
    certificate, key = made(tmp_path, names="DNS:lab.example,DNS:localhost")
    tls = ("--tls-cert", str(certificate), "--tls-key", str(key))
    with lone_api(free_ports(3), wait_until, *tls, certificate=certificate) as http:
        base = str(http.base_url)
        assert http.get("/api/columns").headers["strict-transport-security"]
        assert http.get("/api/columns", headers={"Host": "lab.example"}).status_code == 200, "a name of the certificate"
        assert http.get("/api/columns", headers={"Host": "evil.example"}).status_code == 421
        assert Session(base, ca=certificate).columns()
        with pytest.raises(UnreachableError, match=r"certificate.*name the authority"):
            Session(base).columns()
        other = base.replace("localhost", "127.0.0.1")
        with pytest.raises(UnreachableError, match=r"certificate.*address it by a name"):
            Session(other, ca=certificate).columns()
        with pytest.raises(UnreachableError, match="give https://"):
            Session(base.replace("https", "http")).columns()
        with pytest.raises(httpx.TransportError):
            httpx.get(base.replace("https", "http"), timeout=20)

        for new, old in zip(made(tmp_path, name="renewed"), (certificate, key), strict=True):
            os.replace(new, old)

        def shown() -> str:
            return ssl.get_server_certificate(("localhost", http.base_url.port or 0), timeout=20)

        wait_until(lambda: shown().split() == certificate.read_text().split(), 30, "the renewed certificate")


def test_a_start_with_a_wrong_key_ends_with_one_line(tmp_path: Path) -> None:
    certificate, _ = made(tmp_path)
    command = [*WARPCORE, "api", "--insecure", "--tls-cert", certificate]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1, done.stderr
    assert "--tls-key" in done.stderr
