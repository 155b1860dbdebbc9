"""The peers `pyzmq` and `pyzmq-asyncio`, each with or without --curve: the sockets and patterns of zmq_bench.c."""

import asyncio
import pathlib
import time

import zmq
import zmq.asyncio

import bench_common as bench


def open_socket(context, options, kind):
    socket = context.socket(kind)
    if options.outstanding > 500:
        socket.set_hwm(options.outstanding * 2)
    return socket


def bind(context, options):
    socket = open_socket(context, options, zmq.PULL if options.kind == 3 else zmq.ROUTER)
    if options.curve:
        public, socket.curve_secretkey = zmq.curve_keypair()
        socket.curve_server = True
        pathlib.Path(options.state, "curve.pub").write_bytes(public)
    socket.bind("tcp://127.0.0.1:*")
    bench.emit_ready(socket.last_endpoint.decode())
    return socket


def connect(context, options):
    socket = open_socket(context, options, zmq.PUSH if options.kind == 3 else zmq.DEALER)
    if options.curve:
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
        socket.curve_serverkey = pathlib.Path(options.state, "curve.pub").read_bytes()
    socket.connect(options.address)
    return socket


def serve(options):
    socket, tally, last = bind(zmq.Context(), options), bench.Tally(options), False
    while not last:
        if options.kind == 3:
            last = tally.add(socket.recv())
        else:
            identity, message = socket.recv_multipart()
            last = tally.add(message)
            socket.send_multipart([identity, message])
    tally.emit()


def ask(options):
    context = zmq.Context()
    socket = connect(context, options)
    if options.kind == 3:
        pace, sent = bench.Pace(options), 0
        while pace.more(sent):
            socket.send(bench.make_message(options.size, sent))
            sent += 1
        socket.send(bench.make_message(options.size, sent, last=True))
        bench.emit_client(options, sent, 0)
    else:
        socket.send(bench.make_message(options.size, 0))  # connected before the clock starts
        socket.recv()
        requests = bench.Requests(options)
        for _ in range(requests.first_requests()):
            socket.send(requests.next())
        while requests.received < requests.sent:
            if requests.take(socket.recv()):
                socket.send(requests.next())
        elapsed = time.perf_counter() - requests.pace.start
        socket.send(bench.make_message(options.size, requests.sent + 1, last=True))
        socket.recv()
        requests.emit(elapsed)
    socket.close()
    context.term()


async def serve_async(options):
    socket, tally, last = bind(zmq.asyncio.Context(), options), bench.Tally(options), False
    while not last:
        if options.kind == 3:
            last = tally.add(await socket.recv())
        else:
            identity, message = await socket.recv_multipart()
            last = tally.add(message)
            await socket.send_multipart([identity, message])
    tally.emit()
    socket.close()


async def ask_async(options):
    context = zmq.asyncio.Context()
    socket = connect(context, options)
    if options.kind == 3:
        pace, sent = bench.Pace(options), 0
        while pace.more(sent):
            await socket.send(bench.make_message(options.size, sent))
            sent += 1
        await socket.send(bench.make_message(options.size, sent, last=True))
        bench.emit_client(options, sent, 0)
    else:
        await socket.send(bench.make_message(options.size, 0))
        await socket.recv()
        requests = bench.Requests(options)
        for _ in range(requests.first_requests()):
            await socket.send(requests.next())
        while requests.received < requests.sent:
            if requests.take(await socket.recv()):
                await socket.send(requests.next())
        elapsed = time.perf_counter() - requests.pace.start
        await socket.send(bench.make_message(options.size, requests.sent + 1, last=True))
        await socket.recv()
        requests.emit(elapsed)
    socket.close()
    context.term()


def main():
    options = bench.parse(__doc__)
    server = options.role == "server"
    if options.asyncio:
        asyncio.run((serve_async if server else ask_async)(options))
    else:
        (serve if server else ask)(options)


if __name__ == "__main__":
    main()
