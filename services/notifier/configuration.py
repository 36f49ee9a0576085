"""The file that says where alarms are sent. It holds secrets, so it is no setting: nothing else reads or shows it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from warpcore.bus.vocabulary import Severity
from warpcore.services.session.errors import one_line

Line = Annotated[str, Meta(min_length=1, pattern=r"^[^\r\n]*\Z")]
Address = Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+\Z")]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s/]")]


class ConfigurationError(Exception):
    """The file cannot be used; one line with the path, without any value of it."""


class Webhook(Struct, frozen=True, forbid_unknown_fields=True):
    """Where alarms are posted as JSON, with more headers such as `Authorization`."""

    url: Url
    headers: dict[Line, Line] = field(default_factory=dict)


class Email(Struct, frozen=True, forbid_unknown_fields=True, rename={"sender": "from"}):
    """Who gets e-mails, and the server that takes them. The password stands here, or in a file of its own."""

    to: Annotated[list[Address], Meta(min_length=1)]
    sender: Address
    server: Line
    port: Annotated[int, Meta(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = ""
    password_file: str = ""

    def secret(self) -> str:
        """The password. Raises OSError or ValueError where its file cannot be read."""
        if not self.password_file:
            return self.password
        return Path(self.password_file).expanduser().read_text(encoding="utf-8").strip()


class Configuration(Struct, frozen=True, forbid_unknown_fields=True):
    """Where alarms from `severity` on are sent; `session` stands in front of each message."""

    webhook: Webhook | None = None
    email: Email | None = None
    session: Line = "warpcore"
    severity: Severity = Severity.WARNING


def read_configuration(path: Path) -> Configuration:
    """The file, checked. Raises ConfigurationError."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}; give another --notify") from None
    except (ValueError, RecursionError):  # its text would show a line of the file
        raise ConfigurationError(f"{path} is no TOML; docs/alarms.md shows what it holds") from None
    try:
        configuration = msgspec.convert(raw, Configuration)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{path}: {one_line(str(error))}; docs/alarms.md shows what it holds") from None
    if configuration.webhook is None and configuration.email is None:
        raise ConfigurationError(f"{path} names neither a [webhook] nor an [email]; docs/alarms.md shows both")
    return configuration
