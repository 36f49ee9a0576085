"""Options of how REST is served, and of how commands reach it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from warpcore.services.api.http.options import HttpOptions

_PANEL = "REST"


def _origins(given: list[str] | None) -> list[str]:
    """Raises a usage error for what no browser sends."""
    from warpcore.services.api.origins import is_origin

    for one in given or []:
        if not is_origin(one):
            raise typer.BadParameter(f"{one}: give an origin, such as https://lab.example:8443, without a path or a *")
    return given or []


def _hosts(given: list[str] | None) -> list[str]:
    """Raises a usage error for what is no name of a host."""
    from warpcore.services.api.http.hosts import is_host_name

    for one in given or []:
        if not is_host_name(one):
            raise typer.BadParameter(f"{one}: give a name, such as warpcore.lab.example, without a port, a path or a *")
    return given or []


def _proxies(given: list[str] | None) -> list[str]:
    """Raises a usage error for what is no address."""
    from warpcore.services.api.http.hosts import is_address

    for one in given or []:
        if not is_address(one):
            raise typer.BadParameter(f"{one}: give the proxy's address in figures, such as 10.0.0.2")
    return given or []


AllowOrigins = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-origin",
        metavar="ORIGIN",
        envvar="WARPCORE_ALLOW_ORIGIN",
        callback=_origins,
        help="A web site, such as https://lab.example, whose pages may read and change everything by REST (CORS).",
        show_default="none",
        rich_help_panel=_PANEL,
    ),
]
AllowHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="NAME",
        envvar="WARPCORE_ALLOW_HOST",
        callback=_hosts,
        help="One more name by which browsers may address REST, such as that of a proxy before it. This host's own "
        "names, those of the certificate and all addresses in figures are allowed.",
        show_default="none",
        rich_help_panel=_PANEL,
    ),
]
TrustProxies = Annotated[
    list[str] | None,
    typer.Option(
        "--trust-proxy",
        metavar="ADDRESS",
        envvar="WARPCORE_TRUST_PROXY",
        callback=_proxies,
        help="Address of a proxy that is believed for whom it asks (X-Forwarded-For, X-Forwarded-Proto), so that "
        "limits count each client by itself.",
        show_default="none",
        rich_help_panel=_PANEL,
    ),
]
TlsCertificate = Annotated[
    Path | None,
    typer.Option(
        "--tls-cert",
        metavar="FILE",
        envvar="WARPCORE_TLS_CERT",
        help="Serve REST by https with this certificate, PEM, with its chain.",
        show_default="http",
        rich_help_panel=_PANEL,
    ),
]
TlsKey = Annotated[
    Path | None,
    typer.Option(
        "--tls-key",
        metavar="FILE",
        envvar="WARPCORE_TLS_KEY",
        help="Private key of that certificate, PEM, without a password.",
        show_default="none",
        rich_help_panel=_PANEL,
    ),
]
Authorities = Annotated[
    Path | None,
    typer.Option(
        "--ca",
        metavar="FILE",
        envvar="WARPCORE_CA",
        help="Certificates, PEM, that are trusted besides those of this host: of a site's own authority, say.",
        show_default="none",
    ),
]


def http_options(
    origins: list[str] | None,
    hosts: list[str] | None,
    proxies: list[str] | None,
    certificate: Path | None,
    key: Path | None,
) -> HttpOptions:
    """What these options say together."""
    from warpcore.services.api.http.options import HttpOptions

    return HttpOptions(
        origins=tuple(origins or ()),
        hosts=tuple(hosts or ()),
        proxies=tuple(proxies or ()),
        certificate=certificate.absolute() if certificate else None,
        key=key.absolute() if key else None,
    )


def http_arguments(http: HttpOptions) -> tuple[str, ...]:
    """The options of `warpcore api` that say the same."""
    lists = (("--allow-origin", http.origins), ("--allow-host", http.hosts), ("--trust-proxy", http.proxies))
    told = [text for option, values in lists for value in values for text in (option, value)]
    for option, file in (("--tls-cert", http.certificate), ("--tls-key", http.key)):
        told += [] if file is None else [option, str(file)]
    return tuple(told)
