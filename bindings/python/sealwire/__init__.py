"""Encrypted requests, streams and topics between programs that know each other by public key."""

from sealwire import _native

__version__ = _native.version()

__all__ = ["__version__"]
