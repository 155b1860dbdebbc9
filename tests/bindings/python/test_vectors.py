"""The known answers in tests/vectors/sealwire, read by a second decoder that is written from PROTOCOL.md alone."""

import base64
import hashlib
import json
import os
import pathlib

import pytest
import sealwire

VECTORS = pathlib.Path(os.environ.get("SEALWIRE_SOURCE_ROOT", pathlib.Path(__file__).parents[3]), "tests/vectors/sealwire")


def vectors(name):
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))["vectors"]


# Fields in their order (PROTOCOL.md, section 5): n a number, b bytes behind their length, 16 so many bytes without one, * all
# that is left, F flags; a pair stands only when one of the bits is set, or only when none is (negative).
KINDS = {
    1: ("OPEN", "F", (-128, ("n", "route", "n", "total?", (16, "b"), (32, "n"), "b"))),
    2: ("MESSAGE", "n", "F", (128, "n"), (1, "n"), "total?", (8, "b"), (16, "n"), "b"),
    3: ("PART", "n", "n", "n", "F", "b", (1, "n"), "n", "b"),
    4: ("DATA", "n", "n", "F", (2, ("n", "b")), "b"),
    5: ("STATUS", "n", "F", (1, "n"), "n", "b", "n", "b"),
    6: ("CANCEL", "n", "n"),
    7: ("CANCEL_PART", "n", "n", "n"),
    8: ("CREDIT_EXCHANGE", "n", "F", "n"),
    9: ("CREDIT_PART", "n", "n", "F", "n"),
    10: ("CREDIT_TOPIC", "n", "F", "n"),
    11: ("SLOTS", "n", "n"),
    12: ("JOIN", "16", "F", "n", (4, "n")),
    13: ("JOINED", "n", "n", "F", (1, ("16", "n", "n"))),
    14: ("LEAVE", "n"),
    15: ("PUBLISH", "n", "F", (1, "n"), "total?", (4, "n"), (16, ("16", "n", "n", "n")), "b"),
    16: ("RECEIPT", "F", "n", (1, "n"), "n"),
    17: ("DISTANCE", "n", "n"),
    18: ("REACH", "16", "16"),
    19: ("REACHED", "16"),
    0x41: ("HELLO", "b"), 0x42: ("ACCEPT", "b"), 0x43: ("REJECT", "n", "b", "b"), 0x44: ("WINDOW", "n", "n"),
    0x45: ("PING", "n", "n"), 0x46: ("PONG", "n", "n"), 0x47: ("CLOSE", "F", "n", "b", "n"), 0x48: ("PAD", "*"),
}
FIRST_NOT_LAST = {"OPEN": (0, 4), "MESSAGE": (1, 2), "PUBLISH": (1, 2)}  # bits of first (0: always) and last: then a total


class Decoder:
    def __init__(self, data):
        self.data, self.at, self.fields, self.flags = data, 0, [], 0

    def take(self, size):
        piece = self.data[self.at:self.at + size]
        if len(piece) < size:
            raise ValueError("the frame ends early")
        self.at += size
        return piece

    def number(self):
        value = 0
        for place in range(9):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                if (byte == 0 and place > 0) or value >= 1 << 62:
                    break
                return value
        raise ValueError("not the shortest form, or too large")

    def say(self, value):
        self.fields.append("0x" + value.hex() if isinstance(value, bytes) else str(value))
        return value

    def field(self, what, kind):
        if isinstance(what, tuple):
            bits, inner = what
            if bool(self.flags & abs(bits)) == (bits > 0):
                for one in inner if isinstance(inner, tuple) else (inner,):
                    self.field(one, kind)
        elif what == "total?":
            first, last = FIRST_NOT_LAST[kind]
            if (not first or self.flags & first) and not self.flags & last:
                self.say(self.number())
        elif what == "route":
            if self.fields[-1] in ("0", "1"):
                self.field("b", kind)
        elif what == "F":
            self.flags = self.say(self.number())
        elif what == "n":
            self.say(self.number())
        elif what == "b":
            self.say(self.take(self.say(self.number())))
        else:
            self.say(self.take(len(self.data) - self.at if what == "*" else int(what)))

    def decode(self):
        """The kind and its fields; a kind that is not known is `skipped` when its bit 7 lets it be."""
        number = self.take(1)[0]
        if number not in KINDS:
            if not number & 0x80:
                raise ValueError("a kind that must be known")
            self.take(self.number())
            return "skipped"
        kind, *layout = KINDS[number]
        # OPEN has its flags first, and `n` of its route is the reference.
        for what in layout:
            self.field(what, kind)
        if self.at < len(self.data):
            raise ValueError("more than one frame")
        return kind


@pytest.mark.parametrize("vector", [v for v in vectors("frame.json") if v["kind"] != "refused"], ids=lambda v: v["name"])
def test_a_frame_has_the_fields_that_the_document_says(vector):
    decoder = Decoder(bytes.fromhex(vector["frame"]))
    assert decoder.decode() == vector["kind"]
    if vector["kind"] != "skipped":
        assert decoder.fields == vector["fields"]


def test_every_kind_has_a_known_answer():
    assert {v["kind"] for v in vectors("frame.json")} >= {layout[0] for layout in KINDS.values()}


def test_varints_that_are_not_minimal_or_end_early_are_refused():
    for data in ("8000", "ff00", "80", "ffffffffffffffff7f", "808080808080808080"):
        with pytest.raises(ValueError):
            Decoder(bytes.fromhex(data)).number()


@pytest.mark.parametrize("vector", vectors("handshake.json"), ids=lambda v: v["name"])
def test_ids_and_network_keys_of_the_handshakes(vector):
    identity = sealwire.Identity.from_seed(bytes.fromhex(vector["initiator_seed"]))
    assert identity.id == vector["initiator_id_text"]
    text = base64.b32encode(bytes.fromhex(vector["responder_id"])).decode().lower().rstrip("=")
    assert text == vector["responder_id_text"]
    if not vector["network"].startswith("swnet1"):
        key = hashlib.blake2b(b"sealwire network name" + vector["network"].encode(), digest_size=32).hexdigest()
        assert key == vector["psk"]
    sizes = [len(bytes.fromhex(vector[f"message_{n}"])) for n in (1, 2, 3)]
    assert sizes[0] == 1280 and all(sizes)
