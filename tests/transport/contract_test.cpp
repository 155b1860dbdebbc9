// The contract of a byte pipe, run over each transport.
#include <doctest.h>

#include "support/scale.h"
#include "transport/world.h"

using namespace sealwire;
using namespace sealwire::transport_test;

namespace {

// Runs the body over each transport, in a world of its own.
template <class Body>
void over_each(Body body) {
    for (const Kind kind : kKinds) {
        INFO("transport: " << std::string(name_of(kind)));
        World world(kind);
        body(world, kind);
    }
}

// Writes until the pipe and the system behind it take no more; the peer must not be reading. Returns how much they took.
size_t fill(World& world, End& end) {
    const std::vector<uint8_t> block(64 * 1024, 'x');
    const Bytes blocks[] = {block};
    size_t total = 0;
    bool more = true;
    end.when_writable = [&] { more = true; };
    while (more) {
        more = false;
        size_t taken;
        do {
            taken = end.try_write(blocks);
            total += taken;
            REQUIRE(total < 64'000'000);
        } while (taken == block.size());
        // Several turns of the loop, also where the machine is busy: what is on its way may pass through several sockets.
        for (int turn = 0; turn < 20 && !more; ++turn) world.loop->run_until([&] { return more; }, 3 * kMillisecond);
    }
    end.when_writable = nullptr;
    return total;
}

// Writes single bytes until the end is told that its peer has gone.
void write_until_error(World& world, End& end) {
    for (int i = 0; i < 10'000 && end.errors.empty(); ++i) {
        end.try_write("x");
        world.loop->run_until([&] { return !end.errors.empty(); }, kMillisecond);
    }
    REQUIRE(end.errors.size() == 1);
}

}  // namespace

TEST_CASE("what is sent is echoed unchanged, from 1 byte to 10 MiB in random blocks") {
    over_each([](World& world, Kind kind) {
        std::vector<size_t> sizes = {1, 2, 100, 65'536, 1 << 20};
        if (kind != Kind::memory_sliced) sizes.push_back(10 << 20);  // that link carries 20 KB a millisecond
        for (const size_t size : sizes) {
            CAPTURE(size);
            Duo duo = world.pair();
            duo.server->keep = false;
            duo.server->when_bytes = [&](Bytes bytes) {
                duo.server->outgoing.insert(duo.server->outgoing.end(), bytes.begin(), bytes.end());
                duo.server->pump();
            };
            const std::vector<uint8_t> bytes = random_bytes(size, static_cast<uint32_t>(size));
            duo.client->send(bytes);
            REQUIRE(world.until([&] { return duo.client->received.size() >= size || duo.client->over(); }));
            CHECK((duo.client->received == bytes));
            CHECK(duo.client->errors.empty());
            CHECK(duo.server->errors.empty());
        }
    });
}

TEST_CASE("both directions carry their bytes in order at the same time, each up to its end") {
    over_each([](World& world, Kind) {
        Duo duo = world.pair();
        const std::vector<uint8_t> there = random_bytes(700'000, 1);
        const std::vector<uint8_t> back = random_bytes(900'000, 2);
        duo.client->end_after_sending = duo.server->end_after_sending = true;
        duo.client->send(there, 3);
        duo.server->send(back, 4);
        REQUIRE(world.until([&] { return duo.client->over() && duo.server->over(); }));
        CHECK(duo.client->ended);
        CHECK(duo.server->ended);
        CHECK((duo.server->received == there));
        CHECK((duo.client->received == back));
    });
}

TEST_CASE("ten thousand writes of at most one byte arrive in order") {
    over_each([](World& world, Kind) {
        Duo duo = world.pair();
        const std::vector<uint8_t> bytes = random_bytes(10'000, 5);
        for (const uint8_t byte : bytes) {
            duo.client->outgoing.push_back(byte);
            const Bytes block(&byte, 1);
            if (duo.client->sent + 1 == duo.client->outgoing.size())
                duo.client->sent += duo.client->try_write({&block, 1});
        }
        duo.client->largest_block = 1;
        REQUIRE(world.until([&] { return duo.server->received.size() >= bytes.size() || duo.server->over(); }));
        CHECK((duo.server->received == bytes));
    });
}

TEST_CASE("after the end of one direction the other still carries bytes") {
    over_each([](World& world, Kind) {
        Duo duo = world.pair();
        const std::vector<uint8_t> question = random_bytes(100'000, 6);
        const std::vector<uint8_t> answer = random_bytes(300'000, 7);
        duo.client->end_after_sending = true;
        duo.server->end_after_sending = true;
        bool whole = false;
        duo.server->when_end = [&] {
            whole = duo.server->received == question;
            duo.server->outgoing = answer;
            duo.server->end_sent = false;
            duo.server->pump();
        };
        duo.client->send(question);
        REQUIRE(world.until([&] { return duo.client->over(); }));
        CHECK(whole);
        CHECK(duo.client->ended);
        CHECK((duo.client->received == answer));
        CHECK(duo.client->try_write("more") == 0);
        duo.client->close();
        duo.server->close();
        REQUIRE(world.until([&] { return duo.client->done() && duo.server->done(); }));
        CHECK(duo.client->errors.empty());
        CHECK(duo.server->errors.empty());
    });
}

TEST_CASE("a pipe may be closed from each of its callbacks, and destroyed too") {
    over_each([](World& world, Kind) {
        for (const bool destroy : {false, true}) {
            for (const std::string place : {"bytes", "writable", "end", "error", "closed"}) {
                CAPTURE(destroy);
                CAPTURE(place);
                Duo duo = world.pair();
                End& end = *duo.client;
                bool reached = false;
                const auto finish = [&] {
                    reached = true;
                    if (destroy) {
                        end.destroy();
                    } else {
                        end.close();
                        end.close();
                        CHECK(end.try_write("x") == 0);
                    }
                };
                if (place == "bytes") {
                    end.when_bytes = [&](Bytes) { finish(); };
                    duo.server->send(random_bytes(1000, 1));
                } else if (place == "writable") {
                    duo.server->set_reading(false);
                    fill(world, end);
                    end.when_writable = finish;
                    duo.server->set_reading(true);
                } else if (place == "end") {
                    end.when_end = finish;
                    duo.server->shutdown_write();
                } else if (place == "error") {
                    end.when_error = finish;
                    duo.server->close();
                    REQUIRE(world.until([&] { return duo.server->done() && end.over(); }));
                    write_until_error(world, end);
                } else {
                    end.when_closed = finish;
                    end.close();
                }
                REQUIRE(world.until([&] { return reached && (destroy || end.done()); }));
                if (!duo.server->done()) duo.server->close();
                REQUIRE(world.until([&] { return duo.server->done(); }));
                CHECK(end.closed == (destroy && place != "closed" ? 0 : 1));
            }
        }
    });
}

TEST_CASE("the accepted pipe and the connected pipe may be closed from the callback that brings them") {
    over_each([](World& world, Kind) {
        world.listen();
        world.acceptor.when_accept = [](End& end) {
            end.start();
            end.close();
        };
        Connector connector;
        connector.when_connected = [&] {
            connector.connecting.reset();
            connector.end->start();
            connector.end->close();
        };
        world.connect(connector, world.place());
        REQUIRE(world.until([&] {
            return connector.end && connector.end->done() && !world.acceptor.accepted.empty() &&
                   world.acceptor.accepted.front()->done();
        }));
        CHECK(connector.told == 1);
    });
}

TEST_CASE("connecting to where nobody listens is refused, told once and in a later turn") {
    over_each([](World& world, Kind) {
        world.listen();
        const std::string place = world.place();
        world.acceptor.close();
        REQUIRE(world.until([&] { return world.acceptor.closed == 1; }));
        Connector connector;
        connector.when_failed = [&] { connector.connecting.reset(); };
        world.connect(connector, place);
        CHECK(connector.told == 0);
        REQUIRE(world.until([&] { return connector.told > 0; }));
        CHECK(connector.error.code == Errc::refused);
        CHECK_FALSE(connector.error.detail.empty());
        CHECK(connector.told == 1);
        REQUIRE(connector.tried.size() == 1);
        CHECK(connector.tried[0].second.code == Errc::ok);
    });
}

TEST_CASE("what is told to be tried is what the pipe is then connected to") {
    over_each([](World& world, Kind kind) {
        if (!is_socket(kind)) return;
        world.listen();
        Connector connector;
        world.connect(connector, world.place());
        REQUIRE(world.until([&] { return connector.told > 0; }));
        REQUIRE(connector.end);
        REQUIRE(connector.tried.size() == 1);
        CHECK(connector.tried[0].first == connector.end->pipe->remote_address());
    });
}

TEST_CASE("a peer that does not read stops the writer, and lets it go on when it reads again") {
    over_each([](World& world, Kind) {
        Duo duo = world.pair();
        duo.server->set_reading(false);
        const size_t total = fill(world, *duo.client);
        const int before = duo.client->writable;
        CHECK(total > 0);
        CHECK(duo.client->try_write("x") == 0);
        CHECK_FALSE(world.loop->run_until([&] { return duo.client->writable > before; }, 20 * kMillisecond));
        CHECK(duo.server->received_bytes == 0);
        const std::vector<uint8_t> rest = random_bytes(500'000, 8);
        duo.client->outgoing = rest;
        duo.client->end_after_sending = true;
        duo.server->set_reading(true);
        REQUIRE(world.until([&] { return duo.server->over(); }));
        CHECK(duo.client->writable > before);
        REQUIRE(duo.server->received.size() == total + rest.size());
        CHECK(std::equal(rest.begin(), rest.end(), duo.server->received.begin() + static_cast<ptrdiff_t>(total)));
    });
}

TEST_CASE("reading can be turned off and on from on_bytes, and off means off at once") {
    over_each([](World& world, Kind) {
        Duo duo = world.pair();
        const std::vector<uint8_t> bytes = random_bytes(600'000, 9);
        int pauses = 0;
        Timer resume(world.loop->timers(), [&] { duo.server->set_reading(true); });
        duo.server->when_bytes = [&](Bytes) {
            duo.server->set_reading(false);  // End checks that no bytes come while it is off
            ++pauses;
            resume.set(0);
        };
        duo.client->end_after_sending = true;
        duo.client->send(bytes);
        REQUIRE(world.until([&] { return duo.server->over(); }));
        CHECK((duo.server->received == bytes));
        CHECK(pauses > 1);
    });
}

TEST_CASE("writing to a peer that has gone is an error told once, by a callback and never by a signal") {
    over_each([](World& world, Kind) {
        Duo duo = world.pair();
        duo.server->close();
        REQUIRE(world.until([&] { return duo.server->done() && duo.client->over(); }));
        write_until_error(world, *duo.client);
        CHECK(duo.client->errors.front().code == Errc::peer_lost);
        CHECK(duo.client->try_write("x") == 0);
        duo.client->close();
        REQUIRE(world.until([&] { return duo.client->done(); }));
        CHECK(duo.client->closed == 1);
    });
}

TEST_CASE("the last bytes of a peer that closes at once arrive before the end") {
    over_each([](World& world, Kind) {
        Duo duo = world.pair();
        duo.server->try_write("good bye");
        duo.server->close();
        REQUIRE(world.until([&] { return duo.client->over(); }));
        CHECK(duo.client->text() == "good bye");
        CHECK(duo.client->ended);
    });
}

TEST_CASE("the last bytes of a peer are handed out before the failure of a write is told") {
    over_each([](World& world, Kind) {
        Duo duo = world.pair();
        duo.server->try_write("the reason");
        duo.server->close();
        // Fails at once or not, by transport; either way the peer's bytes wait in front of it.
        for (int i = 0; i < 3; ++i) duo.client->try_write("x");
        REQUIRE(world.until([&] { return duo.client->over(); }));
        CHECK(duo.client->text() == "the reason");
    });
}

TEST_CASE("a pipe destroyed before its start, or an attempt destroyed before its end, tells nothing") {
    over_each([](World& world, Kind) {
        world.listen();
        Connector cancelled;
        world.connect(cancelled, world.place());
        cancelled.connecting.reset();
        Connector connector;
        connector.when_connected = [&] { connector.end->destroy(); };
        world.connect(connector, world.place());
        REQUIRE(world.until([&] { return connector.told == 1; }));
        CHECK(cancelled.told == 0);
    });
}

TEST_CASE("a thousand connections and closes leave no descriptor behind, and each end closes once") {
    over_each([](World& world, Kind kind) {
        world.listen();
        const int before = count_descriptors();
        int closed = 0;
        const int rounds = kind == Kind::memory_sliced || test::kSanitized ? 100 : 1000;
        for (int i = 0; i < rounds; ++i) {
            Duo duo = world.pair();
            End& first = i % 2 ? *duo.client : *duo.server;
            End& second = i % 2 ? *duo.server : *duo.client;
            second.when_end = [&] { second.close(); };
            first.try_write("x");
            first.close();
            REQUIRE(world.until([&] { return first.done() && second.done(); }));
            closed += first.closed + second.closed;
        }
        CHECK(closed == 2 * rounds);
        CHECK(count_descriptors() == before);
    });
}

TEST_CASE("a listener that closes ends the connections it had not accepted and accepts none any more") {
    over_each([](World& world, Kind) {
        world.listen();
        Connector connectors[5];
        world.acceptor.when_accept = [&](End&) { world.acceptor.close(); };
        for (Connector& connector : connectors) {
            connector.when_connected = [&connector] { connector.end->start(); };
            world.connect(connector, world.place());
        }
        const auto all_told = [&] {
            return std::all_of(std::begin(connectors), std::end(connectors),
                               [](const Connector& c) { return c.told == 1; });
        };
        REQUIRE(world.until([&] { return world.acceptor.closed == 1 && all_told(); }));
        CHECK(world.acceptor.accepted.size() == 1);
        CHECK(world.acceptor.errors.empty());
        // One was accepted; each of the others is refused, reset or ended.
        CHECK(world.until([&] {
            return std::count_if(std::begin(connectors), std::end(connectors),
                                 [](const Connector& c) { return !c.end || c.end->over(); }) == 4;
        }));
    });
}

TEST_CASE("a listener may be destroyed from its on_accept") {
    over_each([](World& world, Kind) {
        world.listen();
        world.acceptor.when_accept = [&](End&) {
            const InCall in_call;
            world.acceptor.listener.reset();
        };
        Connector connectors[3];
        for (Connector& connector : connectors) world.connect(connector, world.place());
        REQUIRE(world.until([&] {
            return !world.acceptor.accepted.empty() && std::all_of(std::begin(connectors), std::end(connectors),
                                                                   [](const Connector& c) { return c.told == 1; });
        }));
        CHECK(world.acceptor.accepted.size() == 1);
        CHECK(world.acceptor.closed == 0);
    });
}

TEST_CASE("addresses are told as URLs that can be connected to, and the remote one outlives the close") {
    over_each([](World& world, Kind kind) {
        Duo duo = world.pair();
        const std::string url = world.acceptor.listener->address();
        CHECK(duo.client->pipe->remote_address() == url);
        CHECK(duo.server->pipe->local_address() == url);
        switch (kind) {
            case Kind::moved:
            case Kind::tcp4: CHECK(url.rfind("tcp://127.0.0.1:", 0) == 0); break;
            case Kind::tcp6: CHECK(url.rfind("tcp://[::1]:", 0) == 0); break;
            case Kind::tls13:
            case Kind::moved_tls:
            case Kind::tls12: CHECK(url.rfind("tls://127.0.0.1:", 0) == 0); break;
            case Kind::unix_path: CHECK(url == "unix://" + world.directory.path() + "/socket"); break;
            case Kind::ws:
            case Kind::wss:
                CHECK(url.rfind(world.scheme() + "://127.0.0.1:", 0) == 0);
                CHECK(url.substr(url.size() - 5) == "/chat");
                break;
            case Kind::unix_abstract: CHECK(url == "unix:@" + world.directory.path()); break;
            default: CHECK(url == "memory://name");
        }
        if (world.scheme() != "memory" && world.scheme() != "unix") {
            CHECK(url.substr(url.size() - 2) != ":0");
            CHECK(duo.server->pipe->remote_address() == duo.client->pipe->local_address());
        }
        if (world.scheme() == "unix") {
            CHECK(duo.server->pipe->remote_address() == "unix:");
            CHECK(duo.server->pipe->peer_uid() == geteuid());
            CHECK(duo.client->pipe->peer_uid() == geteuid());
        } else {
            CHECK_FALSE(duo.server->pipe->peer_uid());
        }
        duo.client->close();
        CHECK(duo.client->pipe->remote_address() == url);
        CHECK(duo.client->pipe->local_address().empty());
        REQUIRE(world.until([&] { return duo.client->done(); }));
        CHECK(duo.client->pipe->remote_address() == url);
    });
}

TEST_CASE("an address where someone listens is in use, and stays theirs") {
    over_each([](World& world, Kind) {
        world.listen();
        Acceptor second;
        const Result<std::unique_ptr<Listener>> listener =
            listen(*world.loop, world.scheme(), world.place(), world.listen_options, second);
        REQUIRE_FALSE(listener);
        CHECK(listener.error().code == Errc::in_use);
        Connector connector;
        world.connect(connector, world.place());
        CHECK(world.until([&] { return connector.told == 1; }));
        CHECK(connector.end != nullptr);
    });
}

TEST_CASE("a scheme that the table does not hold is unsupported") {
    World world;
    Acceptor acceptor;
    Connector connector;
    CHECK(listen(*world.loop, "carrier-pigeon", "x", {}, acceptor).error().code == Errc::unsupported);
    CHECK(connect(*world.loop, "", "x", {}, connector).error().code == Errc::unsupported);
    CHECK(has_scheme("tcp"));
    CHECK(has_scheme("tls"));
    CHECK(has_scheme("unix"));
    CHECK(has_scheme("ws"));
    CHECK(has_scheme("wss"));
    CHECK(has_scheme("memory"));
    CHECK_FALSE(has_scheme("tcp "));
}
