// Secrets are wiped: after a handshake, at every point of failure, and when record keys die.
#include <doctest.h>
#include <malloc.h>

#include <cstdlib>
#include <new>

#include "protocol/by_hand.h"
#include "protocol/record.h"
#include "protocol/shs_box.h"
#include "protocol/shs_by_hand.h"

using namespace sealwire;
using namespace sealwire::test;

namespace {

// What freed memory is searched for. Fixed storage: the allocator must not call itself.
struct Watch {
    std::array<std::array<uint8_t, 32>, 16> secrets{};
    size_t count = 0;
    uint64_t blocks = 0;
    uint64_t found = 0;

    void add(Bytes secret) { copy_bytes(secrets.at(count++).data(), secret.first(32)); }
    uint64_t search(const void* memory, size_t size) const {
        uint64_t hits = 0;
        for (size_t i = 0; i < count; ++i)
            if (memmem(memory, size, secrets[i].data(), 32) != nullptr) ++hits;
        return hits;
    }
};
thread_local Watch* watch = nullptr;

void release(void* memory) {
    if (watch && memory) {
        ++watch->blocks;
        watch->found += watch->search(memory, malloc_usable_size(memory));
    }
    std::free(memory);
}

void* obtain(size_t size) {
    if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc();
}

// Makes an object in a block of its own and searches the block once the object is gone.
template <class T>
class Searched {
public:
    template <class... A>
    explicit Searched(Watch& found, A&&... arguments) : watch_(found) {
        object_ = new (block_) T(std::forward<A>(arguments)...);
    }
    ~Searched() {
        object_->~T();
        watch_.found += watch_.search(block_, sizeof block_);
    }
    T* operator->() { return object_; }

private:
    Watch& watch_;
    alignas(T) unsigned char block_[sizeof(T)] = {};
    T* object_;
};

}  // namespace

void* operator new(size_t size) { return obtain(size); }
void* operator new[](size_t size) { return obtain(size); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, size_t) noexcept { release(memory); }
void operator delete[](void* memory, size_t) noexcept { release(memory); }

TEST_CASE("no freed or dead memory holds a secret of the handshake, whether it succeeds or fails at any step") {
    const Identity alice = identity_number(1);
    const Identity bob = identity_number(2);
    const Network network = *Network::parse("wipe");
    // stop: after how many steps it is given up; bad: the step at which a changed message comes.
    for (int stop = 0; stop <= 5; ++stop) {
        for (const bool bad : {false, true}) {
            Watch seen;
            // Everything drawn and derived: the same randomness, by hand, tells the secrets in advance.
            Block drawn_a(96);
            Block drawn_b(64);
            SeededRng(41).fill(MutableBytes(drawn_a).first(32));
            {
                SeededRng rng(41);
                rng.fill(MutableBytes(drawn_a).first(32));
                rng.fill(MutableBytes(drawn_a).subspan(32));
                SeededRng rng_b(42);
                rng_b.fill(MutableBytes(drawn_b).first(32));
                rng_b.fill(MutableBytes(drawn_b).subspan(32));
            }
            for (size_t i = 0; i < 3; ++i) seen.add(Bytes(drawn_a).subspan(32 * i, 32));
            for (size_t i = 0; i < 2; ++i) seen.add(Bytes(drawn_b).subspan(32 * i, 32));
            seen.add(alice.curve_secret().bytes());
            seen.add(bob.curve_secret().bytes());
            seen.add(network.psk().bytes());
            {
                SeededRng rng_a(41);
                SeededRng rng_b(42);
                const Handshakes done = shake_hands(alice, bob, network, rng_a, rng_b);
                seen.add(done.initiator.send_key.bytes());
                seen.add(done.initiator.receive_key.bytes());
            }
            {
                SeededRng rng_a(41);
                SeededRng rng_b(42);
                std::array<uint8_t, kMessage1Size> message_1{};
                std::array<uint8_t, kMessage2Size> message_2{};
                std::array<uint8_t, kMessage3Size> message_3{};
                watch = &seen;
                {
                    Searched<InitiatorHandshake> initiator(seen, alice, bob.id(), network, 1U, 0U);
                    Searched<ResponderHandshake> responder(seen, bob, network, 1U, 0U);
                    const auto steps = [&] {
                        if (stop == 0 || !initiator->create_message_1(rng_a, message_1)) return;
                        if (bad && stop == 1) {
                            message_1[40] ^= 1;
                            const Mac1 mac =
                                Mac1Key(bob.curve_point(), network).compute(Bytes(message_1).first<1264>());
                            copy_bytes(message_1.data() + 1264, mac);
                        }
                        if (!responder->consume_message_1(message_1) || stop == 1) return;
                        if (!responder->create_message_2(rng_b, message_2) || stop == 2) return;
                        if (bad && stop == 3) message_2[40] ^= 1;
                        if (!initiator->consume_message_2(message_2) || stop == 3) return;
                        Searched<Result<HandshakeResult>> first(seen, initiator->create_message_3(message_3));
                        if (stop == 4) return;
                        if (bad && stop == 5) message_3[40] ^= 1;
                        Searched<Result<HandshakeResult>> second(seen, responder->consume_message_3(message_3));
                    };
                    steps();
                }
                watch = nullptr;
            }
            CHECK(seen.blocks > 0);
            CHECK(seen.found == 0);
        }
    }
}

TEST_CASE(
    "no freed or dead memory holds a secret of a Secret Handshake or its stream, whether it succeeds or fails at any "
    "step") {
    const Identity alice = identity_number(1);
    const Identity bob = identity_number(2);
    const ShsNetwork network = shs_network(7);
    for (int stop = 0; stop <= 6; ++stop) {
        for (const bool bad : {false, true}) {
            Watch seen;
            for (const uint64_t seed : {41, 42}) {
                SeededRng rng(seed);
                ShsState side(alice, network);
                std::array<uint8_t, kShsHelloSize> hello{};
                side.create_hello(rng, hello);
                seen.add(side.ephemeral.bytes());
            }
            seen.add(alice.curve_secret().bytes());
            seen.add(bob.curve_secret().bytes());
            seen.add(network.bytes());
            {
                const ShsMessages done = shake_shs(alice, bob, network, 41, 42);
                seen.add(done.client.send_key.bytes());
                seen.add(done.client.receive_key.bytes());
                SeededRng rng(41);
                std::array<uint8_t, kShsHelloSize> hello{};
                std::array<uint8_t, kShsAuthenticateSize> authenticate{};
                ShsClient client(alice, bob.id(), network);
                REQUIRE(client.create_hello(rng, hello));
                REQUIRE(client.consume_hello(done.server_hello));
                REQUIRE(client.create_authenticate(authenticate));
                const ShsState& state = ShsTest::state(client);
                seen.add(state.shared.bytes());
                seen.add(state.first.bytes());
                seen.add(state.box_key(false).bytes());
                seen.add(state.opened.bytes().first(32));
            }
            {
                SeededRng rng_a(41);
                SeededRng rng_b(42);
                std::array<uint8_t, kShsHelloSize> client_hello{};
                std::array<uint8_t, kShsHelloSize> server_hello{};
                std::array<uint8_t, kShsAuthenticateSize> authenticate{};
                std::array<uint8_t, kShsAcceptSize> accept{};
                watch = &seen;
                {
                    Searched<ShsClient> client(seen, alice, bob.id(), network);
                    Searched<ShsServer> server(seen, bob, network);
                    const auto steps = [&] {
                        if (stop == 0 || !client->create_hello(rng_a, client_hello) || stop == 1) return;
                        if (bad && stop == 2) client_hello[40] ^= 1;
                        if (!server->consume_hello(client_hello) || !server->create_hello(rng_b, server_hello)) return;
                        if (stop == 2) return;
                        if (bad && stop == 3) server_hello[40] ^= 1;
                        if (!client->consume_hello(server_hello) || stop == 3) return;
                        if (!client->create_authenticate(authenticate) || stop == 4) return;
                        if (bad && stop == 5) authenticate[40] ^= 1;
                        if (!server->consume_authenticate(authenticate) || stop == 5) return;
                        Searched<Result<ShsKeys>> keys(seen, server->create_accept(accept));
                        if (bad && stop == 6) accept[40] ^= 1;
                        Searched<Result<ShsKeys>> others(seen, client->consume_accept(accept));
                        if (bad) return;
                        ShsKeys taken = std::move(**keys.operator->());
                        Searched<BoxSealer> sealer(seen, std::move(taken.send_key), taken.send_nonce);
                        uint8_t box[kBoxHeaderSize + 3] = {};
                        sealer->seal(box, 3);
                    };
                    steps();
                }
                watch = nullptr;
            }
            CHECK(seen.found == 0);
        }
    }
}

TEST_CASE("the search finds a secret that is not wiped") {
    Watch seen;
    const Block secret(32, 0xa5);
    seen.add(secret);
    watch = &seen;
    { const Block leaked(secret); }
    watch = nullptr;
    CHECK(seen.found == 1);
}

TEST_CASE("record keys are wiped when they die, and when a record is bad") {
    for (const Suite suite : {Suite::chacha20_poly1305, Suite::aegis256}) {
        Secret<32> key;
        SeededRng(43).fill(key.mutable_bytes());
        Watch seen;
        seen.add(key.bytes());
        {
            Searched<RecordSealer> sealer(seen, suite, key.clone());
            Searched<RecordOpener> opener(seen, suite, key.clone());
            Block record(sealer->record_size(3));
            REQUIRE(sealer->seal(Block{1, 2, 3}, record.data()));
            record[4] ^= 1;
            size_t consumed = 0;
            size_t size = 0;
            Block out(record.size());
            CHECK(opener->open(record, out.data(), consumed, size) == RecordOpener::Status::bad);
            CHECK(seen.search(&*opener.operator->(), sizeof(RecordOpener)) == 0);
        }
        CHECK(seen.found == 0);
    }
}
