"""Tls: the certificates of tls:// and wss://."""

from dataclasses import dataclass
from typing import Dict, Literal, Optional, Union

from sealwire import _errors
from sealwire._keys import PathLike, path_text

_CLIENTS = {"any": 0, "asked": 1, "required": 2}
_VERSIONS = {None: 0, "1.2": 12, "1.3": 13}


@dataclass(frozen=True)
class Tls:
    """The options of tls:// and wss://, for `listen`, `connect` and `Listener.set_tls`.

    What is PEM is given as text or as the path of a file, not both; several may stand in one. Files are read by each call. Who listens
    needs `certificate` and `key`; who connects needs nothing, and trusts the system's CAs then (SSL_CERT_FILE, SSL_CERT_DIR, else
    the usual places).

    ca            whom to trust, in place of the system's
    certificate   the own one first, then those between it and its CA
    key           of the first certificate, without a passphrase
    crl           revocation lists of the CAs given here
    server_name   when connecting: what the certificate has to be for, in place of the address's host
    clients       when listening, whether certificates are asked for: "any" (no), "asked" (one that is shown has to be right), "required"
    min_version   "1.2" (the default) or "1.3"
    """

    ca: Union[str, bytes] = ""
    ca_file: Optional[PathLike] = None
    certificate: Union[str, bytes] = ""
    certificate_file: Optional[PathLike] = None
    key: Union[str, bytes] = ""
    key_file: Optional[PathLike] = None
    crl: Union[str, bytes] = ""
    crl_file: Optional[PathLike] = None
    server_name: str = ""
    clients: Literal["any", "asked", "required"] = "any"
    min_version: Optional[Literal["1.2", "1.3"]] = None

    def __repr__(self) -> str:
        return "<sealwire.Tls>"  # nothing of a key


def native_tls(tls: Optional[Tls]) -> Optional[Dict[str, Union[bytes, int]]]:
    """As the native half takes it."""
    if tls is None:
        return None
    if not isinstance(tls, Tls):
        raise _errors.ArgumentTypeError(1, "tls is a sealwire.Tls or None")
    if tls.clients not in _CLIENTS:
        raise _errors.argument('clients is "any", "asked" or "required"')
    if tls.min_version not in _VERSIONS:
        raise _errors.argument('min_version is "1.2" or "1.3"')
    out: Dict[str, Union[bytes, int]] = {"clients": _CLIENTS[tls.clients], "min_version": _VERSIONS[tls.min_version]}
    for name in ("ca", "certificate", "key", "crl", "server_name"):
        value = getattr(tls, name)
        if not isinstance(value, bytes):
            value = _errors.text(value, name).encode()
        out[name] = value
    for name in ("ca_file", "certificate_file", "key_file", "crl_file"):
        path = getattr(tls, name)
        out[name] = b"" if path is None else path_text(path).encode()
    return out
