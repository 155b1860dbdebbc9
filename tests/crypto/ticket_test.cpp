// Tickets and addresses: what parses, what does not, and that what parses comes out as it went in.
#include "crypto/ticket.h"

#include <doctest.h>

#include "support/scale.h"
#include "support/test_rng.h"

using namespace sealwire;
using namespace sealwire::test;

namespace {

std::string some_id() {
    static const std::string id = [] {
        SeededRng rng(70);
        return Identity::generate(rng).id().text();
    }();
    return id;
}

struct Good {
    const char* text;
    const char* host;
    uint16_t port;
    const char* path;
};
constexpr Good kGood[] = {
    {"tcp://127.0.0.1:9000", "127.0.0.1", 9000, ""},
    {"tcp://example.org:1", "example.org", 1, ""},
    {"tcp://[::1]:65535", "::1", 65535, ""},
    {"tcp://[fe80::1%eth0]:80", "fe80::1%eth0", 80, ""},
    {"tls://my_host-2.example:443", "my_host-2.example", 443, ""},
    {"ws://example.org:80", "example.org", 80, ""},
    {"wss://[2001:db8::1]:443/a/b", "2001:db8::1", 443, "/a/b"},
    {"unix:///run/app.sock", "", 0, "/run/app.sock"},
    {"unix:@app", "", 0, "@app"},
    {"memory://test-1", "", 0, "test-1"},
};

}  // namespace

TEST_CASE("every scheme's address and ticket parses and comes out as it went in") {
    for (const Good& good : kGood) {
        INFO(good.text);
        const Result<Endpoint> endpoint = Endpoint::parse(good.text, false);
        REQUIRE(endpoint);
        CHECK(endpoint->host == good.host);
        CHECK(endpoint->port == good.port);
        CHECK(endpoint->path == good.path);
        CHECK(endpoint->text() == good.text);
        const std::string text = std::string(good.text) + "#" + some_id();
        const Result<Ticket> ticket = Ticket::parse(text);
        REQUIRE(ticket);
        CHECK(ticket->text() == text);
        CHECK(ticket->peer.text() == some_id());
        CHECK(ticket->endpoint == *endpoint);
    }
}

TEST_CASE("port 0 is for listening") {
    CHECK(Endpoint::parse("tcp://127.0.0.1:0", true));
    CHECK_FALSE(Endpoint::parse("tcp://127.0.0.1:0", false));
    CHECK_FALSE(Ticket::parse("tcp://127.0.0.1:0#" + some_id()));
}

TEST_CASE("each malformed address is refused with a text of its own") {
    for (const char* bad : {"",
                            "tcp",
                            "tcp:",
                            "tcp:/",
                            "tcp://",
                            "tcp://:1",
                            "tcp://host",
                            "tcp://host:",
                            "tcp://host:a",
                            "tcp://host:65536",
                            "tcp://host:01",
                            "tcp://host:-1",
                            "tcp://host:+1",
                            "tcp://host:123456",
                            "tcp://::1:9",
                            "tcp://[::1]",
                            "tcp://[::1]9",
                            "tcp://[::1",
                            "tcp://[]:1",
                            "tcp://[host]:1",
                            "tcp://[::1%]:1",
                            "tcp://[1:2]:1",
                            "tcp://ho st:1",
                            "tcp://host:1 ",
                            " tcp://host:1",
                            "tcp://host:1/",
                            "tcp://user@host:1",
                            "tcp://ho..st:1",
                            "tcp://.host:1",
                            "tcp://-host:1",
                            "TCP://host:1",
                            "udp://host:1",
                            "http://host:1",
                            "tcp://h\x01:1",
                            "tcp://h\x7f:1",
                            "tcp://h\xff:1",
                            "tcp://host:1#",
                            "tcp://host:1\n",
                            "unix://",
                            "unix:@",
                            "unix://relative",
                            "unix:///",
                            "unix:///dir/",
                            "ws://host:1/a?b",
                            "ws:///path",
                            "memory://"}) {
        INFO(bad);
        const Result<Endpoint> endpoint = Endpoint::parse(bad, true);
        REQUIRE_FALSE(endpoint);
        CHECK(endpoint.error().code == Errc::address);
        CHECK(endpoint.error().detail.size() > 10);
        CHECK_FALSE(Ticket::parse(std::string(bad) + "#" + some_id()));
    }
    CHECK_FALSE(Endpoint::parse("tcp://" + std::string(254, 'a') + ":1", false));
    CHECK_FALSE(Endpoint::parse("unix:///" + std::string(107, 'a'), false));
    CHECK_FALSE(Endpoint::parse("ws://host:1/" + std::string(1100, 'a'), false));
    CHECK(Endpoint::parse("tcp://" + std::string(253, 'a') + ":1", false));
    CHECK(Endpoint::parse("unix:///" + std::string(106, 'a'), false));
}

TEST_CASE("a ticket without a key, with a damaged key or with one that is no key is refused") {
    CHECK(Ticket::parse("tcp://host:1").error().code == Errc::address);
    CHECK(Ticket::parse("tcp://host:1#").error().code == Errc::key);
    CHECK(Ticket::parse("tcp://host:1#" + some_id() + "a").error().code == Errc::key);
    CHECK(Ticket::parse("tcp://host:1#" + some_id() + "#" + some_id()).error().code == Errc::key);
    CHECK(Ticket::parse("tcp://host:1#" + some_id() + " ").error().code == Errc::key);
    CHECK(Ticket::parse("tcp://host:1#" + PeerId{}.text()).error().code == Errc::key);
}

TEST_CASE("1 million random and 1 million mutated tickets: what parses comes out as it went in") {
    const uint64_t count = scaled(1'000'000);
    SeededRng rng(71);
    constexpr std::string_view kLetters = "tcpunixwsl:/#[]%.-_ 0123456789abcdefghijklmnopqrstuvwxyz\0\x7f\xff?@";
    uint64_t parsed = 0;
    uint64_t wrong = 0;
    const auto check = [&](const std::string& text) {
        if (const Result<Endpoint> endpoint = Endpoint::parse(text, true)) {
            ++parsed;
            if (endpoint->text() != text) ++wrong;
        }
        if (const Result<Ticket> ticket = Ticket::parse(text)) {
            ++parsed;
            if (ticket->text() != text) ++wrong;
        }
    };
    for (uint64_t i = 0; i < count; ++i) {
        std::string text = i % 2 == 0 ? "tcp://" : "";
        for (uint64_t size = rng.below(40); size > 0; --size) text += kLetters[rng.below(kLetters.size())];
        check(text);
    }
    for (uint64_t i = 0; i < count; ++i) {
        std::string text = kGood[i % std::size(kGood)].text;
        if (i % 2 == 0) text += "#" + some_id();
        for (uint64_t changes = 1 + rng.below(3); changes > 0; --changes) {
            const size_t at = rng.below(text.size());
            switch (rng.below(3)) {
                case 0: text[at] = kLetters[rng.below(kLetters.size())]; break;
                case 1: text.erase(at, 1); break;
                default: text.insert(at, 1, kLetters[rng.below(kLetters.size())]);
            }
            if (text.empty()) text = "t";
        }
        check(text);
    }
    MESSAGE("random: " << count << ", mutated: " << count << ", still valid: " << parsed);
    CHECK(parsed > count / 100);
    CHECK(wrong == 0);
}
