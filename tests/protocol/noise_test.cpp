// The Noise engine against published vectors of 59 patterns, and what it refuses.
#include "protocol/noise.h"

#include <doctest.h>

#include <algorithm>
#include <map>
#include <string>

#include "protocol/record.h"
#include "support/json.h"
#include "support/test_rng.h"

namespace noise_test {

using namespace sealwire;
using namespace sealwire::noise;
using sealwire::test::Json;
using Block = std::vector<uint8_t>;

namespace {

// Section 7 of the specification; "1" stands for its deferred forms.
const std::map<std::string, std::string> kPatterns{
    {"N", "<- s ... -> e es"},
    {"K", "-> s <- s ... -> e es ss"},
    {"X", "<- s ... -> e es s ss"},
    {"NN", "-> e <- e ee"},
    {"NK", "<- s ... -> e es <- e ee"},
    {"NX", "-> e <- e ee s es"},
    {"KN", "-> s ... -> e <- e ee se"},
    {"KK", "-> s <- s ... -> e es ss <- e ee se"},
    {"KX", "-> s ... -> e <- e ee se s es"},
    {"XN", "-> e <- e ee -> s se"},
    {"XK", "<- s ... -> e es <- e ee -> s se"},
    {"XX", "-> e <- e ee s es -> s se"},
    {"IN", "-> e s <- e ee se"},
    {"IK", "<- s ... -> e es s ss <- e ee se"},
    {"IX", "-> e s <- e ee se s es"},
    {"NK1", "<- s ... -> e <- e ee es"},
    {"NX1", "-> e <- e ee s -> es"},
    {"X1N", "-> e <- e ee -> s <- se"},
    {"X1K", "<- s ... -> e es <- e ee -> s <- se"},
    {"XK1", "<- s ... -> e <- e ee es -> s se"},
    {"X1K1", "<- s ... -> e <- e ee es -> s <- se"},
    {"X1X", "-> e <- e ee s es -> s <- se"},
    {"XX1", "-> e <- e ee s -> es s se"},
    {"X1X1", "-> e <- e ee s -> es s <- se"},
    {"K1N", "-> s ... -> e <- e ee -> se"},
    {"K1K", "-> s <- s ... -> e es <- e ee -> se"},
    {"KK1", "-> s <- s ... -> e <- e ee se es"},
    {"K1K1", "-> s <- s ... -> e <- e ee es -> se"},
    {"K1X", "-> s ... -> e <- e ee s es -> se"},
    {"KX1", "-> s ... -> e <- e ee se s -> es"},
    {"K1X1", "-> s ... -> e <- e ee s -> se es"},
    {"I1N", "-> e s <- e ee -> se"},
    {"I1K", "<- s ... -> e es s <- e ee -> se"},
    {"IK1", "<- s ... -> e s <- e ee se es"},
    {"I1K1", "<- s ... -> e s <- e ee es -> se"},
    {"I1X", "-> e s <- e ee s es -> se"},
    {"IX1", "-> e s <- e ee se s -> es"},
    {"I1X1", "-> e s <- e ee s -> se es"},
};

// pskN of section 9.4: at the front of the first message for 0, else at the end of message N.
std::string with_psk(const std::string& text, int number) {
    const size_t known = text.find("... ");
    size_t at = known == std::string::npos ? 0 : known + 4;  // the arrow of message 1
    if (number == 0) return std::string(text).insert(at + 2, " psk");
    const auto next_arrow = [&](size_t from) { return std::min(text.find(" ->", from), text.find(" <-", from)); };
    for (int message = 1; message <= number; ++message) at = next_arrow(at + 1);
    return at == std::string::npos ? text + " psk" : std::string(text).insert(at, " psk");
}

// "XKpsk3" -> the pattern.
Pattern pattern_of(const std::string& name) {
    const size_t psk = name.find("psk");
    const auto found = kPatterns.find(name.substr(0, psk));
    if (found == kPatterns.end()) throw std::runtime_error("no pattern " + name);
    return parse_pattern(psk == std::string::npos ? found->second : with_psk(found->second, name[psk + 3] - '0'));
}

std::array<uint8_t, 32> block32(const Json& hex) {
    const Block bytes = hex.bytes();
    std::array<uint8_t, 32> out{};
    REQUIRE(bytes.size() == out.size());
    copy_bytes(out.data(), bytes);
    return out;
}

Knowledge knowledge_of(const Json& vector, const std::string& side) {
    Knowledge knowledge;
    if (vector.has(side + "_static")) {
        knowledge.own_static.emplace();
        knowledge.own_static->secret = Secret<32>(block32(vector[side + "_static"]));
        knowledge.own_static->point = x25519_public(knowledge.own_static->secret);
    }
    if (vector.has(side + "_remote_static")) knowledge.remote_static = block32(vector[side + "_remote_static"]);
    if (vector.has(side + "_psks")) {
        REQUIRE(vector[side + "_psks"].list().size() == 1);
        knowledge.psk.emplace(block32(vector[side + "_psks"].list()[0]));
    }
    return knowledge;
}

// Runs one vector through both sides; every message and payload is compared.
void run_vector(const Json& vector) {
    const std::string name = vector["protocol_name"].text();
    INFO(name);
    const std::string pattern_name = name.substr(6, name.find('_', 6) - 6);
    const Pattern pattern = pattern_of(pattern_name);
    const bool one_way = pattern.message_count == 1;
    HandshakeState initiator(name, pattern, Role::initiator, vector["init_prologue"].bytes(),
                             knowledge_of(vector, "init"));
    HandshakeState responder(name, pattern, Role::responder, vector["resp_prologue"].bytes(),
                             knowledge_of(vector, "resp"));
    test::ScriptedRng initiator_rng;
    test::ScriptedRng responder_rng;
    initiator_rng.then(vector["init_ephemeral"].bytes());
    if (vector.has("resp_ephemeral")) responder_rng.then(vector["resp_ephemeral"].bytes());

    CipherState send[2];
    CipherState receive[2];
    size_t index = 0;
    for (const Json& message : vector["messages"].list()) {
        const Block payload = message["payload"].bytes();
        const Block expected = message["ciphertext"].bytes();
        Block wire(expected.size());
        Block read(payload.size());
        const size_t side = one_way ? 0 : index % 2;
        if (index < pattern.message_count) {
            HandshakeState& writer = side == 0 ? initiator : responder;
            HandshakeState& reader = side == 0 ? responder : initiator;
            test::ScriptedRng& rng = side == 0 ? initiator_rng : responder_rng;
            REQUIRE(writer.write_message(rng, payload, wire) == expected.size());
            REQUIRE(reader.read_message(wire, read) == payload.size());
        } else {
            if (index == pattern.message_count) {
                Secret<32> keys[2];
                Secret<32> same[2];
                REQUIRE(initiator.split(keys[0], keys[1]));
                REQUIRE(responder.split(same[0], same[1]));
                for (int i = 0; i < 2; ++i) {
                    CHECK(keys[i] == same[i]);
                    send[i].set_key(keys[i].bytes());
                    receive[i].set_key(same[i].bytes());
                }
            }
            REQUIRE(send[side].encrypt({}, payload, wire.data()));
            REQUIRE(receive[side].decrypt({}, wire, read.data()));
        }
        CHECK(wire == expected);
        CHECK(read == payload);
        ++index;
    }
    CHECK(index > pattern.message_count);
    if (vector.has("handshake_hash")) {
        const Block hash = vector["handshake_hash"].bytes();
        CHECK(Block(initiator.hash().begin(), initiator.hash().end()) == hash);
        CHECK(initiator.hash() == responder.hash());
    }
    CHECK(initiator_rng.used_up());
    CHECK(responder_rng.used_up());
}

}  // namespace

TEST_CASE("all 59 published vectors of 25519, ChaChaPoly and SHA256 come out byte for byte") {
    const Json file = test::load_vectors("noise/cacophony_25519_ChaChaPoly_SHA256.json");
    size_t passed = 0;
    for (const Json& vector : file["vectors"].list()) {
        run_vector(vector);
        ++passed;
    }
    MESSAGE("Noise vectors: " << passed);
    CHECK(passed == 59);
}

TEST_CASE("the published vector with psk and ML-KEM-768 comes out byte for byte") {
    const Json vector = test::load_vectors("xkhfs-proto/xkhfs_psk0_mlkem768.json");
    constexpr Pattern pattern = parse_pattern("<- s ... -> psk e es e1 <- e ee ekem1 -> s se");
    const auto knowledge = [&](const char* secret_name, bool initiator) {
        Knowledge known;
        known.own_static.emplace();
        known.own_static->secret = Secret<32>(block32(vector[secret_name]));
        known.own_static->point = x25519_public(known.own_static->secret);
        known.psk.emplace(block32(vector["psk"]));
        if (initiator) known.remote_static = block32(vector["server_static_pk"]);
        return known;
    };
    const std::string name = vector["protocol_name"].text();
    const Block prologue = vector["prologue"].bytes();
    HandshakeState client(name, pattern, Role::initiator, prologue, knowledge("client_static_sk", true));
    HandshakeState server(name, pattern, Role::responder, prologue, knowledge("server_static_sk", false));
    test::ScriptedRng client_rng;
    test::ScriptedRng server_rng;
    client_rng.then(vector["client_eph_sk"].bytes()).then(vector["mlkem_keygen_seed_d_z"].bytes());
    server_rng.then(vector["server_eph_sk"].bytes()).then(vector["mlkem_encaps_m"].bytes());

    Block message(1264);
    std::array<uint8_t, 16> payload{};
    REQUIRE(client.write_message(client_rng, vector["payload1"].bytes(), message) == message.size());
    std::array<uint8_t, 16> mac{};
    REQUIRE(blake2b(mac, vector["mac1_key"].bytes(), message));
    Block with_mac = message;
    with_mac.insert(with_mac.end(), mac.begin(), mac.end());
    CHECK(with_mac == vector["msg1_with_mac1"].bytes());
    REQUIRE(server.read_message(message, payload) == 16);
    CHECK(Block(payload.begin(), payload.end()) == vector["payload1"].bytes());

    message.resize(1168);
    REQUIRE(server.write_message(server_rng, vector["payload2"].bytes(), message) == message.size());
    CHECK(message == vector["msg2"].bytes());
    REQUIRE(client.read_message(message, payload) == 16);
    CHECK(Block(payload.begin(), payload.end()) == vector["payload2"].bytes());

    message.resize(80);
    REQUIRE(client.write_message(client_rng, vector["payload3"].bytes(), message) == message.size());
    CHECK(message == vector["msg3"].bytes());
    REQUIRE(server.read_message(message, payload) == 16);
    CHECK(Block(payload.begin(), payload.end()) == vector["payload3"].bytes());
    CHECK(*server.remote_static() == block32(vector["client_static_pk"]));

    CHECK(client.hash() == block32(vector["handshake_hash"]));
    CHECK(server.hash() == client.hash());
    Secret<32> keys[2];
    REQUIRE(client.split(keys[0], keys[1]));
    CHECK(keys[0] == Secret<32>(block32(vector["key_c2s"])));
    CHECK(keys[1] == Secret<32>(block32(vector["key_s2c"])));

    // A record sealed after one rekey opens with the vector's key after one rekey.
    RecordSealer sealer(Suite::chacha20_poly1305, std::move(keys[0]), {1, 1});
    RecordOpener opener(Suite::chacha20_poly1305, Secret<32>(block32(vector["rekey1_c2s"])), {1, kRecordHardStop - 1});
    Block record(sealer.record_size(4));
    REQUIRE(sealer.seal(Block(4), record.data()));
    size_t consumed = 0;
    size_t size = 0;
    Block opened(record.size());
    CHECK(opener.open(record, opened.data(), consumed, size) == RecordOpener::Status::ok);
}

TEST_CASE(
    "a message out of turn, too short, too long for its buffer or without what its pattern needs fails for good") {
    constexpr Pattern pattern = parse_pattern("-> e <- e ee");
    const char* name = "Noise_NN_25519_ChaChaPoly_SHA256";
    test::SeededRng rng(1);
    Block wire(200);
    Block payload(200);
    {
        HandshakeState responder(name, pattern, Role::responder, {}, {});
        CHECK_FALSE(responder.write_message(rng, {}, wire));
        CHECK_FALSE(responder.read_message(Block(32), payload));  // it has given up
    }
    {
        HandshakeState initiator(name, pattern, Role::initiator, {}, {});
        CHECK_FALSE(initiator.write_message(rng, {}, MutableBytes(wire).first(31)));
    }
    for (size_t size = 0; size < 32; ++size) {
        HandshakeState responder(name, pattern, Role::responder, {}, {});
        CHECK_FALSE(responder.read_message(Bytes(wire).first(size), payload));
    }
    {
        HandshakeState responder(name, pattern, Role::responder, {}, {});
        CHECK_FALSE(responder.read_message(Bytes(wire).first(33), {}));
    }
    {
        constexpr Pattern needs_key = parse_pattern("<- s ... -> e es");
        HandshakeState initiator("Noise_N_25519_ChaChaPoly_SHA256", needs_key, Role::initiator, {}, {});
        CHECK_FALSE(initiator.write_message(rng, {}, wire));
    }
    {
        constexpr Pattern needs_psk = parse_pattern("-> psk e <- e ee");
        HandshakeState initiator("Noise_NNpsk0_25519_ChaChaPoly_SHA256", needs_psk, Role::initiator, {}, {});
        CHECK_FALSE(initiator.write_message(rng, {}, wire));
    }
    {
        HandshakeState initiator(name, pattern, Role::initiator, {}, {});
        Secret<32> keys[2];
        CHECK_FALSE(initiator.split(keys[0], keys[1]));
    }
}

TEST_CASE("what is no pattern is refused") {
    for (const char* text :
         {"", "e", "-> x", "<- e", "-> e -> e", "-> e <- e -> e <- e -> e", "-> e s e s e s e", "<- s ..."})
        CHECK_THROWS(parse_pattern(text));
}

}  // namespace noise_test
