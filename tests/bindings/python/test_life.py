"""Garbage collection, threads, event loops, fork and the end of the interpreter."""

import asyncio
import gc
import os
import threading
import time
import weakref

import pytest
import sealwire
from conftest import run
from pair import pair

EXIT_S = 5 if "SEALWIRE_SANITIZED" in os.environ else 1  # which makes every exit slow

def test_a_dropped_node_is_collected_and_ends(url):
    async def scenario():
        async with sealwire.Node(allow="anyone") as server:
            server.route("x")(lambda request: None)
            listener = await server.listen(url)
            node = sealwire.Node().open()
            node.route("x")(lambda request: node)  # a cycle through the handler
            await (await node.connect(listener.ticket)).request("x")  # so the server knows of it as well
            (there,) = server.peers
            gone = weakref.ref(node)
            del node
            await asyncio.sleep(0)  # the event loop lets go of what it has just delivered
            with pytest.warns(ResourceWarning, match="dropped without close"):
                gc.collect()
            assert gone() is None
            assert await there.wait_closed() is not None  # its peers notice
    run(scenario)


def test_closed_nodes_leave_nothing_behind(url):
    async def scenario():
        async def once():
            async with pair(url, routes={"x": lambda request: request.body}) as (server, client, peer):
                await peer.request("x", b"1")
                return [weakref.ref(one) for one in (server, client, peer)]
        references = await once()
        gc.collect()
        assert [one() for one in references] == [None, None, None]
    run(scenario)


def test_requests_and_replies_do_not_pile_up(url):
    async def scenario():
        async def handler(request):
            await asyncio.sleep(0)
            return request.body

        async with pair(url, routes={"x": handler}) as (_, _, peer):
            for _ in range(3):
                await asyncio.gather(*(peer.request("x", b"1") for _ in range(200)))
            await peer.ping()
            gc.collect()
            left = [one for one in gc.get_objects() if isinstance(one, asyncio.Task) and "_answer" in repr(one)]
            assert left == []
    run(scenario)


def test_two_event_loops_in_two_threads(url):
    ready, done = threading.Event(), threading.Event()
    ticket, errors = [], []

    def serve():
        async def main():
            async with sealwire.Node(allow="anyone") as node:
                node.route("thread")(lambda request: threading.current_thread().name)
                ticket.append((await node.listen(url)).ticket)
                ready.set()
                await asyncio.get_running_loop().run_in_executor(None, done.wait)
        try:
            asyncio.run(main())
        except BaseException as error:
            errors.append(error)
            ready.set()

    thread = threading.Thread(target=serve, name="the server's")
    thread.start()
    try:
        assert ready.wait(20)

        async def scenario():
            async with sealwire.Node() as node:
                peer = await node.connect(ticket[0])
                assert (await peer.request("thread")).text() == "the server's"
        run(scenario)
    finally:
        done.set()
        thread.join(20)
    assert not errors and not thread.is_alive()


def test_messages_may_be_sent_from_other_threads(url):
    async def scenario():
        seen, all_there = [], asyncio.Event()

        def handler(request):
            seen.append(request.body)
            if len(seen) == 400:
                all_there.set()

        async with pair(url, routes={"x": handler}) as (_, _, peer):
            loop = asyncio.get_running_loop()

            def work(name):
                for _ in range(50):
                    peer.send_nowait("x", name)
                    asyncio.run_coroutine_threadsafe(peer.send("x", name), loop).result(20)
            threads = [threading.Thread(target=work, args=(b"%d" % n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            await all_there.wait()
            for thread in threads:
                await loop.run_in_executor(None, thread.join)
            assert sorted(seen) == sorted(b"%d" % n for n in range(4) for _ in range(100))
    run(scenario)


def test_several_event_loops_one_after_another(url):
    for _ in range(3):
        async def scenario():
            async with pair(url, routes={"x": lambda request: None}) as (_, _, peer):
                await peer.request("x")
        run(scenario)


LEFT_OPEN = """
import asyncio, sys, time
import sealwire

async def main(how):
    server = sealwire.Node(allow="anyone").open()
    server.route("forever")(lambda request: asyncio.Event().wait())
    server.route("echo")(lambda request: request.body)
    listener = await server.listen("tcp://127.0.0.1:0")
    client = sealwire.Node().open()
    peer = await client.connect(listener.ticket)
    assert (await peer.request("echo", b"1")).body == b"1"
    keep.extend([server, client, peer, asyncio.ensure_future(peer.request("forever"))])
    await peer.ping()
    print(time.time(), flush=True)
    if how == "exit":
        sys.exit(0)
    if how == "raise":
        raise KeyboardInterrupt

keep = []
how = sys.argv[1]
if how == "loop":
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main(how))
    print(time.time(), flush=True)
else:
    asyncio.run(main(how))
"""


@pytest.mark.parametrize("how", ["return", "exit", "raise", "loop"] + ["return"] * 6)
def test_the_interpreter_exits_within_a_second_with_open_connections(script, how):
    result = script(LEFT_OPEN, how)
    left = time.time() - float(result.stdout.split()[-1])
    assert result.returncode in ((0,) if how != "raise" else (130, -2, 1)), result.stderr
    assert "Fatal" not in result.stderr and "Segmentation" not in result.stderr
    assert left < EXIT_S


# Forked between two turns of the event loop: its epoll descriptor is shared by both, so the child must not run it.
FORK = """
import asyncio, os, sys, time
import sealwire

async def begin():
    server, client = sealwire.Node(allow="anyone").open(), sealwire.Node().open()
    server.route("echo")(lambda request: request.body)
    peer = await client.connect((await server.listen("tcp://127.0.0.1:0")).ticket)
    assert (await peer.request("echo", b"1")).body == b"1"
    return server, client, peer

async def end():
    assert (await peer.request("echo", b"2")).body == b"2"
    await client.close()
    await server.close()

loop = asyncio.new_event_loop()
server, client, peer = loop.run_until_complete(begin())
pid = os.fork()
if pid == 0:
    for call in (lambda: peer.send_nowait("echo"), lambda: client.allow([]), lambda: peer.request("echo").send(None),
                 lambda: client.close().send(None), sealwire.Identity.generate):
        try:
            call()
        except sealwire.ForkedError as error:
            assert error.code == "fork" and "parent" in error.hint, (error.code, error.hint)
        except StopIteration:
            pass  # close() has nothing to wait for
        else:
            os._exit(3)
    print("forked", time.time(), flush=True)
    sys.exit(0)  # with all finalisers
_, status = os.waitpid(pid, 0)
print(time.time(), flush=True)
loop.run_until_complete(end())
loop.close()
print("status", status, flush=True)
"""


def test_the_child_of_a_fork_gets_a_clear_error_and_exits(script):
    result = script(FORK)
    assert result.returncode == 0, result.stderr
    word, forked, exited, _, status = result.stdout.split()
    assert (word, status) == ("forked", "0"), result.stderr
    assert float(exited) - float(forked) < EXIT_S


def test_an_exception_that_escapes_leaves_nothing_hanging(script):
    result = script("""
import asyncio, sealwire
async def main():
    async with sealwire.Node(allow="anyone") as a, sealwire.Node() as b:
        await b.connect((await a.listen("tcp://127.0.0.1:0")).ticket)
        raise ValueError("the program's own")
asyncio.run(main())
""")
    assert result.returncode == 1 and "the program's own" in result.stderr
    assert "sealwire" not in result.stderr.split("ValueError")[-1]


STRAY = """
import asyncio, os, socket, sealwire

threads = 2 if "libtsan" in os.environ.get("LD_PRELOAD", "") else 1  # that runtime has one of its own
silent = socket.create_server(("127.0.0.1", 0))  # a dial to it never ends by itself
ticket = f"tcp://127.0.0.1:{silent.getsockname()[1]}#{sealwire.Identity.generate().id}"
kept = []

async def left_open():
    node = sealwire.Node().open()
    kept.append((node, asyncio.ensure_future(node.connect(ticket))))
    kept.append(await asyncio.get_running_loop().sock_accept(silent))  # it waits for message 2

silent.setblocking(False)
for _ in range(40):
    # asyncio.run cancels what runs and ends the loop; the node's own thread then has its last events to tell.
    asyncio.run(left_open())
    # These take the numbers of the descriptors that were closed.
    pairs = [end for _ in range(8) for end in socket.socketpair()]
    while len(os.listdir("/proc/self/task")) > threads:
        os.sched_yield()
    for end in pairs:
        end.setblocking(False)
        try:
            raise SystemExit(f"{end.recv(16)!r} came from nowhere")
        except BlockingIOError:
            pass
    for end in pairs:
        end.close()
print("no stray byte")
"""


def test_a_node_left_open_at_the_end_of_its_loop_writes_to_no_descriptor_of_others(script):
    result = script(STRAY)
    assert result.stdout == "no stray byte\n" and "Traceback" not in result.stderr, result.stdout + result.stderr
