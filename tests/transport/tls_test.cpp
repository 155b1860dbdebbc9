// TLS, below tls:// and wss://: which certificates are refused and how it is told, what strangers can do, resumption, reload.
#include "transport/tls.h"

#include <doctest.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "support/certificates.h"
#include "transport/memory.h"
#include "transport/tls_pipe.h"
#include "transport/world.h"

using namespace sealwire;
using namespace sealwire::transport_test;
using certificates::Issued;
using certificates::Wanted;

namespace {

const Issued& ca() {
    static const Issued issued = certificates::new_ca("right CA");
    return issued;
}

const Issued& other_ca() {
    static const Issued issued = certificates::new_ca("other CA");
    return issued;
}

Wanted for_us() {
    Wanted wanted;
    wanted.hosts = {"right.example", "127.0.0.1", "::1"};
    return wanted;
}

Issued right() { return certificates::issue(for_us(), &ca()); }

TlsOptions with(const Issued& issued) {
    TlsOptions options;
    options.certificate = issued.certificate;
    options.key = issued.key;
    return options;
}

TlsOptions trusting(const Issued& authority) {
    TlsOptions options;
    options.ca = authority.certificate;
    return options;
}

// One listener and one client, with a message in each direction where the handshake lets them.
class Trial {
public:
    Trial(const TlsOptions& server, const TlsOptions& client, Kind kind = Kind::tls13) : world(kind) {
        world.listen_options.tls = context(make_tls_listener_context(server));
        world.connect_options.tls = context(make_tls_client_context(client));
        world.connect_options.resolver = [](const std::string&) {
            return Result<std::vector<std::string>>(std::vector<std::string>{"127.0.0.1"});
        };
        world.acceptor.when_accept = [](End& end) {
            end.start();
            end.try_write("from the server");
        };
        world.listen("127.0.0.1:0");
    }

    // How it ended for the client: ok when it got the server's words.
    Errc run(const std::string& host = "127.0.0.1") {
        world.acceptor.accepted.clear();
        world.acceptor.refused.clear();
        connector = std::make_unique<Connector>();
        const std::string place = world.place();
        world.connect(*connector, host + place.substr(place.rfind(':')));
        REQUIRE(world.until([&] { return connector->told > 0; }));
        if (!connector->end) {
            detail = connector->error.detail;
            return connector->error.code;
        }
        connector->end->start();
        REQUIRE(world.until([&] { return connector->end->over() || !connector->end->received.empty(); }));
        if (connector->end->errors.empty()) return connector->end->ended ? Errc::truncated : Errc::ok;
        detail = connector->end->errors.front().detail;
        return connector->end->errors.front().code;
    }
    // What the listener was told.
    Errc refused() {
        REQUIRE(world.until([&] { return !world.acceptor.refused.empty(); }));
        server_detail = world.acceptor.refused.front().detail;
        return world.acceptor.refused.front().code;
    }

    template <class Context>
    static Context context(Result<Context> made) {
        const std::string why = made ? "" : made.error().detail;
        REQUIRE_MESSAGE(made.has_value(), why);
        return std::move(*made);
    }

    World world;
    std::unique_ptr<Connector> connector;
    std::string detail;
    std::string server_detail;
};

// A variable of the environment that has its value again when the test is over.
class KeptVariable {
public:
    explicit KeptVariable(const char* name) : name_(name) {
        if (const char* value = std::getenv(name)) value_ = value;
    }
    ~KeptVariable() {
        if (value_) setenv(name_, value_->c_str(), 1);
        else unsetenv(name_);
    }
    KeptVariable(const KeptVariable&) = delete;
    KeptVariable& operator=(const KeptVariable&) = delete;

private:
    const char* name_;
    std::optional<std::string> value_;
};

// The same over both.
Errc with_server(const Wanted& wanted, const Issued* issuer, const std::string& host = "127.0.0.1") {
    const Issued issued = certificates::issue(wanted, issuer);
    Errc code = Errc::ok;
    for (const Kind kind : {Kind::wss, Kind::tls13}) {
        INFO("transport: " << std::string(name_of(kind)));
        const Errc before = std::exchange(code, Errc::ok);
        Trial trial(with(issued), trusting(ca()), kind);
        code = trial.run(host);
        if (code != Errc::ok) CHECK(trial.refused() == Errc::tls_refused);
        const std::string address = kind == Kind::wss ? "wss://127.0.0.1:" : "tls://127.0.0.1:";
        CHECK_MESSAGE(trial.detail.find(address) == 0, trial.detail);
        if (kind == Kind::tls13) CHECK(before == code);
    }
    return code;
}

struct ClientOutcome {
    Errc client;
    Errc server;
};

ClientOutcome with_client(const TlsOptions& client, TlsVersion version, Kind kind,
                          TlsClients policy = TlsClients::required) {
    TlsOptions server = with(right());
    server.ca = ca().certificate;
    server.clients = policy;
    server.max_version = version;
    Trial trial(server, client, kind);
    const Errc code = trial.run();
    return {code, code == Errc::ok ? Errc::ok : trial.refused()};
}

template <class Body>
void over_each_version(Body body) {
    for (const Kind kind : {Kind::tls13, Kind::wss}) {
        for (const TlsVersion version : {TlsVersion::tls13, TlsVersion::tls12}) {
            INFO("transport: " << std::string(name_of(kind)));
            CAPTURE(static_cast<int>(version));
            body(version, kind);
        }
    }
}

TlsOptions client_with(const Wanted& wanted, const Issued& issuer) {
    TlsOptions options = with(certificates::issue(wanted, &issuer));
    options.ca = ca().certificate;
    return options;
}

// A stream that is no TLS, at the place where a listener of ours stands.
class Plain final : public ListenerHandler, public PipeHandler {
public:
    void on_accept(std::unique_ptr<Pipe> accepted) override {
        pipe = std::move(accepted);
        pipe->start(*this);
    }
    void on_listener_error(Error) override {}
    void on_listener_closed() override {}
    void on_bytes(Bytes) override {
        if (!answer.empty()) pipe->try_write(as_bytes(answer));
        pipe->close();
    }
    void on_writable() override {}
    void on_end() override {}
    void on_error(Error) override {}
    void on_closed() override {}

    std::unique_ptr<Pipe> pipe;
    std::string answer;
};

}  // namespace

TEST_CASE("a certificate that fits is accepted by name, by v4 and by the server name of the options") {
    Trial trial(with(right()), trusting(ca()));
    CHECK(trial.run() == Errc::ok);
    CHECK(trial.run("right.example") == Errc::ok);
    TlsOptions named = trusting(ca());
    named.server_name = "right.example";
    Trial other(with(right()), named);
    CHECK(other.run("wrong.example") == Errc::ok);
    named.server_name = "::1";
    Trial address(with(right()), named);
    CHECK(address.run("wrong.example") == Errc::ok);
}

TEST_CASE("each wrong certificate of a server has an error of its own, and the server is told that it was refused") {
    Wanted expired = for_us();
    expired.from_s = -7200;
    expired.until_s = -3600;
    CHECK(with_server(expired, &ca()) == Errc::tls_expired);
    Wanted early = for_us();
    early.from_s = 3600;
    CHECK(with_server(early, &ca()) == Errc::tls_not_yet);
    CHECK(with_server(for_us(), &ca(), "wrong.example") == Errc::tls_host);
    Wanted nameless = for_us();
    nameless.hosts = {"right.example"};
    CHECK(with_server(nameless, &ca()) == Errc::tls_address);
    CHECK(with_server(for_us(), nullptr) == Errc::tls_self_signed);
    CHECK(with_server(for_us(), &other_ca()) == Errc::tls_unknown_ca);
    Wanted short_key = for_us();
    short_key.key = certificates::Key::rsa1024;
    CHECK(with_server(short_key, &ca()) == Errc::tls_weak);
    Wanted old_hash = for_us();
    old_hash.sha1 = true;
    CHECK(with_server(old_hash, &ca()) == Errc::tls_weak);
}

TEST_CASE("a certificate signed by one that is no CA is refused as such") {
    Wanted between = for_us();
    between.name = "no CA at all";
    const Issued middle = certificates::issue(between, &ca());
    Issued leaf = certificates::issue(for_us(), &middle);
    leaf.certificate += middle.certificate;
    Trial trial(with(leaf), trusting(ca()));
    CHECK(trial.run() == Errc::tls_not_ca);
    CHECK(trial.detail.find("no CA at all") != std::string::npos);
}

TEST_CASE("a chain through a CA between is accepted when the server sends it, and its CA unknown when it does not") {
    Wanted between;
    between.name = "between";
    between.ca = true;
    const Issued middle = certificates::issue(between, &ca());
    Issued leaf = certificates::issue(for_us(), &middle);
    Trial without(with(leaf), trusting(ca()));
    CHECK(without.run() == Errc::tls_unknown_ca);
    leaf.certificate += middle.certificate;
    Trial whole(with(leaf), trusting(ca()));
    CHECK(whole.run() == Errc::ok);
}

TEST_CASE("a certificate that its CA has revoked is refused, another one is not, and a stale list is told") {
    const Issued bad = right();
    TlsOptions client = trusting(ca());
    client.crl = certificates::revocation_list(ca(), {bad});
    Trial revoked(with(bad), client);
    CHECK(revoked.run() == Errc::tls_revoked);
    Trial good(with(right()), client);
    CHECK(good.run() == Errc::ok);
    client.crl = certificates::revocation_list(ca(), {bad}, -60);
    Trial stale(with(right()), client);
    CHECK(stale.run() == Errc::tls_config);
}

TEST_CASE("a client certificate that is wanted has to be there, of the right CA, in time and for clients") {
    over_each_version([](TlsVersion version, Kind kind) {
        ClientOutcome outcome = with_client(client_with(for_us(), ca()), version, kind);
        CHECK(outcome.client == Errc::ok);
        outcome = with_client(trusting(ca()), version, kind);
        CHECK(outcome.client == Errc::tls_client_certificate);
        CHECK(outcome.server == Errc::tls_client_certificate);
        outcome = with_client(client_with(for_us(), other_ca()), version, kind);
        CHECK(outcome.client == Errc::tls_refused);
        CHECK(outcome.server == Errc::tls_unknown_ca);
        Wanted expired = for_us();
        expired.from_s = -7200;
        expired.until_s = -3600;
        outcome = with_client(client_with(expired, ca()), version, kind);
        CHECK(outcome.client == Errc::tls_refused);
        CHECK(outcome.server == Errc::tls_expired);
        Wanted other_use = for_us();
        other_use.for_clients = false;
        outcome = with_client(client_with(other_use, ca()), version, kind);
        CHECK(outcome.client == Errc::tls_refused);
        CHECK(outcome.server == Errc::tls_usage);
    });
}

TEST_CASE("where a client certificate is asked for, none is let in and a wrong one is not") {
    over_each_version([](TlsVersion version, Kind kind) {
        CHECK(with_client(trusting(ca()), version, kind, TlsClients::asked).client == Errc::ok);
        CHECK(with_client(client_with(for_us(), ca()), version, kind, TlsClients::asked).client == Errc::ok);
        const ClientOutcome outcome = with_client(client_with(for_us(), other_ca()), version, kind, TlsClients::asked);
        CHECK(outcome.client == Errc::tls_refused);
        CHECK(outcome.server == Errc::tls_unknown_ca);
    });
}

TEST_CASE("two ends without a common version say so") {
    TlsOptions server = with(right());
    server.max_version = TlsVersion::tls12;
    TlsOptions client = trusting(ca());
    client.min_version = TlsVersion::tls13;
    Trial trial(server, client);
    const Errc code = trial.run();
    CAPTURE(trial.detail);
    CHECK(code == Errc::tls_version);
    CHECK(trial.refused() == Errc::tls_version);
}

TEST_CASE("an answer that is not TLS, or none at all, is told as what it is") {
    World world(Kind::tls13);
    Plain plain;
    auto listener = listen(*world.loop, "tcp", "127.0.0.1:0", {}, plain);
    REQUIRE(listener);
    for (const std::string answer : {"HTTP/1.1 400 Bad Request\r\n\r\n", ""}) {
        plain.answer = answer;
        Connector connector;
        world.connect(connector, World::place_of((*listener)->address()));
        REQUIRE(world.until([&] { return connector.told > 0; }));
        CHECK(connector.error.code == (answer.empty() ? Errc::tls_handshake : Errc::tls_plain));
    }
}

TEST_CASE("a client that does not speak TLS gets not one byte, and the listener is told") {
    World world(Kind::tls13);
    world.listen();
    struct Beginning {
        std::string words;
        bool slowly;  // byte by byte, each in a turn of its own
    };
    for (const auto& [words, slowly] :
         {Beginning{"GET / HTTP/1.1\r\n\r\n", false}, Beginning{"SSH-2.0-OpenSSH_9.2\r\n", false},
          Beginning{"\x16\xab", false}, Beginning{"\x16\x03\x05", false}, Beginning{"\x16\xab", true},
          Beginning{"\x16\x03\x05", true}}) {
        CAPTURE(words);
        CAPTURE(slowly);
        world.acceptor.refused.clear();
        Connector connector;
        auto connecting = connect(*world.loop, "tcp", world.place(), {}, connector);
        REQUIRE(world.until([&] { return connector.end != nullptr; }));
        connector.end->start();
        for (size_t at = 0, size = slowly ? 1 : words.size(); at < words.size(); at += size) {
            connector.end->try_write(words.substr(at, size));
            int turns = 0;
            REQUIRE(world.until([&] { return ++turns > 1 || connector.end->over(); }));
        }
        REQUIRE(world.until([&] { return connector.end->over() && !world.acceptor.refused.empty(); }));
        CHECK(connector.end->received_bytes == 0);
        CHECK(world.acceptor.refused.front().code == Errc::tls_plain);
        CHECK(world.acceptor.accepted.empty());
    }
}

TEST_CASE("the oldest of too many unfinished handshakes gives way to a new one") {
    constexpr size_t kMost = 20;
    World world(Kind::tls13);
    world.listen_options.tls_handshakes = kMost;
    world.listen();
    std::vector<std::unique_ptr<Connector>> silent;
    const auto connect_silent = [&] {
        silent.push_back(std::make_unique<Connector>());
        auto connecting = connect(*world.loop, "tcp", world.place(), {}, *silent.back());
        REQUIRE(connecting);
        REQUIRE(world.until([&] { return silent.back()->end != nullptr; }));
        silent.back()->end->start();
    };
    for (size_t i = 0; i < kMost; ++i) connect_silent();
    CHECK(world.acceptor.refused.empty());
    const Duo honest = world.pair();
    REQUIRE(world.until([&] { return !world.acceptor.refused.empty(); }));
    CHECK(world.acceptor.refused.size() == 1);
    CHECK(world.acceptor.refused.front().code == Errc::limit);
    CHECK(world.until([&] { return silent.front()->end->over(); }));
    CHECK_FALSE(silent.back()->end->over());
    // All the others have no more than the deadline of a handshake.
    CHECK(world.until([&] {
        return std::all_of(silent.begin(), silent.end(), [](const auto& connector) { return connector->end->over(); });
    }));
    CHECK(world.acceptor.refused.size() == kMost);
    CHECK_FALSE(honest.client->over());
}

TEST_CASE("a stream that ends without TLS's close is truncated, not ended") {
    World world(Kind::tls13);
    Result<std::unique_ptr<Loop>> loop = Loop::create();
    MemoryLink link;
    link.cut_after_bytes = UINT64_MAX;
    MemoryPair pair = make_memory_pair(*world.loop, link);
    // The client's end is TLS; the server's is driven by hand below TLS, and just goes.
    struct Ready final : TlsHandshakeHandler {
        void on_tls_ready(TlsPipe&) override { ready = true; }
        void on_tls_failed(TlsPipe&, Error failure) override { error = std::move(failure); }
        bool ready = false;
        Error error;
    } client_side, server_side;
    auto client = TlsPipe::make(*world.loop, std::move(pair.first), world.connect_options.tls, "127.0.0.1");
    struct Relay final : PipeHandler {
        void on_bytes(Bytes bytes) override { to->try_write(bytes); }
        void on_writable() override {}
        void on_end() override {}
        void on_error(Error) override {}
        void on_closed() override {}
        Pipe* to = nullptr;
    } there, back;
    MemoryPair inner = make_memory_pair(*world.loop, link);
    auto server = TlsPipe::make(*world.loop, std::move(inner.second), world.listen_options.tls, {});
    there.to = inner.first.get();
    back.to = pair.second.get();
    pair.second->start(there);
    inner.first->start(back);
    (*server)->begin(server_side);
    (*client)->begin(client_side);
    REQUIRE(world.until([&] { return client_side.ready && server_side.ready; }));
    End end(std::move(*client));
    end.start();
    (*server)->try_write(as_bytes("half a wo"));
    REQUIRE(world.until([&] { return end.text() == "half a wo"; }));
    pair.second->close();
    REQUIRE(world.until([&] { return end.over(); }));
    CHECK_FALSE(end.ended);
    CHECK(end.errors.front().code == Errc::truncated);
}

TEST_CASE("over a link that hands out byte after byte everything arrives") {
    World world(Kind::tls13);
    MemoryLink link;
    link.chunk_min_bytes = link.chunk_max_bytes = 1;
    link.buffer_bytes = 700;
    MemoryPair pair = make_memory_pair(*world.loop, link);
    struct Ready final : TlsHandshakeHandler {
        void on_tls_ready(TlsPipe&) override { ready = true; }
        void on_tls_failed(TlsPipe&, Error) override {}
        bool ready = false;
    } client_side, server_side;
    auto client = TlsPipe::make(*world.loop, std::move(pair.first), world.connect_options.tls, "127.0.0.1");
    auto server = TlsPipe::make(*world.loop, std::move(pair.second), world.listen_options.tls, {});
    (*server)->begin(server_side);
    (*client)->begin(client_side);
    REQUIRE(world.until([&] { return client_side.ready && server_side.ready; }));
    End left(std::move(*client));
    End right(std::move(*server));
    left.start();
    right.start();
    const std::vector<uint8_t> bytes = random_bytes(100'000, 3);
    left.end_after_sending = right.end_after_sending = true;
    left.send(bytes, 4);
    right.send(bytes, 5);
    REQUIRE(world.until([&] { return left.over() && right.over(); }));
    CHECK((left.received == bytes));
    CHECK((right.received == bytes));
    CHECK(left.ended);
    CHECK(right.ended);
}

TEST_CASE("a changed byte is a record that failed, not a message") {
    World world(Kind::tls13);
    struct Flip final : PipeHandler {
        void on_bytes(Bytes bytes) override {
            std::vector<uint8_t> changed(bytes.begin(), bytes.end());
            if (flip) changed.back() ^= 1;
            to->try_write(Bytes(changed));
        }
        void on_writable() override {}
        void on_end() override {}
        void on_error(Error) override {}
        void on_closed() override {}
        Pipe* to = nullptr;
        bool flip = false;
    } there, back;
    MemoryPair outer = make_memory_pair(*world.loop);
    MemoryPair inner = make_memory_pair(*world.loop);
    struct Ready final : TlsHandshakeHandler {
        void on_tls_ready(TlsPipe&) override { ready = true; }
        void on_tls_failed(TlsPipe&, Error) override {}
        bool ready = false;
    } client_side, server_side;
    auto client = TlsPipe::make(*world.loop, std::move(outer.first), world.connect_options.tls, "127.0.0.1");
    auto server = TlsPipe::make(*world.loop, std::move(inner.second), world.listen_options.tls, {});
    there.to = inner.first.get();
    back.to = outer.second.get();
    outer.second->start(there);
    inner.first->start(back);
    (*server)->begin(server_side);
    (*client)->begin(client_side);
    REQUIRE(world.until([&] { return client_side.ready && server_side.ready; }));
    End right(std::move(*server));
    End left(std::move(*client));
    right.start();
    left.start();
    there.flip = true;
    left.try_write("hello");
    REQUIRE(world.until([&] { return right.over() && left.over(); }));
    CHECK(right.received.empty());
    CHECK(right.errors.front().code == Errc::record);
    CHECK(left.errors.front().code == Errc::record);  // by the alert
}

TEST_CASE("a client resumes its sessions, each once, and those of another server it does not have") {
    for (const TlsVersion version : {TlsVersion::tls13, TlsVersion::tls12}) {
        CAPTURE(static_cast<int>(version));
        TlsOptions server = with(right());
        server.max_version = version;
        Trial trial(server, trusting(ca()));
        TlsSessions& sessions = trial.world.connect_options.tls->sessions;
        const std::string key = trial.world.acceptor.listener->address();
        const std::string name = "tcp" + key.substr(3) + " 127.0.0.1";
        CHECK(sessions.take(name) == nullptr);
        for (int i = 0; i < 3; ++i) {
            CAPTURE(i);
            CHECK(trial.run() == Errc::ok);
            TlsSession session;
            REQUIRE(trial.world.until([&] { return session || (session = sessions.take(name)); }));
            CHECK(sessions.take(name) == nullptr);
            sessions.put(name, std::move(session));
        }
        CHECK(trial.world.listen_options.tls->resumed() == 2);
    }
}

TEST_CASE("sessions to resume are bounded, the oldest goes first") {
    TlsSessions sessions;
    for (size_t i = 0; i <= TlsSessions::kMost; ++i) sessions.put(std::to_string(i), new_tls_session());
    CHECK(sessions.take("0") == nullptr);
    CHECK(sessions.take("1") != nullptr);
    CHECK(sessions.take("1") == nullptr);
}

#ifdef __GLIBC__
TEST_CASE("an idle connection holds no record buffers: each end has less than 8 KB") {
    size_t plain = 0;
    for (const Kind kind : {Kind::tcp4, Kind::tls13, Kind::tls12}) {
        World world(kind);
        std::vector<Duo> kept;
        const auto talk = [&](Duo& duo) {
            duo.client->try_write("hello");
            duo.server->try_write("hello");
            REQUIRE(world.until([&] { return duo.client->text() == "hello" && duo.server->text() == "hello"; }));
        };
        kept.push_back(world.pair());  // what the first one makes for all
        talk(kept.back());
        const size_t before = mallinfo2().uordblks;
        constexpr size_t kPairs = 50;
        for (size_t i = 0; i < kPairs; ++i) {
            kept.push_back(world.pair());
            talk(kept.back());
        }
        const size_t after = mallinfo2().uordblks;
        const size_t each =
            after > before ? (after - before) / (2 * kPairs) : 0;  // 0: a sanitizer's allocator does not say
        if (kind == Kind::tcp4) {
            plain = each;
            continue;
        }
        MESSAGE("bytes that each idle end has more than one of tcp: " << each - plain);
        CHECK(each - plain < 8192);
    }
}
#endif

TEST_CASE("a listener takes other certificates while it runs, and what is connected stays") {
    for (const Kind kind : {Kind::tls13, Kind::wss}) {
        INFO("transport: " << std::string(name_of(kind)));
        Trial trial(with(right()), trusting(ca()), kind);
        REQUIRE(trial.run() == Errc::ok);
        const std::unique_ptr<Connector> before = std::move(trial.connector);
        std::vector<std::unique_ptr<End>> kept = std::move(trial.world.acceptor.accepted);
        const Issued other = certificates::issue(for_us(), &other_ca());
        REQUIRE(trial.world.acceptor.listener->set_tls(Trial::context(make_tls_listener_context(with(other)))));
        CHECK(trial.run() == Errc::tls_unknown_ca);
        trial.world.connect_options.tls = Trial::context(make_tls_client_context(trusting(other_ca())));
        CHECK(trial.run() == Errc::ok);
        kept.front()->try_write(", still");
        CHECK(trial.world.until([&] { return before->end->text() == "from the server, still"; }));
    }
}

TEST_CASE("what cannot be used as certificate, key, CA or list is told when it is given") {
    const auto listener_error = [](const TlsOptions& options) {
        const auto made = make_tls_listener_context(options);
        REQUIRE_FALSE(made);
        CHECK(made.error().code == Errc::tls_config);
        CHECK_FALSE(made.error().detail.empty());
        return made.error().detail;
    };
    listener_error({});
    const Issued one = right();
    TlsOptions options = with(one);
    options.key = right().key;
    CHECK(listener_error(options) == "the key is not that of the first certificate");
    options.key = "no key";
    CHECK(listener_error(options) == "the key is no PEM text");
    options.key.clear();
    CHECK(listener_error(options) == "a certificate needs its key");
    options = with(one);
    options.clients = TlsClients::required;
    listener_error(options);
    options = with(one);
    options.certificate_file = "/nonexistent";
    CHECK(listener_error(options) == "the certificate: given as text and as a file");
    options.certificate.clear();
    CHECK(listener_error(options).find("/nonexistent") != std::string::npos);
    Wanted for_clients = for_us();
    for_clients.for_servers = false;
    listener_error(with(certificates::issue(for_clients, &ca())));
    options = trusting(ca());
    options.ca += "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    CHECK(make_tls_client_context(options).error().code == Errc::tls_config);
    options = {};
    options.crl = certificates::revocation_list(ca(), {});
    CHECK(make_tls_client_context(options).error().code == Errc::tls_config);
}

TEST_CASE("the system's CAs are those that SSL_CERT_FILE names") {
    TempDir folder;
    const std::string file = folder.file("ca.pem");
    std::FILE* out = std::fopen(file.c_str(), "w");
    REQUIRE(out != nullptr);
    std::fputs(ca().certificate.c_str(), out);
    std::fclose(out);
    const KeptVariable kept_file("SSL_CERT_FILE");
    const KeptVariable kept_folder("SSL_CERT_DIR");
    setenv("SSL_CERT_FILE", file.c_str(), 1);
    unsetenv("SSL_CERT_DIR");
    Trial trial(with(right()), {});
    CHECK(trial.run() == Errc::ok);
    setenv("SSL_CERT_FILE", "/nonexistent", 1);
    CHECK(make_tls_client_context({}).error().code == Errc::tls_config);
}

TEST_CASE("contexts of a client are kept by their options, and made anew when a file has changed") {
    TempDir folder;
    TlsOptions options;
    options.ca_file = folder.file("ca.pem");
    const auto write = [&](const Issued& issued) {
        std::FILE* out = std::fopen(options.ca_file.c_str(), "w");
        REQUIRE(out != nullptr);
        std::fputs(issued.certificate.c_str(), out);
        std::fclose(out);
    };
    write(ca());
    TlsClientContexts contexts;
    const auto first = Trial::context(contexts.get(options));
    CHECK(Trial::context(contexts.get(options)) == first);
    CHECK(Trial::context(contexts.get(trusting(ca()))) != first);
    CHECK(Trial::context(contexts.get(options)) == first);
    write(other_ca());
    CHECK(Trial::context(contexts.get(options)) != first);
}
