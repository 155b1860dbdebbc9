"""Identities, networks, tickets, and the secrets of topics."""

import os
from typing import NamedTuple, Union

from sealwire import _errors, _native

PathLike = Union[str, "os.PathLike[str]"]


def path_text(path: PathLike) -> str:
    try:
        return _errors.text(os.fspath(path), "path")
    except TypeError as error:
        raise _errors.of_argument(error)


class Identity:
    """What a program proves itself with: an Ed25519 key pair. Its public half, `id`, is how others know it."""

    __slots__ = ("_native",)

    def __init__(self, native: _native.Identity) -> None:
        self._native = native

    @classmethod
    def generate(cls) -> "Identity":
        return cls(_native.Identity.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> "Identity":
        """From 32 secret bytes."""
        if not isinstance(seed, (bytes, bytearray, memoryview)):
            raise _errors.ArgumentTypeError(1, f"seed is bytes, not {type(seed).__name__}")
        return cls(_native.Identity.from_seed(bytes(seed)))

    @classmethod
    def load(cls, path: PathLike) -> "Identity":
        """From a key file that only its owner can read; else KeyFileError."""
        return cls(_native.Identity.load(path_text(path)))

    def save(self, path: PathLike) -> None:
        """Creates the file, mode 0600; KeyFileError when it exists."""
        self._native.save(path_text(path))

    @property
    def id(self) -> str:
        """The public key, 52 characters."""
        return self._native.id

    @property
    def seed(self) -> bytes:
        """The secret, 32 bytes."""
        return self._native.seed

    def __repr__(self) -> str:
        return f"<sealwire.Identity {self.id}>"


class Ticket(NamedTuple):
    """What one needs to connect: where, and to whom. `str(ticket)` is its text form, `address#id`."""

    address: str
    id: str

    @classmethod
    def parse(cls, text: str) -> "Ticket":
        return cls(*_native.ticket_split(_errors.text(text, "ticket")))

    def __str__(self) -> str:
        return _native.ticket_make(_errors.text(self.address, "address"), _errors.text(self.id, "id"))


def network_new() -> str:
    """A new secret network: only programs that know this text can meet in it."""
    return _native.network_generate()


def network_from_passphrase(passphrase: str) -> str:
    """The secret network of a passphrase; takes about a second and 256 MiB."""
    return _native.network_from_passphrase(_errors.text(passphrase, "passphrase"))


def topic_secret_new() -> str:
    """A new secret of a topic, for `node.join(name, secret=...)`: only members who join with it read what is published."""
    return _native.topic_secret_generate()


def topic_secret_from_passphrase(passphrase: str, topic: str) -> str:
    """The secret of a passphrase for the topic of that name, at least 12 bytes; takes about a second and 256 MiB."""
    return _native.topic_secret_from_passphrase(_errors.text(passphrase, "passphrase"), _errors.text(topic, "a topic"))
