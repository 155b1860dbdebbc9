// Addresses, ranges of them, and lists of ranges.
#include "node/address.h"

#include <doctest.h>

#include <string>

namespace address_test {

using namespace sealwire;

namespace {

IpAddress address(const char* text) {
    const auto parsed = IpAddress::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

AddressRange range(const char* text) {
    const auto parsed = AddressRange::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

}  // namespace

TEST_CASE("IPv4 within IPv6 is IPv4, in addresses and in ranges") {
    CHECK(address("192.0.2.7") == address("::ffff:192.0.2.7"));
    CHECK(address("::ffff:c000:207") == address("192.0.2.7"));
    CHECK(address("fe80::1%eth0") == address("fe80::1"));
    CHECK(range("192.0.2.0/24").holds(address("::ffff:192.0.2.200")));
    CHECK(range("::ffff:192.0.2.0/120").holds(address("192.0.2.200")));
    CHECK_FALSE(range("192.0.2.0/24").holds(address("192.0.3.0")));
    CHECK(range("0.0.0.0/0").holds(address("203.0.113.9")));
    CHECK_FALSE(range("0.0.0.0/0").holds(address("2001:db8::1")));
    CHECK(range("::/0").holds(address("2001:db8::1")));
    CHECK_FALSE(range("::/0").holds(address("203.0.113.9")));
    CHECK_FALSE(range("::/1").holds(address("::ffff:203.0.113.9")));
}

TEST_CASE("a range ends at its last bit, whatever bit that is") {
    for (unsigned bits = 0; bits <= 128; ++bits) {
        IpAddress first;
        const AddressRange each{first, bits};
        for (unsigned bit = 0; bit < 128; ++bit) {
            IpAddress other;
            other.bytes[bit / 8] = static_cast<uint8_t>(0x80 >> bit % 8);
            CHECK(each.holds(other) == (bit >= bits));
        }
    }
    CHECK(range("10.0.0.0/9").holds(address("10.127.255.255")));
    CHECK_FALSE(range("10.0.0.0/9").holds(address("10.128.0.0")));
    CHECK(range("2001:db8::7").holds(address("2001:db8::7")));
    CHECK_FALSE(range("2001:db8::7").holds(address("2001:db8::6")));
    CHECK(range("192.0.2.7/32").holds(address("192.0.2.7")));
}

TEST_CASE("what is no range is refused with what is wrong") {
    for (const char* text :
         {"", "host", "10.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8x", "::/129",
          "10.0.0.1/8", "2001:db8::1/64", "fe80::1%eth0", "10.0.0.0 /8", "[::1]", "::1/1000", "tcp://10.0.0.0"}) {
        CAPTURE(text);
        const auto parsed = AddressRange::parse(text);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().code == Errc::argument);
        CHECK(parsed.error().detail.find(text) != std::string::npos);
    }
}

TEST_CASE("a range that is denied wins; with any that is allowed an address has to be in one") {
    AddressRules rules;
    CHECK(rules.allows(address("192.0.2.1")));
    rules.set({{range("192.0.2.0/24"), range("2001:db8::/32")}, {range("192.0.2.128/25")}});
    CHECK(rules.allows(address("192.0.2.1")));
    CHECK_FALSE(rules.allows(address("::ffff:192.0.2.129")));
    CHECK_FALSE(rules.allows(address("198.51.100.1")));
    CHECK(rules.allows(address("2001:db8:1::1")));
    CHECK(rules.allows(std::nullopt));  // a unix socket has no address
    rules.set({{}, {range("192.0.2.1")}});
    CHECK_FALSE(rules.allows(address("192.0.2.1")));
    CHECK(rules.allows(address("192.0.2.2")));
}

TEST_CASE("a pipe's address is that of its URL, whatever carries it; unix sockets and pipes have none") {
    for (const char* url :
         {"tcp://192.0.2.7:80", "tls://192.0.2.7:80", "ws://192.0.2.7:80/path", "wss://[::ffff:192.0.2.7]:80"}) {
        CAPTURE(url);
        CHECK(IpAddress::of_url(url) == address("192.0.2.7"));
    }
    CHECK(IpAddress::of_url("tcp://[fe80::1%eth0]:80") == address("fe80::1"));
    for (const char* url :
         {"unix:", "unix:///run/x", "unix:@x", "memory://192.0.2.7", "pipe:", "tcp://[::1", "tcp://name:80", ""}) {
        CAPTURE(url);
        CHECK_FALSE(IpAddress::of_url(url));
    }
}

}  // namespace address_test
