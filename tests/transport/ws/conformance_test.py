#!/usr/bin/env python3
"""The cases of the Autobahn suite, sections 1 to 7, 9 and 10, rebuilt: each by its number, against a message echo.

    conformance_test.py ECHO [NUMBER...]     all cases, or those whose number begins so

What a case sends is written as frames; what it wants is written beside it: messages that come back, pongs, and how it ends: "echo" (the
close that we sent is answered), a close code of the server's own, or "fail" (a close with 1002 or 1007, or the end of the connection).
"""

import pathlib
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import tap  # noqa: E402

CONTINUE, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x37\xfa\x21\x3d"
WAIT_S = 30


def masked(payload):
    if not payload:
        return payload
    whole = MASK * (len(payload) // 4 + 1)
    return (int.from_bytes(payload, "big") ^ int.from_bytes(whole[:len(payload)], "big")).to_bytes(len(payload), "big")


def frame(opcode, payload=b"", fin=True, rsv=0):
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        head += struct.pack("!BH", 0x80 | 126, len(payload))
    else:
        head += struct.pack("!BQ", 0x80 | 127, len(payload))
    return head + MASK + masked(payload)


def fragments(opcode, payload, size):
    parts = [payload[i:i + size] for i in range(0, len(payload), size)] or [b""]
    return b"".join(frame(CONTINUE if i else opcode, part, fin=i == len(parts) - 1) for i, part in enumerate(parts))


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        self.buffer = bytearray()
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.socket.recv(65536)
        head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ") and b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head, head
        self.buffer = bytearray(rest)

    def take(self, count):
        while len(self.buffer) < count:
            got = self.socket.recv(1 << 20)
            if not got:
                raise ConnectionError("ended")
            self.buffer += got
        out = bytes(self.buffer[:count])
        del self.buffer[:count]
        return out

    def read_frame(self):
        first, second = self.take(2)
        length = second & 0x7f
        if second & 0x80 or first & 0x70:
            raise AssertionError("a server's frame is masked or has a reserved bit")
        if length == 126:
            (length,) = struct.unpack("!H", self.take(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self.take(8))
        return first & 15, bool(first & 0x80), self.take(length)

    def events(self):
        """(kind, bytes): messages whole, pongs, the close; then None at the end of the connection."""
        opcode, message = None, b""
        while True:
            try:
                kind, fin, payload = self.read_frame()
            except (ConnectionError, socket.timeout) as error:
                yield ("timeout" if isinstance(error, socket.timeout) else "end"), b""
                return
            if kind >= 8:
                yield {CLOSE: "close", PING: "ping", PONG: "pong"}[kind], payload
                continue
            assert (kind == CONTINUE) == (opcode is not None), "fragments out of order"
            opcode = kind or opcode
            message += payload
            if fin:
                yield {TEXT: "text", BINARY: "binary"}[opcode], message
                opcode, message = None, b""


def send(connection, data, chop):
    try:
        if not chop:
            connection.socket.sendall(data)
        else:
            for i in range(0, len(data), chop):
                connection.socket.sendall(data[i:i + chop])
    except OSError:
        pass  # it failed in the middle of what is wrong


def run_case(port, data, wanted, ending, chop=0, own_close=True):
    """None, or what was wrong."""
    connection = Connection(port)
    goodbye = frame(CLOSE, struct.pack("!H", 1000)) if own_close and ending == "echo" else b""
    writer = threading.Thread(target=send, args=(connection, data + goodbye, chop), daemon=True)
    writer.start()
    got, close = [], None
    for kind, payload in connection.events():
        if kind == "close":
            close = payload
            if ending != "echo":
                connection.socket.settimeout(10)
                send(connection, frame(CLOSE, payload), 0)
            continue
        if kind in ("end", "timeout"):
            if kind == "timeout":
                return "nothing came for too long"
            break
        got.append((kind, payload))
    connection.socket.close()
    writer.join(WAIT_S)
    code = struct.unpack("!H", close[:2])[0] if close and len(close) >= 2 else None
    # What was sent before the frame that is wrong may have been overtaken by the failure.
    if got != wanted and not (ending == "fail" and got == wanted[:len(got)]):
        shown = [(kind, len(payload), payload[:20]) for kind, payload in got]
        return f"got {shown}, wanted {[(kind, len(payload), payload[:20]) for kind, payload in wanted]}"
    if ending == "echo" and close is None:
        return "the close was not answered"
    if ending == "fail" and close is not None and code not in (1002, 1007):
        return f"it failed with code {code}"
    if isinstance(ending, int) and code != ending:
        return f"closed with {code}, wanted {ending}"
    return None


def utf8_cases():
    """(number, bytes, valid) of sections 6.5 to 6.23, after Markus Kuhn's test of decoders."""
    kosme = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
    yield from ((f"6.5.{i + 1}", kosme, True) for i in range(5))
    for i in range(1, len(kosme) + 1):
        whole = True
        try:
            kosme[:i].decode()
        except UnicodeDecodeError:
            whole = False
        yield f"6.6.{i}", kosme[:i], whole
    def group(number, *sequences):
        for i, sequence in enumerate(sequences):
            try:
                sequence.decode()
                valid = True
            except UnicodeDecodeError:
                valid = False
            yield f"{number}.{i + 1}", sequence, valid
    yield from group("6.7", b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80")
    yield from group("6.8", b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80")
    yield from group("6.9", b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf")
    yield from group("6.10", b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf")
    yield from group("6.11", b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80")
    yield from group("6.12", b"\x80", b"\xbf", *(b"\x80\xbf" * (n // 2) + b"\x80" * (n % 2) for n in range(2, 7)),
                     bytes(range(0x80, 0xc0)))
    yield from group("6.13", b" ".join(bytes([c]) for c in range(0xc0, 0xe0)) + b" ", b" ".join(bytes([c]) for c in range(0xe0, 0xf0)) + b" ",
                     b" ".join(bytes([c]) for c in range(0xf0, 0xf8)) + b" ", b" ".join(bytes([c]) for c in range(0xf8, 0xfc)) + b" ",
                     b"\xfc \xfd ")
    missing = (b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80", b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf",
               b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf")
    yield from group("6.14", *missing)
    yield from group("6.15", b"".join(missing))
    yield from group("6.16", b"\xfe", b"\xff", b"\xfe\xfe\xff\xff")
    yield from group("6.17", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf")
    yield from group("6.18", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf", b"\xfc\x83\xbf\xbf\xbf\xbf")
    yield from group("6.19", b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80", b"\xfc\x80\x80\x80\x80\x80")
    yield from group("6.20", b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbe\x80", b"\xed\xbf\xbf")
    yield from group("6.21", *(a + b for a in (b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf") for b in (b"\xed\xb0\x80", b"\xed\xbf\xbf")))
    yield from group("6.22", *(chr(plane << 16 | low).encode() for plane in range(17) for low in (0xfffe, 0xffff)))
    yield from group("6.23", *(chr(0xfff9 + i).encode() for i in range(5)), b"\xef\xbf\xbe", b"\xef\xbf\xbf")


def cases():
    """(number, fact, bytes, wanted, ending, and how)"""
    for number, opcode, kind, fill in (("1.1", TEXT, "text", b"*"), ("1.2", BINARY, "binary", b"\xfe")):
        for i, size in enumerate((0, 125, 126, 127, 128, 65535, 65536)):
            yield f"{number}.{i + 1}", f"{kind} message of {size} bytes", frame(opcode, fill * size), [(kind, fill * size)], "echo"
        yield f"{number}.8", f"{kind} message of 65536 bytes in chops of 997", frame(opcode, fill * 65536), [(kind, fill * 65536)], "echo", 997

    binary = bytes([0, 255, 254, 253, 252, 251, 0, 255])
    yield "2.1", "ping without payload", frame(PING), [("pong", b"")], "echo"
    yield "2.2", "ping with text", frame(PING, b"Hello, world!"), [("pong", b"Hello, world!")], "echo"
    yield "2.3", "ping with bytes that are no text", frame(PING, binary), [("pong", binary)], "echo"
    yield "2.4", "ping of 125 bytes", frame(PING, b"\xfe" * 125), [("pong", b"\xfe" * 125)], "echo"
    yield "2.5", "ping of 126 bytes", frame(PING, b"\xfe" * 126), [], "fail"
    yield "2.6", "ping of 125 bytes, one byte at a time", frame(PING, b"\xfe" * 125), [("pong", b"\xfe" * 125)], "echo", 1
    yield "2.7", "a pong that nobody asked for", frame(PONG), [], "echo"
    yield "2.8", "a pong with payload that nobody asked for", frame(PONG, b"unsolicited"), [], "echo"
    yield "2.9", "a pong that nobody asked for, then a ping", frame(PONG, b"unsolicited") + frame(PING, b"ping"), [("pong", b"ping")], "echo"
    pings = [b"payload-%d" % i for i in range(10)]
    yield "2.10", "ten pings", b"".join(frame(PING, p) for p in pings), [("pong", p) for p in pings], "echo"
    yield "2.11", "ten pings, one byte at a time", b"".join(frame(PING, p) for p in pings), [("pong", p) for p in pings], "echo", 1

    hello = b"Hello, world!"
    said = ("text", hello)
    yield "3.1", "a text frame with reserved bits 1", frame(TEXT, hello, rsv=1), [], "fail"
    yield "3.2", "a text, then one with reserved bits 2, then a ping", frame(TEXT, hello) + frame(TEXT, hello, rsv=2) + frame(PING), [said], "fail"
    yield "3.3", "the same with 3, chopped", frame(TEXT, hello) + frame(TEXT, hello, rsv=3) + frame(PING), [said], "fail", 7
    yield "3.4", "the same with 4, one byte at a time", frame(TEXT, hello) + frame(TEXT, hello, rsv=4) + frame(PING), [said], "fail", 1
    yield "3.5", "a binary frame with reserved bits 5", frame(BINARY, binary, rsv=5), [], "fail"
    yield "3.6", "a ping with reserved bits 6", frame(PING, hello, rsv=6), [], "fail"
    yield "3.7", "a close with reserved bits 7", frame(CLOSE, b"\x03\xe8", rsv=7), [], "fail"

    for number, base in (("4.1", 3), ("4.2", 11)):
        kind = "data" if base == 3 else "control"
        yield f"{number}.1", f"{kind} opcode {base}", frame(base), [], "fail"
        yield f"{number}.2", f"{kind} opcode {base + 1} with payload", frame(base + 1, b"reserved opcode"), [], "fail"
        yield f"{number}.3", f"a text, then opcode {base + 2}, then a ping", frame(TEXT, hello) + frame(base + 2) + frame(PING), [said], "fail"
        yield f"{number}.4", f"a text, then opcode {base + 3} with payload", frame(TEXT, hello) + frame(base + 3, hello) + frame(PING), [said], "fail"
        yield (f"{number}.5", f"a text, then opcode {base + 4} with payload, one byte at a time",
               frame(TEXT, hello) + frame(base + 4, hello) + frame(PING), [said], "fail", 1)

    two = frame(TEXT, b"fragment1", fin=False) + frame(CONTINUE, b"fragment2")
    both = [("text", b"fragment1fragment2")]
    yield "5.1", "a ping in two fragments", frame(PING, b"fragment1", fin=False) + frame(CONTINUE, b"fragment2"), [], "fail"
    yield "5.2", "a pong in two fragments", frame(PONG, b"fragment1", fin=False) + frame(CONTINUE, b"fragment2"), [], "fail"
    for i, chop in enumerate((0, 9, 1)):
        yield f"5.{3 + i}", f"a text in two fragments{', chopped' if chop else ''}", two, both, "echo", chop
    pinged = frame(TEXT, b"fragment1", fin=False) + frame(PING, b"ping") + frame(CONTINUE, b"fragment2")
    for i, chop in enumerate((0, 9, 1)):
        yield f"5.{6 + i}", f"a text in two fragments with a ping between{', chopped' if chop else ''}", pinged, [("pong", b"ping"), *both], "echo", chop
    for i, chop in enumerate((0, 9, 1)):
        yield (f"5.{9 + i}", f"a continuation of nothing, then a text{', chopped' if chop else ''}",
               frame(CONTINUE, b"non-continuation") + frame(TEXT, hello), [], "fail", chop)
    for i, chop in enumerate((0, 9, 1)):
        yield (f"5.{12 + i}", f"a continuation of nothing that goes on, then a text{', chopped' if chop else ''}",
               frame(CONTINUE, b"non-continuation", fin=False) + frame(TEXT, hello), [], "fail", chop)
    yield ("5.15", "a text in two fragments, then a continuation of nothing", two + frame(CONTINUE, b"fragment3", fin=False) + frame(TEXT, b"fragment4"),
           both, "fail")
    for i, fin in enumerate((False, True)):
        yield (f"5.{16 + i}", f"continuations before their beginning, with the last bit {int(fin)}",
               (frame(CONTINUE, b"fragment1", fin=fin) + frame(TEXT, b"fragment2", fin=False) + frame(CONTINUE, b"fragment3")) * 2, [], "fail")
    yield "5.18", "a text whose second fragment says text again", frame(TEXT, b"fragment1", fin=False) + frame(TEXT, b"fragment2"), [], "fail"
    five = (frame(TEXT, b"fragment1", fin=False) + frame(CONTINUE, b"fragment2", fin=False) + frame(PING, b"pongme 1!") +
            frame(CONTINUE, b"fragment3", fin=False) + frame(CONTINUE, b"fragment4", fin=False) + frame(PING, b"pongme 2!") + frame(CONTINUE, b"fragment5"))
    heard = [("pong", b"pongme 1!"), ("pong", b"pongme 2!"), ("text", b"".join(b"fragment%d" % i for i in range(1, 6)))]
    yield "5.19", "a text in five fragments with pings between", five, heard, "echo"
    yield "5.20", "the same, chopped", five, heard, "echo", 9

    yield "6.1.1", "a text of no bytes", frame(TEXT), [("text", b"")], "echo"
    yield "6.1.2", "a text in three fragments of no bytes", frame(TEXT, fin=False) + frame(CONTINUE, fin=False) + frame(CONTINUE), [("text", b"")], "echo"
    yield ("6.1.3", "a text in three fragments, the middle one with bytes",
           frame(TEXT, fin=False) + frame(CONTINUE, b"middle frame payload", fin=False) + frame(CONTINUE), [("text", b"middle frame payload")], "echo")
    good = "Hello-µ@ßöäüàá-UTF-8!!".encode()
    kosme = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
    bad = kosme + b"\xed\xa0\x80" + b"edited"
    worse = kosme + b"\xf4\x90\x80\x80" + b"edited"
    yield "6.2.1", "valid UTF-8 in one frame", frame(TEXT, good), [("text", good)], "echo"
    yield "6.2.2", "valid UTF-8 in two fragments between characters", frame(TEXT, good[:7], fin=False) + frame(CONTINUE, good[7:]), [("text", good)], "echo"
    yield "6.2.3", "valid UTF-8 in fragments of one byte", fragments(TEXT, good, 1), [("text", good)], "echo"
    yield "6.2.4", "other valid UTF-8 in fragments of one byte", fragments(TEXT, kosme, 1), [("text", kosme)], "echo"
    yield "6.3.1", "invalid UTF-8 in one frame", frame(TEXT, bad), [], "fail"
    yield "6.3.2", "invalid UTF-8 in fragments of one byte", fragments(TEXT, bad, 1), [], "fail"
    yield ("6.4.1", "invalid UTF-8 in the second of three fragments",
           frame(TEXT, kosme, fin=False) + frame(CONTINUE, b"\xf4\x90\x80\x80", fin=False) + frame(CONTINUE, b"edited"), [], "fail")
    yield ("6.4.2", "a character that becomes invalid in the second fragment",
           frame(TEXT, kosme + b"\xf4", fin=False) + frame(CONTINUE, b"\x90", fin=False) + frame(CONTINUE, b"\x80\x80edited"), [], "fail")
    yield "6.4.3", "invalid UTF-8 in one frame that comes in pieces", frame(TEXT, worse), [], "fail", 12
    yield "6.4.4", "the same, one byte at a time", frame(TEXT, worse), [], "fail", 1
    for number, payload, valid in utf8_cases():
        yield number, f"{'valid' if valid else 'invalid'} UTF-8 {payload[:12].hex(' ')}", frame(TEXT, payload), [("text", payload)] if valid else [], "echo" if valid else "fail"

    def closes(*payload):
        return frame(CLOSE, *payload)
    yield "7.1.1", "a text, then a close", frame(TEXT, hello) + closes(b"\x03\xe8"), [said], "echo", 0, False
    yield "7.1.2", "two closes", closes(b"\x03\xe8") * 2, [], "echo", 0, False
    yield "7.1.3", "a ping behind the close", closes(b"\x03\xe8") + frame(PING), [], "echo", 0, False
    yield "7.1.4", "a text behind the close", closes(b"\x03\xe8") + frame(TEXT, hello), [], "echo", 0, False
    yield ("7.1.5", "a text whose second fragment is behind the close",
           frame(TEXT, b"fragment1", fin=False) + closes(b"\x03\xe8") + frame(CONTINUE, b"fragment2"), [], "echo", 0, False)
    yield ("7.1.6", "256 KiB, a text, the close and a ping", frame(TEXT, b"BAsd7&jh23" * 26_215) + frame(TEXT, hello) + closes(b"\x03\xe8") + frame(PING),
           [("text", b"BAsd7&jh23" * 26_215), said], "echo", 0, False)
    yield "7.3.1", "a close without payload", closes(), [], "echo", 0, False
    yield "7.3.2", "a close of one byte", closes(b"a"), [], "fail"
    yield "7.3.3", "a close with a code", closes(b"\x03\xe8"), [], 1000
    yield "7.3.4", "a close with a reason", closes(b"\x03\xe8Hello World!"), [], 1000
    yield "7.3.5", "a close with a reason of 123 bytes", closes(b"\x03\xe8" + b"*" * 123), [], 1000
    yield "7.3.6", "a close with a reason of 124 bytes", closes(b"\x03\xe8" + b"*" * 124), [], "fail"
    yield "7.5.1", "a close whose reason is no UTF-8", closes(b"\x03\xe8" + bad), [], "fail"
    for i, code in enumerate((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)):
        yield f"7.7.{i + 1}", f"a close with code {code}", closes(struct.pack("!H", code)), [], code
    for i, code in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)):
        yield f"7.9.{i + 1}", f"a close with code {code}, which none may have", closes(struct.pack("!H", code)), [], "fail"
    for i, code in enumerate((5000, 65535)):
        yield f"7.13.{i + 1}", f"a close with code {code}", closes(struct.pack("!H", code)), [], "fail"

    for number, opcode, kind in (("9.1", TEXT, "text"), ("9.2", BINARY, "binary")):
        for i, kib in enumerate((64, 256, 1024, 4096, 8192, 16384)):
            payload = b"*" * (kib * 1024)
            yield f"{number}.{i + 1}", f"{kind} of {kib} KiB", frame(opcode, payload), [(kind, payload)], "echo"
    for number, opcode, kind in (("9.3", TEXT, "text"), ("9.4", BINARY, "binary")):
        payload = b"*" * (4 << 20)
        for i, size in enumerate((64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304)):
            yield f"{number}.{i + 1}", f"{kind} of 4 MiB in fragments of {size}", fragments(opcode, payload, size), [(kind, payload)], "echo"
    for number, opcode, kind in (("9.5", TEXT, "text"), ("9.6", BINARY, "binary")):
        payload = b"*" * (1 << 20)
        for i, chop in enumerate((64, 128, 256, 512, 1024, 2048)):
            yield f"{number}.{i + 1}", f"{kind} of 1 MiB in chops of {chop}", frame(opcode, payload), [(kind, payload)], "echo", chop
    for number, opcode, kind in (("9.7", TEXT, "text"), ("9.8", BINARY, "binary")):
        for i, size in enumerate((0, 16, 64, 256, 1024, 4096)):
            yield f"{number}.{i + 1}", f"1,000 {kind} messages of {size} bytes", frame(opcode, b"*" * size) * 1000, [(kind, b"*" * size)] * 1000, "echo"
    yield "10.1.1", "a text of 64 KiB in fragments of 1,300", fragments(TEXT, b"*" * 65536, 1300), [("text", b"*" * 65536)], "echo"


def main():
    only = tuple(sys.argv[2:])
    with subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as echo:
        port = int(echo.stdout.readline())
        checks = {}
        for number, fact, *case in cases():
            if not only or number.startswith(only):
                checks[f"{number} {fact}"] = lambda case=case: filter(None, [run_case(port, *case)])
        status = tap.run(checks)
        echo.stdin.close()
    return status


if __name__ == "__main__":
    sys.exit(main())
