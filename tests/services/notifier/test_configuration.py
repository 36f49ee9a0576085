"""The file that says where alarms are sent; no error of it shows a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from warpcore.bus.vocabulary import Severity
from warpcore.services.notifier.configuration import ConfigurationError, read_configuration

WHOLE = """
session = "Krios 1"
severity = "critical"
[webhook]
url = "https://hooks.example.org/x"
headers = { Authorization = "Bearer abc" }
[email]
to = ["one@example.org", "two@example.org"]
from = "warpcore@example.org"
server = "smtp.example.org"
security = "tls"
port = 465
user = "me"
password_file = "FOLDER/password"
"""


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "notify.toml"
    file.write_text(WHOLE.replace("FOLDER", str(tmp_path)))
    (tmp_path / "password").write_text("hidden\n")
    found = read_configuration(file)
    assert (found.session, found.severity) == ("Krios 1", Severity.CRITICAL)
    assert found.webhook is not None
    assert found.webhook.headers == {"Authorization": "Bearer abc"}
    assert found.email is not None
    assert (found.email.sender, found.email.port, found.email.secret()) == ("warpcore@example.org", 465, "hidden")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names neither"),
        ("[webhook]\nurl = secret", "is no TOML"),
        ("[webhook]\nurl = 'file:///secret'", "$.webhook.url"),
        ("[webhook]\nurl = 'http://x'\nheaders = {X = \"secret\\nsecret\"}", "$.webhook.headers"),
        ("[email]\nto = []\nfrom = 'a@b'\nserver = 's'\npassword = 'secret'", "$.email.to"),
        ("[email]\nto = ['a@b']\nfrom = 'a@b'\nserver = 's'\npasswort = 'secret'", "passwort"),
        ("[email]\nto = ['a@b\\nBcc: c@d']\nfrom = 'a@b'\nserver = 's'\npassword = 'secret'", "$.email.to"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_in_one_line_without_a_secret(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "notify.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        read_configuration(file)
    message = str(raised.value)
    assert str(file) in message
    assert told in message
    assert "secret" not in message
    assert "\n" not in message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_configuration(tmp_path / "none.toml")
