"""What the environment says of certificates and proxies, read alike for every wire.

Certificates: SSL_CERT_FILE, else REQUESTS_CA_BUNDLE, and SSL_CERT_DIR name the authorities that are trusted, in place of the usual ones;
SSL_VERIFY is `false`, or names such a file. Proxies: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY; this machine's own addresses use none.
"""

from __future__ import annotations

import atexit
import functools
import ipaddress
import os
import ssl
import tempfile
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from promptlab.nouns import UsageProblem, redact

FALSE = frozenset({"false", "0", "no", "off"})
TRUE = frozenset({"", "true", "1", "yes", "on"})
LOOPBACK = "localhost,127.0.0.1,::1"
UNCHECKED = (
    "SSL_VERIFY is false: certificates are not checked, so whoever is in between can read prompts and keys; "
    "name the file of the authority in SSL_CERT_FILE instead"
)
"""The warning of a run that trusts everybody."""


def is_checked() -> bool:
    """Whether certificates are checked at all."""
    return os.environ.get("SSL_VERIFY", "").lower() not in FALSE


def certificates() -> ssl.SSLContext | bool:
    """What a TLS connection trusts; False where everything. UsageProblem where a variable names what is not there."""
    return _context(_authorities()) if is_checked() else False


def check(address: str) -> None:
    """UsageProblem where the environment's proxy or certificates cannot serve for an address."""
    proxy_of(address)
    if address.startswith("https"):
        certificates()


def bundle() -> str | None:
    """A file with the authorities that the environment names, for libraries that read one file; None where it names none."""
    named = _authorities()
    return None if not named else named[0] if len(named) == 1 else _joined(named)


def proxy_of(address: str) -> str | None:
    """The proxy for an address, or for any public one where only a scheme is given; UsageProblem where it speaks SOCKS."""
    name, proxy = _proxy(address)
    if proxy and proxy.lower().startswith("socks"):
        raise UsageProblem(
            f"{name} names a SOCKS proxy ({redact(proxy)}), which promptlab does not speak; name an HTTP proxy, add the host to NO_PROXY, "
            f"or forward a port (ssh -L) and give its address as api_base"
        )
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


def proxy_in_words(address: str) -> tuple[str, str] | None:
    """The variable that names the proxy for an address, and the proxy as a message calls it; None where there is none."""
    name, proxy = _proxy(address)
    return (name, f"the proxy {redact(proxy)} that {name} names") if proxy else None


def _proxy(address: str) -> tuple[str, str | None]:
    """The variable of an address's proxy, in capitals as it is usually written, and its value; None where no proxy is used."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    proxies = urllib.request.getproxies()
    name = parts.scheme if proxies.get(parts.scheme) else "all"
    is_spared = is_loopback(host) or (host and urllib.request.proxy_bypass(host))
    return f"{name.upper()}_PROXY", None if is_spared else proxies.get(name)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def spare_loopback() -> None:
    """Tell libraries that read the environment themselves that this machine's own addresses use no proxy."""
    for name in ("NO_PROXY", "no_proxy"):
        if (known := os.environ.get(name)) is not None and LOOPBACK not in known:
            os.environ[name] = f"{known},{LOOPBACK}".lstrip(",")
    if not {"NO_PROXY", "no_proxy"} & os.environ.keys():
        os.environ["NO_PROXY"] = LOOPBACK


def _authorities() -> tuple[str, ...]:
    """Files of the certificates of authorities that the environment names."""
    verify = os.environ.get("SSL_VERIFY", "")
    files = [("SSL_VERIFY", verify)] if verify.lower() not in FALSE | TRUE else []
    files += [(name, os.environ[name]) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE") if os.environ.get(name)]
    found = []
    for name, path in files[:1]:
        if not os.path.exists(path):
            what = "neither false nor a file" if name == "SSL_VERIFY" else "which is not there"
            raise UsageProblem(f"{name} names {path!r}, {what}; name the file with the certificates of the authorities, or unset it")
        found += _files_of(path) if os.path.isdir(path) else [path]
    for folder in filter(None, os.environ.get("SSL_CERT_DIR", "").split(os.pathsep)):
        if not os.path.isdir(folder):
            raise UsageProblem(f"SSL_CERT_DIR names {folder!r}, which is no folder; name one with certificates, or unset it")
        found += _files_of(folder)
    return tuple(dict.fromkeys(found))


def _files_of(folder: str) -> list[str]:
    """Files with certificates; those that a folder holds under two names, as `c_rehash` links them, once."""
    return sorted({str(path.resolve()) for path in Path(folder).iterdir() if path.is_file() and b"BEGIN CERT" in path.read_bytes()})


@functools.cache
def _context(files: Sequence[str]) -> ssl.SSLContext:
    """What trusts the authorities of these files alone; without any, those of the system and of certifi."""
    try:
        context = ssl.create_default_context(cafile=files[0] if files else None)
        for path in files[1:]:
            context.load_verify_locations(path)
    except (ssl.SSLError, OSError) as error:
        raise UsageProblem(f"the certificates in {', '.join(files)} cannot be read ({error}); name files in PEM form") from None
    if not files:
        with suppress(ImportError):
            import certifi

            context.load_verify_locations(certifi.where())
    return context


@functools.cache
def _joined(files: Sequence[str]) -> str:
    """A temporary file with the certificates of several, removed at the end of the process."""
    with tempfile.NamedTemporaryFile("wb", suffix=".pem", delete=False) as whole:
        for path in files:
            whole.write(Path(path).read_bytes() + b"\n")
    atexit.register(Path(whole.name).unlink, missing_ok=True)
    return whole.name
