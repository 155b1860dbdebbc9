"""A proxy for one connection that does it harm: slices, delays, corrupts, cuts or resets at a place given by a seed."""

import errno
import select
import socket
import struct
import threading

QUIET_S = 0.5  # a length that was corrupted makes its reader wait: then the connection is cut


class Proxy:
    """Listens on a transport's kind of socket and passes on to `upstream`. `place` = (direction, offset) counts bytes from
    arm() on, direction 0 being from the client to the server. `at_place` is called there for the fault "kill"."""

    def __init__(self, transport, listen_path, upstream, fault, place, rng, at_place=None):
        self.transport, self.upstream, self.fault, self.place, self.rng = transport, upstream, fault, place, rng
        self.at_place = at_place
        self.armed = self.fired = False
        self.error = None
        self.passed = [0, 0]
        family = socket.AF_UNIX if transport == "unix" else socket.AF_INET
        self.family = family
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.bind(listen_path if transport == "unix" else ("127.0.0.1", 0))
        self.listener.listen(1)
        self.address = f"unix://{listen_path}"
        if transport != "unix":
            self.address = f"{transport}://127.0.0.1:{self.listener.getsockname()[1]}{'/matrix' if transport == 'ws' else ''}"
        self.stop_read, self.stop_write = socket.socketpair()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def arm(self):
        self.armed = True

    def stop(self):
        self.stop_write.close()
        self.thread.join()
        self.stop_read.close()
        self.listener.close()

    def _run(self):
        try:
            ready, _, _ = select.select([self.listener, self.stop_read], [], [])
            if self.stop_read in ready:
                return
            client, _ = self.listener.accept()
            server = socket.socket(self.family, socket.SOCK_STREAM)
            server.connect(self.upstream)
            self.ends = [client, server]
            if self.transport != "unix":
                for end in self.ends:
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                self._pass_on()
            finally:
                for end in self.ends:
                    end.close()
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):  # an end went away: so some faults want it
                self.error = error

    def _pass_on(self):
        open_ends = list(self.ends)
        while open_ends:
            corrupted = self.fired and self.fault == "corrupt"
            ready, _, _ = select.select([*open_ends, self.stop_read], [], [], QUIET_S if corrupted else None)
            if self.stop_read in ready or not ready:
                return
            for source in ready:
                direction = self.ends.index(source)
                target = self.ends[1 - direction]
                data = source.recv(65536)
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    open_ends.remove(source)
                elif not self._send(direction, target, data):
                    return

    def _send(self, direction, target, data):
        """False: the connection is to end now."""
        if self.fault == "slice":
            for i in range(len(data)):
                target.sendall(data[i:i + 1])
            self.fired = True
            return True
        if self.fault == "delay":
            while data:
                size = self.rng.randint(1, 4000)
                select.select([self.stop_read], [], [], self.rng.random() * 0.004)
                target.sendall(data[:size])
                data = data[size:]
            self.fired = True
            return True
        if not self.armed or self.fired or direction != self.place[0]:
            target.sendall(data)
            return True
        at = self.place[1] - self.passed[direction]
        self.passed[direction] += len(data)
        if at >= len(data):
            target.sendall(data)
            return True
        self.fired = True
        if self.fault == "corrupt":
            target.sendall(data[:at] + bytes([data[at] ^ 1 << self.rng.randrange(8)]) + data[at + 1:])
            return True
        target.sendall(data[:at])
        if self.fault == "kill":
            self.at_place()
            return True
        if self.fault == "reset" and self.transport != "unix":
            for end in self.ends:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
