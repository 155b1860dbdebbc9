// Run under memcheck with every secret marked as undefined: a branch or an address that depends on one is reported.
//
// The sources of crypto and protocol are compiled for this program with SEALWIRE_WATCH_SECRETS, so that declassify_memory
// is the one below. What libsodium does inside is not looked at (constant_time.supp); what it returns is.
#include <valgrind/memcheck.h>

#include <cstdio>
#include <string>

#include "base/declassify.h"
#include "crypto/base32.h"
#include "crypto/identity.h"
#include "crypto/network.h"
#include "protocol/handshake.h"
#include "protocol/record.h"
#include "protocol/shs_box.h"
#include "protocol/shs_handshake.h"
#include "support/tap.h"
#include "support/test_rng.h"

namespace sealwire {

void declassify_memory(const void* memory, size_t size) { VALGRIND_MAKE_MEM_DEFINED(memory, size); }

namespace {

void mark_secret(const void* memory, size_t size) { VALGRIND_MAKE_MEM_UNDEFINED(memory, size); }

class SecretRng final : public Rng {
public:
    explicit SecretRng(uint64_t seed) : rng_(seed) {}
    void fill(MutableBytes out) override {
        rng_.fill(out);
        mark_secret(out.data(), out.size());
    }

private:
    test::SeededRng rng_;
};

// A test point: what ran since the last one gave `reports` of memcheck and did what it should.
unsigned seen = 0;
void point(bool good, bool reported, const char* fact) {
    const unsigned now = VALGRIND_COUNT_ERRORS;
    tap_ok(good && (now > seen) == reported, fact);
    seen = now;
}

struct Pair {
    SecretRng rng{7};
    Identity alice = Identity::generate(rng);
    Identity bob = Identity::generate(rng);
    Network network = Network::parse(secret_text(rng)).value();
    uint32_t suites;
    InitiatorHandshake initiator;
    ResponderHandshake responder;

    explicit Pair(Suite suite)
        : suites(uint32_t{1} << (static_cast<uint32_t>(suite) - 1)),
          initiator(alice, bob.id(), network, suites, 3),
          responder(bob, network, suites, 3) {}

    // A network's secret as a text of which only the prefix is known.
    static std::string secret_text(Rng& rng) {
        std::string text(Network::generate(rng).view());
        declassify_memory(text.data(), 6);
        return text;
    }
};

template <size_t N>
std::array<uint8_t, N>& on_the_wire(std::array<uint8_t, N>& message) {
    declassify_memory(message.data(), N);
    return message;
}

void handshake_and_records(Suite suite) {
    Pair pair(suite);
    point(true, false, "identities and a secret network are made and read");
    std::array<uint8_t, kMessage1Size> one{};
    std::array<uint8_t, kMessage2Size> two{};
    std::array<uint8_t, kMessage3Size> three{};
    point(pair.initiator.create_message_1(pair.rng, one).has_value(), false, "message 1 is written");
    point(Mac1Key(pair.bob.curve_point(), pair.network).check(on_the_wire(one)), false, "mac1 is checked");
    point(pair.responder.consume_message_1(one).has_value(), false, "message 1 is read");
    point(pair.responder.create_message_2(pair.rng, two).has_value(), false, "message 2 is written");
    point(pair.initiator.consume_message_2(on_the_wire(two)).has_value(), false, "message 2 is read");
    auto alice_keys = pair.initiator.create_message_3(three);
    point(alice_keys.has_value(), false, "message 3 is written");
    auto bob_keys = pair.responder.consume_message_3(on_the_wire(three));
    point(bob_keys.has_value() && bob_keys->peer == pair.alice.id(), false, "message 3 is read");
    if (!alice_keys || !bob_keys) return;
    point(alice_keys->send_key == bob_keys->receive_key, false, "the keys are compared");

    RecordSealer sealer(suite, std::move(alice_keys->send_key), {0, 2});
    RecordOpener opener(suite, std::move(bob_keys->receive_key), {0, 2});
    bool good = true;
    for (int i = 0; i < 5; ++i) {  // two rekeys among them
        std::array<uint8_t, 100> plain{};
        std::array<uint8_t, 100 + kRecordLengthSize + 32> record{};
        std::array<uint8_t, sizeof record> out{};
        mark_secret(plain.data(), plain.size());
        size_t consumed = 0;
        size_t size = 0;
        good = good && sealer.seal(plain, record.data());
        declassify_memory(record.data(), record.size());
        good = good && opener.open(Bytes(record).first(sealer.record_size(plain.size())), out.data(), consumed, size) ==
                           RecordOpener::Status::ok;
    }
    point(good, false, "records are sealed and opened, with new keys in between");
}

void secret_handshake_and_boxes() {
    SecretRng rng(11);
    const Identity alice = Identity::generate(rng);
    const Identity bob = Identity::generate(rng);
    ShsNetwork network;
    rng.fill(network.mutable_bytes());
    ShsClient client(alice, bob.id(), network);
    ShsServer server(bob, network);
    std::array<uint8_t, kShsHelloSize> hello{};
    std::array<uint8_t, kShsHelloSize> back{};
    std::array<uint8_t, kShsAuthenticateSize> authenticate{};
    std::array<uint8_t, kShsAcceptSize> accept{};
    point(client.create_hello(rng, hello).has_value(), false, "a client's hello is written");
    point(shs_hello_shows(network, on_the_wire(hello)), false, "a hello's mac is checked");
    point(server.consume_hello(hello).has_value() && server.create_hello(rng, back).has_value(), false,
          "a client's hello is read, the server's written");
    point(client.consume_hello(on_the_wire(back)).has_value(), false, "a server's hello is read");
    point(client.create_authenticate(authenticate).has_value(), false, "authenticate is written");
    const auto seen_client = server.consume_authenticate(on_the_wire(authenticate));
    point(seen_client.has_value() && *seen_client == alice.id(), false, "authenticate is read");
    auto server_keys = server.create_accept(accept);
    point(server_keys.has_value(), false, "accept is written");
    auto client_keys = client.consume_accept(on_the_wire(accept));
    point(client_keys.has_value(), false, "accept is read");
    if (!client_keys || !server_keys) return;
    BoxSealer sealer(std::move(client_keys->send_key), client_keys->send_nonce);
    BoxOpener opener(std::move(server_keys->receive_key), server_keys->receive_nonce);
    std::array<uint8_t, kBoxHeaderSize + 100> box{};
    mark_secret(box.data() + kBoxHeaderSize, 100);
    sealer.seal(box.data(), 100);
    Bytes in = on_the_wire(box);
    std::array<uint8_t, kMaxBoxBody> body{};
    size_t size = 0;
    point(opener.open(in, body.data(), size) == BoxOpener::Status::body && size == 100, false,
          "a box is sealed and opened");
    std::array<uint8_t, kShsHelloSize> other{};
    rng.fill(other);
    point(!shs_hello_shows(network, on_the_wire(other)), false, "a hello of another network is refused");
}

void refusals() {
    Pair pair(Suite::chacha20_poly1305);
    std::array<uint8_t, kMessage1Size> one{};
    bool good = pair.initiator.create_message_1(pair.rng, one).has_value();
    on_the_wire(one)[kMessage1Size - 1] ^= 1;
    good = good && !pair.responder.consume_message_1(one) && pair.responder.failure() == HandshakeFailure::not_for_us;
    point(good, false, "a message 1 with another mac1 is refused");

    std::string text = Pair::secret_text(pair.rng);
    text.back() = '!';
    point(!Network::parse(text), false, "a network's text with a foreign letter is refused");
    text = Pair::secret_text(pair.rng);
    text[20] = text[21];
    text[30] = text[31];
    point(!Network::parse(text), false, "a network's text with a typing error is refused");
}

// The shortcuts that nobody should take with a secret.
[[gnu::noinline]] bool equal_until_different(Bytes a, Bytes b) {
    for (size_t i = 0; i < a.size(); ++i)
        if (a[i] != b[i]) return false;
    return true;
}

[[gnu::noinline]] char looked_up(uint8_t value) {
    static volatile const char kTable[] = "0123456789abcdef";
    return kTable[value & 15];
}

void planted() {
    SecretRng rng(1);
    Secret<32> secret;
    rng.fill(secret.mutable_bytes());
    const bool equal = equal_until_different(secret.bytes(), Secret<32>().bytes());
    point(!equal, true, "a comparison that leaves at the first difference is reported");
    char letter = looked_up(secret.data()[0]);
    declassify_memory(&letter, 1);
    point(letter != 0, true, "a table that a secret is looked up in is reported");
}

}  // namespace
}  // namespace sealwire

int main() {
    if (RUNNING_ON_VALGRIND == 0) return tap_ok(0, "the program runs under valgrind"), tap_done();
    sealwire::handshake_and_records(sealwire::Suite::chacha20_poly1305);
    sealwire::handshake_and_records(sealwire::Suite::aegis256);
    sealwire::secret_handshake_and_boxes();
    sealwire::refusals();
    sealwire::planted();
    return tap_done();
}
