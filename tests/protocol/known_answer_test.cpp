// Our own known answers, tests/vectors/sealwire: made again from their seeds and compared byte for byte.
//
// To write them anew after a change of the protocol: SEALWIRE_WRITE_VECTORS=1 protocol-test -tc="*known answers*".
#include <doctest.h>

#include "protocol/by_hand.h"
#include "protocol/record.h"
#include "support/vector_file.h"

namespace known_answer_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

// JSON numbers end at 2^53, so 64 bits are written as the 8 bytes that p1 and p2 hold.
Block negotiation_features(uint64_t features) {
    const Block block = negotiation(0, features);
    return {block.begin() + 4, block.begin() + 12};
}

struct Case {
    const char* name;
    uint64_t seed;
    const char* network;  // "secret": made from the seed
    uint32_t offered;
    uint32_t supported;
    uint64_t offered_features;
    uint64_t supported_features;
    uint8_t kind;
};

constexpr Case kCases[] = {
    {"default network", 1, "", 1, 1, 0, 0, 1},
    {"named network, both suites", 2, "team", 3, 3, 0, 0, 1},
    {"secret network, responder without AEGIS", 3, "secret", 3, 1, 0, 0, 1},
    {"secret network, features", 4, "secret", 3, 3, 0x8000000000000005, 0x8000000000000006, 1},
    {"through a relay, AEGIS only", 5, "relay users", 2, 3, 1, 1, 2},
};

}  // namespace

TEST_CASE("handshake known answers") {
    std::vector<Object> vectors;
    for (const Case& entry : kCases) {
        SeededRng rng(0x5ea10000 + entry.seed);
        const auto draw = [&](size_t size) {
            Block block(size);
            rng.fill(block);
            return block;
        };
        const Block initiator_seed = draw(32);
        const Block responder_seed = draw(32);
        const Block initiator_random = draw(96);
        const Block responder_random = draw(64);
        const std::string network_text = std::string(entry.network) == "secret"
                                             ? std::string(Network::generate(rng).view())
                                             : std::string(entry.network);
        const Identity a = Identity::from_seed(Bytes(initiator_seed).first<32>());
        const Identity b = Identity::from_seed(Bytes(responder_seed).first<32>());
        const Network network = *Network::parse(network_text);

        ScriptedRng rng_a;
        ScriptedRng rng_b;
        rng_a.then(initiator_random);
        rng_b.then(responder_random);
        InitiatorHandshake initiator(a, b.id(), network, entry.offered, entry.offered_features, entry.kind);
        ResponderHandshake responder(b, network, entry.supported, entry.supported_features, entry.kind);
        Handshakes all;
        REQUIRE(initiator.create_message_1(rng_a, all.message_1));
        REQUIRE(responder.consume_message_1(all.message_1));
        REQUIRE(responder.create_message_2(rng_b, all.message_2));
        REQUIRE(initiator.consume_message_2(all.message_2));
        const Result<HandshakeResult> first = initiator.create_message_3(all.message_3);
        const Result<HandshakeResult> second = responder.consume_message_3(all.message_3);
        REQUIRE(first);
        REQUIRE(second);
        CHECK(first->send_key == second->receive_key);
        CHECK(first->receive_key == second->send_key);
        CHECK(rng_a.used_up());
        CHECK(rng_b.used_up());

        Object object;
        object.text("name", entry.name)
            .text("network", network_text)
            .hex("psk", network.psk().bytes())
            .number("kind", entry.kind)
            .hex("initiator_seed", initiator_seed)
            .hex("initiator_id", a.id().bytes)
            .text("initiator_id_text", a.id().text())
            .hex("initiator_x25519", a.curve_point())
            .hex("responder_seed", responder_seed)
            .hex("responder_id", b.id().bytes)
            .text("responder_id_text", b.id().text())
            .hex("responder_x25519", b.curve_point())
            .hex("initiator_ephemeral", Bytes(initiator_random).first(32))
            .hex("mlkem_seed_d_z", Bytes(initiator_random).subspan(32))
            .hex("responder_ephemeral", Bytes(responder_random).first(32))
            .hex("mlkem_m", Bytes(responder_random).subspan(32))
            .number("suites_offered", entry.offered)
            .number("suites_supported", entry.supported)
            .hex("features_offered_le64", negotiation_features(entry.offered_features))
            .hex("features_supported_le64", negotiation_features(entry.supported_features))
            .hex("message_1", all.message_1)
            .hex("message_2", all.message_2)
            .hex("message_3", all.message_3)
            .number("suite", static_cast<uint32_t>(first->suite))
            .hex("features_le64", negotiation_features(first->features))
            .hex("key_initiator_to_responder", first->send_key.bytes())
            .hex("key_responder_to_initiator", first->receive_key.bytes())
            .hex("channel_id", first->channel_id);
        vectors.push_back(object);
    }
    settle("sealwire/handshake.json",
           document("Whole handshakes: all seeds in, all bytes out (PROTOCOL.md, section 2).", vectors));
    CHECK(load_vectors("sealwire/handshake.json")["vectors"].list().size() == 5);
}

TEST_CASE("record known answers") {
    std::vector<Object> vectors;
    for (const Suite suite : {Suite::chacha20_poly1305, Suite::aegis256}) {
        for (const RecordStart start :
             {RecordStart{0, kRekeyInterval}, RecordStart{0, 3}, RecordStart{kRekeyInterval - 2, kRekeyInterval},
              RecordStart{kRecordHardStop - 2, kRekeyInterval}}) {
            SeededRng rng(0x5ea20000 + start.counter + start.rekey_interval);
            Secret<32> key;
            rng.fill(key.mutable_bytes());
            RecordSealer sealer(suite, key.clone(), start);
            RecordOpener opener(suite, key.clone(), start);
            Object object;
            std::string records;
            const int count = start.counter + 8 > kRecordHardStop ? 2 : 8;
            for (int i = 0; i < count; ++i) {
                Block plain(std::array<size_t, 8>{1, 5, 64, 300, 16, 17, 31, 32}[static_cast<size_t>(i)]);
                rng.fill(plain);
                Block record(sealer.record_size(plain.size()));
                REQUIRE(sealer.seal(plain, record.data()));
                Block opened(record.size());
                size_t consumed = 0;
                size_t size = 0;
                REQUIRE(opener.open(record, opened.data(), consumed, size) == RecordOpener::Status::ok);
                opened.resize(size);
                CHECK(opened == plain);
                records += std::string(i == 0 ? "" : ",") + "\n        {\"plain\": \"" +
                           to_hex(plain.data(), plain.size()) + "\", \"record\": \"" +
                           to_hex(record.data(), record.size()) + "\"}";
            }
            object.number("suite", static_cast<uint32_t>(suite))
                .hex("key", key.bytes())
                .number("counter", start.counter)
                .number("rekey_interval", start.rekey_interval)
                .raw("records", "[" + records + "\n      ]");
            vectors.push_back(object);
        }
    }
    settle(
        "sealwire/record.json",
        document(
            "Records of one direction in order; counter is that of the first, key the one before a rekey that is due "
            "at it (PROTOCOL.md, section 3).",
            vectors));
    CHECK(load_vectors("sealwire/record.json")["vectors"].list().size() == 8);
}

}  // namespace known_answer_test
