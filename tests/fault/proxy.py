"""A proxy that does harm to connections: slices, delays, corrupts, cuts, resets, goes silent, at places given by a seed."""

import errno
import select
import socket
import struct
import threading

QUIET_S = 0.5  # a length that was corrupted makes its reader wait: then the connection is cut


class Proxy:
    """Listens on a transport's kind of socket and passes on to `upstream`.

    Of `places`, (direction, offset) each, the first connection is harmed at the first, the next at the second, and so on; further ones
    pass. Bytes of the first count from arm() on; direction 0 is from the client to the server. `on_fire` is called there before anything
    shows, and does the harm of the faults "kill" and "stop". `fired` counts the connections that were harmed."""

    def __init__(self, transport, listen_path, upstream, fault, places, rng, on_fire):
        self.transport, self.upstream, self.fault, self.places, self.rng = transport, upstream, fault, places, rng
        self.on_fire = on_fire
        self.armed = False
        self.fired = 0
        self.changed = threading.Condition()
        self.error = None
        self.quiet = False  # a connection was cut as nothing passed any more
        self.family = socket.AF_UNIX if transport == "unix" else socket.AF_INET
        self.listener = socket.socket(self.family, socket.SOCK_STREAM)
        self.listener.bind(listen_path if transport == "unix" else ("127.0.0.1", 0))
        self.listener.listen(8)
        self.address = f"unix://{listen_path}"
        if transport != "unix":
            path = "/matrix" if transport.startswith("ws") else ""
            self.address = f"{transport}://127.0.0.1:{self.listener.getsockname()[1]}{path}"
        self.stop_read, self.stop_write = socket.socketpair()
        self.threads = [threading.Thread(target=self._run)]
        self.threads[0].start()

    def arm(self):
        self.armed = True

    def wait_fired(self, count, seconds):
        with self.changed:
            return self.changed.wait_for(lambda: self.fired >= count, seconds)

    def stop(self):
        self.stop_write.close()
        for thread in self.threads:  # the first, which starts the others, is over before them
            thread.join()
        self.stop_read.close()
        self.listener.close()

    def _run(self):
        while self.stop_read not in select.select([self.listener, self.stop_read], [], [])[0]:
            client, _ = self.listener.accept()
            place = self.places[len(self.threads) - 1] if len(self.threads) <= len(self.places) else None
            self.threads.append(threading.Thread(target=self._serve, args=(client, place)))
            self.threads[-1].start()

    def _serve(self, client, place):
        server = socket.socket(self.family, socket.SOCK_STREAM)
        try:
            server.connect(self.upstream)
            if self.transport != "unix":
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _Connection(self, [client, server], place).pass_on()
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ECONNREFUSED):  # an end went away: so some faults want it
                self.error = error
        finally:
            client.close()
            server.close()

    def note_fired(self):
        self.on_fire()
        with self.changed:
            self.fired += 1
            self.changed.notify_all()


class _Connection:
    def __init__(self, proxy, ends, place):
        self.proxy, self.ends, self.place = proxy, ends, place
        self.fault, self.stop_read = proxy.fault, proxy.stop_read
        self.fired = False
        self.passed = [0, 0]

    def pass_on(self):
        open_ends = list(self.ends)
        while open_ends:
            corrupted = self.fired and self.fault == "corrupt"
            ready, _, _ = select.select([*open_ends, self.stop_read], [], [], QUIET_S if corrupted else None)
            if not ready:
                self.proxy.quiet = True
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

    def _fire(self):
        if not self.fired:
            self.fired = True
            self.proxy.note_fired()

    def _send(self, direction, target, data):
        """False: the connection is to end now."""
        if self.fault == "slice":
            for i in range(len(data)):
                target.sendall(data[i:i + 1])
            self._fire()
            return True
        if self.fault == "delay":
            while data:
                size = self.proxy.rng.randint(1, 4000)
                select.select([self.stop_read], [], [], self.proxy.rng.random() * 0.004)
                target.sendall(data[:size])
                data = data[size:]
            self._fire()
            return True
        if not self.proxy.armed or not self.place or self.fired or direction != self.place[0]:
            target.sendall(data)
            return True
        at = self.place[1] - self.passed[direction]
        self.passed[direction] += len(data)
        if at >= len(data):
            target.sendall(data)
            return True
        if self.fault == "corrupt":
            self._fire()
            target.sendall(data[:at] + bytes([data[at] ^ 1 << self.proxy.rng.randrange(8)]) + data[at + 1:])
            return True
        target.sendall(data[:at])
        if self.fault in ("kill", "stop"):
            self._fire()
            target.sendall(data[at:])
            return True
        if self.fault == "half-open":  # nothing passes any more, and nobody is told
            self._fire()
            select.select([self.stop_read], [], [])
            return False
        if self.fault == "reset" and self.proxy.transport != "unix":
            for end in self.ends:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._fire()
        return False
