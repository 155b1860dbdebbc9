"""The known answers of topics with a secret, opened by a second implementation that is written from PROTOCOL.md and RFCs alone."""

import base64
import hashlib
import json
import os
import pathlib
import struct

import pytest

VECTORS = pathlib.Path(os.environ.get("SEALWIRE_SOURCE_ROOT", pathlib.Path(__file__).parents[3]), "tests/vectors/sealwire/topic.json")
ALL = json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]
MESSAGES = [vector for vector in ALL if vector["kind"] == "message"]
REFUSED = [vector for vector in ALL if vector["kind"] == "refused"]

# ---- ChaCha20 and Poly1305 (RFC 8439), XChaCha20 (draft-irtf-cfrg-xchacha-03) ----


def rounds(state):
    def quarter(a, b, c, d):
        for x, y, z, shift in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & 0xFFFFFFFF
            word = state[z] ^ state[x]
            state[z] = (word << shift | word >> (32 - shift)) & 0xFFFFFFFF
    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return state


def words(key, last):
    return list(struct.unpack("<16I", b"expand 32-byte k" + key + last))


def block(key, counter, nonce):
    start = words(key, struct.pack("<I", counter) + nonce)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(start, rounds(list(start)))))


def poly1305(key, message):
    r, s = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF, int.from_bytes(key[16:], "little")
    total = 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at:at + 16] + b"\x01", "little")) * r % (2**130 - 5)
    return ((total + s) % 2**128).to_bytes(16, "little")


def open_xchacha(key, nonce, ad, sealed):
    """The plaintext, or None."""
    mixed = rounds(words(key, nonce[:16]))
    key, nonce = struct.pack("<8I", *mixed[:4], *mixed[12:]), bytes(4) + nonce[16:]
    text, tag = sealed[:-16], sealed[-16:]
    padded = b"".join(part + bytes(-len(part) % 16) for part in (ad, text)) + struct.pack("<QQ", len(ad), len(text))
    if poly1305(block(key, 0, nonce)[:32], padded) != tag:
        return None
    stream = b"".join(block(key, 1 + i, nonce) for i in range((len(text) + 63) // 64))
    return bytes(a ^ b for a, b in zip(text, stream))


# ---- Ed25519 (RFC 8032, section 5.1) ----

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(p, q):
    (x1, y1), (x2, y2) = p, q
    k = D * x1 * x2 * y1 * y2
    return (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P


def times(n, p):
    total = (0, 1)
    while n:
        if n & 1:
            total = add(total, p)
        p, n = add(p, p), n >> 1
    return total


def point(data):
    y, sign = int.from_bytes(data, "little") & (2**255 - 1), data[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square or y >= P:
        return None
    return (P - x if x & 1 != sign else x), y


BASE = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def is_signed(key, message, signature):
    a, r, s = point(key), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L or times(8, a) == (0, 1):
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    return times(s, BASE) == add(r, times(k, a))


# ---- PROTOCOL.md, sections 1 and 8 ----


def blake2b(data, size, key=b""):
    return hashlib.blake2b(data, digest_size=size, key=key).digest()


def secret_of(text):
    assert text.startswith("swtopic1") and len(text) == 8 + 58
    data = base64.b32decode(text[8:].upper() + "=" * (-58 % 8))
    assert data[32:] == blake2b(data[:32], 32)[:4]
    return data[:32]


def tag_of(vector):
    return blake2b(vector["topic"].encode(), 16, key=blake2b(b"topic", 32, key=secret_of(vector["secret"])))


def seal_key_of(vector):
    return blake2b(b"topic seal", 32, key=secret_of(vector["secret"]))


def opened(vector):
    """What a message says; who refuses it."""
    tag, message = tag_of(vector), bytes.fromhex(vector["sealed"])
    if len(message) < 178:
        return None, "open"
    origin, number, nonce = message[:16], message[16:24], message[24:48]
    inside = open_xchacha(seal_key_of(vector), nonce, tag + origin + number, message[48:])
    if inside is None:
        return None, "open"
    publisher, time, before, flags, kind = inside[:32], inside[32:40], inside[40:48], inside[48], inside[49]
    signature, body = inside[50:114], inside[114:]
    if flags > 1 or kind > 127 or int.from_bytes(before, "little") > int.from_bytes(number, "little"):
        return None, "open"
    said = b"sealwire topic 1" + tag + origin + number + time + before + bytes((flags, kind)) + blake2b(body, 32)
    if not is_signed(publisher, said, signature):
        return None, "signature"
    return {"origin": origin, "number_le64": number, "nonce": nonce, "publisher": publisher, "time_ms_le64": time, "before_le64": before,
            "signature": signature, "body": body, "flags": flags, "type": kind}, None


@pytest.mark.parametrize("vector", MESSAGES, ids=lambda v: v["name"])
def test_a_message_opens_to_what_was_published(vector):
    assert tag_of(vector).hex() == vector["tag"]
    assert seal_key_of(vector).hex() == vector["seal_key"]
    said, refused_by = opened(vector)
    assert refused_by is None
    assert {name: value.hex() if isinstance(value, bytes) else value for name, value in said.items()} == {name: vector[name] for name in said}


@pytest.mark.parametrize("vector", REFUSED, ids=lambda v: v["name"])
def test_a_message_is_refused_where_the_document_says(vector):
    assert opened(vector) == (None, vector["by"])


def test_there_are_messages_and_refused_ones_of_both_kinds():
    assert len(MESSAGES) >= 3
    assert len([v for v in REFUSED if v["by"] == "open"]) >= 10 and len([v for v in REFUSED if v["by"] == "signature"]) >= 5
