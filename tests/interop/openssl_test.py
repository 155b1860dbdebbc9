#!/usr/bin/env python3
"""tls:// against OpenSSL: its client at our listener, its server for our client, and a certificate that ours would not show.

    openssl_test.py TOOL      certificates in CERTIFICATES
"""

import os
import pathlib
import shutil
import ssl
import socket
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import tap  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
os.environ["SEALWIRE_TOOL"] = sys.argv[1]
import command  # noqa: E402

FOLDER = pathlib.Path(os.environ["CERTIFICATES"])
PATIENCE_S = 60


def listener(*words):
    return command.Listener("--anyone", "--tls-cert", FOLDER / "server.pem", "--tls-key", FOLDER / "server.key", *words,
                            address="tls://127.0.0.1:0")


def place_of(ticket):
    host, port = ticket.split("#")[0].removeprefix("tls://").rsplit(":", 1)
    return host, int(port)


def s_client(version, *words):
    """OpenSSL's client gets through a handshake, and a stranger inside it hears nothing."""
    if not shutil.which("openssl"):
        raise tap.Skip("openssl is not installed")
    with listener() as listening:
        host, port = place_of(listening.ticket)
        done = subprocess.run(["openssl", "s_client", version, "-connect", f"{host}:{port}", "-CAfile", FOLDER / "ca.pem",
                               "-verify_return_error", "-verify_ip", "127.0.0.1", *words], input="GET / HTTP/1.1\r\n\r\n", text=True,
                              capture_output=True, timeout=PATIENCE_S)
    name = {"-tls1_3": "TLSv1.3", "-tls1_2": "TLSv1.2"}[version]
    if f"New, {name}" not in done.stdout or "Verify return code: 0 (ok)" not in done.stdout:
        yield f"{done.returncode}: {done.stdout[-2000:]}{done.stderr[-1000:]}"
    # In TLS 1.3 the order of the client counts.
    if version == "-tls1_2" and not words and "CHACHA20-POLY1305" not in done.stdout:
        yield f"ChaCha20-Poly1305 was not chosen: {done.stdout[-2000:]}"


class Server:
    """OpenSSL's server as Python has it: one connection at a time, with a handshake and nothing after it."""

    def __init__(self, certificate, key, configure=lambda context: None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.set_ciphers("DEFAULT:@SECLEVEL=0")
        self.context.load_cert_chain(certificate, key)
        configure(self.context)
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(connection, server_side=True) as wrapped:
                    while wrapped.recv(65536):
                        pass
            except OSError:
                pass  # what the other end thinks of the certificate

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ticket(self):
        with listener() as other:
            key = other.ticket.split("#")[1]
        return f"tls://127.0.0.1:{self.socket.getsockname()[1]}#{key}"


def doctor(ticket, *words):
    result = command.run("doctor", ticket, "--connect-timeout", "3", "--tls-ca", FOLDER / "ca.pem", "--json", *words)
    lines = result.json()
    return [line["step"] for line in lines if line["event"] == "step" and line["passed"]], lines[-1]


def only(version):
    def configure(context):
        context.minimum_version = context.maximum_version = version
    return configure


def python_server(version):
    """The TLS step passes at OpenSSL's server, and the handshake of Sealwire then has no answer."""
    with Server(FOLDER / "server.pem", FOLDER / "server.key", only(version)) as server:
        passed, last = doctor(server.ticket())
    if "tls" not in passed or last["error"] != "no_answer":
        yield f"passed {passed}, then {last}"


def wrong_usage():
    """A certificate for clients alone, which our own listener would not take, in the hands of a server."""
    with Server(FOLDER / "client.pem", FOLDER / "client.key") as server:
        passed, last = doctor(server.ticket())
    if "tls" in passed or last["error"] not in ("tls_usage", "tls_address"):
        yield f"passed {passed}, then {last}"
    if last["error"] != "tls_usage":
        yield f"{last['error']} is told in place of tls_usage"


def old_version():
    """A server that has TLS 1.1 alone."""
    with Server(FOLDER / "server.pem", FOLDER / "server.key", only(ssl.TLSVersion.TLSv1_1)) as server:
        passed, last = doctor(server.ticket())
    if "tls" in passed or last["error"] != "tls_version":
        yield f"passed {passed}, then {last}"


def main():
    return tap.run({
        "s_client of OpenSSL speaks TLS 1.3 with the listener": lambda: s_client("-tls1_3"),
        "s_client of OpenSSL speaks TLS 1.2 with the listener": lambda: s_client("-tls1_2"),
        "s_client without ChaCha20 gets AES-GCM": lambda: s_client("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        "our client speaks TLS 1.3 with OpenSSL's server": lambda: python_server(ssl.TLSVersion.TLSv1_3),
        "our client speaks TLS 1.2 with OpenSSL's server": lambda: python_server(ssl.TLSVersion.TLSv1_2),
        "a server that shows a certificate for clients is refused for its use": wrong_usage,
        "a server of TLS 1.1 is refused for its version": old_version,
    })


if __name__ == "__main__":
    sys.exit(main())
