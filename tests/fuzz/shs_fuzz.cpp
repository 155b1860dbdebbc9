// Any bytes as each message of the Secret Handshake, as they come or laid over an honest one, and as a box stream in any cuts.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "protocol/shs_box.h"
#include "protocol/shs_handshake.h"
#include "support/test_rng.h"

using namespace sealwire;

static void require(bool good) {
    if (!good) std::abort();
}

namespace {

struct World {
    Identity alice = make(1);
    Identity bob = make(2);
    ShsNetwork network;
    std::array<uint8_t, kShsHelloSize> client_hello{};
    std::array<uint8_t, kShsHelloSize> server_hello{};
    std::array<uint8_t, kShsAuthenticateSize> authenticate{};
    std::array<uint8_t, kShsAcceptSize> accept{};

    static Identity make(uint64_t seed) {
        test::SeededRng rng(seed);
        return Identity::generate(rng);
    }
    ShsClient client() {
        test::SeededRng rng(3);
        ShsClient handshake(alice, bob.id(), network);
        require(handshake.create_hello(rng, client_hello).has_value());
        return handshake;
    }
    ShsClient client_before_accept() {
        ShsClient handshake = client();
        require(handshake.consume_hello(server_hello).has_value());
        require(handshake.create_authenticate(authenticate).has_value());
        return handshake;
    }
    ShsServer server() {
        test::SeededRng rng(4);
        ShsServer handshake(bob, network);
        require(handshake.consume_hello(client_hello).has_value());
        require(handshake.create_hello(rng, server_hello).has_value());
        return handshake;
    }
    World() {
        client();
        ShsServer second = server();
        ShsClient first = client_before_accept();
        require(second.consume_authenticate(authenticate).has_value());
        require(second.create_accept(accept).has_value());
        require(first.consume_accept(accept).has_value());
    }
};

template <size_t N>
std::array<uint8_t, N> changed(std::array<uint8_t, N> honest, size_t from, Bytes input) {
    for (size_t i = 0; i < input.size() && i < N; ++i) honest[(from + i) % N] ^= input[i];
    return honest;
}

// With its mac made right again, as who knows the network identifier can: nothing but the point's own checks is in its way.
std::array<uint8_t, kShsHelloSize> forged(const ShsNetwork& network, std::array<uint8_t, kShsHelloSize> hello) {
    copy_bytes(hello.data(), hmac_sha512_256(network.bytes(), Bytes(hello).last<32>()));
    return hello;
}

Secret<32> key() {
    Secret<32> key;
    key.data()[0] = 7;
    return key;
}

// Steps: 0xff is the next honest body, 0xfe the goodbye, other bytes are so many raw ones. `piece`: how they are cut.
void box_stream(size_t piece, Bytes steps) {
    Secretbox::Nonce nonce{};
    nonce.fill(0xff);
    BoxSealer sealer(key(), nonce);
    BoxOpener opener(key(), nonce);
    std::vector<uint8_t> stream;
    std::vector<std::vector<uint8_t>> honest;
    for (size_t at = 0; at < steps.size();) {
        const uint8_t step = steps[at++];
        const size_t before = stream.size();
        if (step == 0xff) {
            honest.emplace_back(1 + honest.size() % 40, static_cast<uint8_t>(honest.size()));
            stream.resize(before + kBoxHeaderSize + honest.back().size());
            copy_bytes(stream.data() + before + kBoxHeaderSize, honest.back());
            require(sealer.seal(stream.data() + before, honest.back().size()) == stream.size() - before);
        } else if (step == 0xfe) {
            stream.resize(before + kBoxHeaderSize);
            require(sealer.seal_goodbye(stream.data() + before) == kBoxHeaderSize);
        } else {
            const size_t count = std::min<size_t>(step, steps.size() - at);
            stream.insert(stream.end(), steps.begin() + static_cast<ptrdiff_t>(at),
                          steps.begin() + static_cast<ptrdiff_t>(at + count));
            at += count;
        }
    }
    size_t opened = 0;
    std::vector<uint8_t> body(kMaxBoxBody);
    for (size_t at = 0; at < stream.size();) {
        Bytes in = Bytes(stream).subspan(at, std::min(piece, stream.size() - at));
        const size_t given = in.size();
        for (;;) {
            size_t size = 0;
            const BoxOpener::Status status = opener.open(in, body.data(), size);
            if (status == BoxOpener::Status::body) {
                require(opened < honest.size() && size == honest[opened].size());
                require(std::equal(honest[opened].begin(), honest[opened].end(), body.begin()));
                ++opened;
                continue;
            }
            if (status != BoxOpener::Status::need_more) return;
            require(in.empty());
            break;
        }
        at += given;
    }
}

}  // namespace

// First byte: what. The next two: where the change begins, or how the stream is cut.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static World world;
    if (size < 3) return 0;
    const size_t from = data[1] | size_t{data[2]} << 8;
    const Bytes input(data + 3, size - 3);
    switch (data[0] % 8) {
        case 0: require(!ShsServer(world.bob, world.network).consume_hello(input)); break;
        case 1: require(!world.client().consume_hello(input)); break;
        case 2: require(!world.server().consume_authenticate(input)); break;
        case 3: require(!world.client_before_accept().consume_accept(input)); break;
        case 4: {
            const auto hello = forged(world.network, changed(world.client_hello, from, input));
            test::SeededRng rng(4);
            std::array<uint8_t, kShsHelloSize> back{};
            ShsServer victim(world.bob, world.network);
            require(victim.consume_hello(hello).has_value());
            const bool same = hello == world.client_hello;
            require(!victim.create_hello(rng, back) ||
                    victim.consume_authenticate(world.authenticate).has_value() == same);
            break;
        }
        case 5: {
            const auto message = changed(world.authenticate, from, input);
            require(world.server().consume_authenticate(message).has_value() == (message == world.authenticate));
            break;
        }
        case 6: {
            const auto message = changed(world.accept, from, input);
            require(world.client_before_accept().consume_accept(message).has_value() == (message == world.accept));
            break;
        }
        default: box_stream(1 + from, input); break;
    }
    return 0;
}
