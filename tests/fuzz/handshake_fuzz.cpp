// Any bytes as each of the three messages, as they come or laid over an honest message with its mac made right again.
#include <cstdlib>

#include "protocol/handshake.h"
#include "support/test_rng.h"

using namespace sealwire;

static void require(bool good) {
    if (!good) std::abort();
}

namespace {

struct World {
    Identity alice = make(1);
    Identity bob = make(2);
    Network network;
    std::array<uint8_t, kMessage1Size> message_1{};
    std::array<uint8_t, kMessage2Size> message_2{};
    std::array<uint8_t, kMessage3Size> message_3{};

    static Identity make(uint64_t seed) {
        test::SeededRng rng(seed);
        return Identity::generate(rng);
    }
    InitiatorHandshake initiator() {
        test::SeededRng rng(3);
        InitiatorHandshake handshake(alice, bob.id(), network, 1, 0);
        require(handshake.create_message_1(rng, message_1).has_value());
        return handshake;
    }
    ResponderHandshake responder() {
        test::SeededRng rng(4);
        ResponderHandshake handshake(bob, network, 1, 0);
        require(handshake.consume_message_1(message_1).has_value());
        require(handshake.create_message_2(rng, message_2).has_value());
        return handshake;
    }
    World() {
        InitiatorHandshake first = initiator();
        ResponderHandshake second = responder();
        require(first.consume_message_2(message_2).has_value());
        require(first.create_message_3(message_3).has_value());
        require(second.consume_message_3(message_3).has_value());
    }
};

// The input xored over `honest`: so small inputs reach behind the lengths.
template <size_t N>
std::array<uint8_t, N> changed(std::array<uint8_t, N> honest, size_t from, Bytes input) {
    for (size_t i = 0; i < input.size() && i < N; ++i) honest[(from + i) % N] ^= input[i];
    return honest;
}

}  // namespace

// First byte: which message, and whether raw or laid over. The next two: where the change begins.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static World world;
    if (size < 3) return 0;
    const size_t from = data[1] | size_t{data[2]} << 8;
    const Bytes input(data + 3, size - 3);
    switch (data[0] % 6) {
        case 0: require(!ResponderHandshake(world.bob, world.network, 1, 0).consume_message_1(input)); break;
        case 1: require(!world.initiator().consume_message_2(input)); break;
        case 2: require(!world.responder().consume_message_3(input)); break;
        case 3: {
            auto message = changed(world.message_1, from, input);
            const Mac1 mac = Mac1Key(world.bob.curve_point(), world.network)
                                 .compute(Bytes(message).first<kMessage1Size - kMac1Size>());
            copy_bytes(message.data() + kMessage1Size - kMac1Size, mac);
            ResponderHandshake victim(world.bob, world.network, 1, 0);
            require(victim.consume_message_1(message).has_value() == (message == world.message_1));
            require(victim.failure() != HandshakeFailure::not_for_us);
            break;
        }
        case 4: {
            const auto message = changed(world.message_2, from, input);
            require(world.initiator().consume_message_2(message).has_value() == (message == world.message_2));
            break;
        }
        default: {
            const auto message = changed(world.message_3, from, input);
            require(world.responder().consume_message_3(message).has_value() == (message == world.message_3));
            break;
        }
    }
    return 0;
}
