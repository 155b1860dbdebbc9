// The Secret Handshake: the 159 published step vectors, and both roles against each other.
#include "protocol/shs_handshake.h"

#include <algorithm>
#include <map>
#include <string>

#include "protocol/shs_by_hand.h"
#include "support/json.h"

namespace shs_handshake_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

// Gives the one value that a vector says was drawn.
class Drawn final : public Rng {
public:
    explicit Drawn(Block value) : value_(std::move(value)) {}
    void fill(MutableBytes out) override {
        REQUIRE(out.size() == value_.size());
        copy_bytes(out.data(), value_);
    }

private:
    Block value_;
};

Bytes bytes_of(const Secret<32>& secret) { return secret.bytes(); }
Bytes bytes_of(const Secret<96>& secret) { return secret.bytes(); }
Bytes bytes_of(const Block& block) { return block; }
template <size_t N>
Bytes bytes_of(const std::array<uint8_t, N>& array) {
    return array;
}
template <class A>
bool same(const A& ours, const Json& hex) {
    const Block theirs = hex.bytes();
    const Bytes mine = bytes_of(ours);
    return std::equal(mine.begin(), mine.end(), theirs.begin(), theirs.end());
}

// The state that a vector begins with, made by the real steps up to there.
struct Side {
    explicit Side(const Json& json)
        : state(json),
          identity(Identity::from_seed(Bytes(json["local"]["secretKey"].bytes()).first<32>())),
          network(Bytes(json["app_key"].bytes()).first<32>()),
          rng(json["random"].bytes()) {
        CHECK(same(identity.id().bytes, json["local"]["publicKey"]));
    }
    bool is_client() const { return state.has("seed"); }
    PeerId remote() const {
        PeerId id;
        copy_bytes(id.bytes.data(), state["remote"]["publicKey"].bytes());
        return id;
    }
    Block other_hello() const {
        Block both = state["remote"]["app_mac"].bytes();
        const Block point = state["remote"]["kx_pk"].bytes();
        both.insert(both.end(), point.begin(), point.end());
        return both;
    }
    // After its own hello.
    ShsClient client() {
        ShsClient made(identity, remote(), network);
        REQUIRE(made.create_hello(rng, hello));
        return made;
    }
    // After both hellos.
    ShsServer server() {
        ShsServer made(identity, network);
        REQUIRE(made.consume_hello(other_hello()));
        REQUIRE(made.create_hello(rng, hello));
        return made;
    }

    const Json& state;
    Identity identity;
    ShsNetwork network;
    Drawn rng;
    std::array<uint8_t, kShsHelloSize> hello{};
};

// An authenticate message that holds `opened`, by the key that the vector states.
Block boxed(const Block& opened, const Block& key) {
    Block out(Secretbox::kTagSize + opened.size());
    const auto tag = Secretbox::seal(out.data() + Secretbox::kTagSize, opened, {}, Secret<32>(Bytes(key).first<32>()));
    copy_bytes(out.data(), tag);
    return out;
}

bool initialize(const Json& args, const Json& result) {
    Side side(args.list()[0]);
    ShsState state(side.identity, side.network);
    state.create_hello(side.rng, side.hello);
    const Json& local = result["local"];
    return same(state.ephemeral, local["kx_sk"]) && same(state.point, local["kx_pk"]) &&
           same(state.own_mac, local["app_mac"]);
}

bool create_challenge(const Json& args, const Json& result) {
    Side side(args.list()[0]);
    ShsState state(side.identity, side.network);
    state.create_hello(side.rng, side.hello);
    return same(side.hello, result);
}

bool verify_challenge(const Json& args, const Json& result) {
    Side side(args.list()[0]);
    const Block challenge = args.list()[1].bytes();
    if (side.is_client()) {
        ShsClient client = side.client();
        if (!client.consume_hello(challenge)) return result.is_null();
        const ShsState& state = ShsTest::state(client);
        return same(state.shared, result["secret"]) && same(state.shared_hash, result["shash"]);
    }
    ShsServer server(side.identity, side.network);
    if (!server.consume_hello(challenge)) return result.is_null();
    REQUIRE(server.create_hello(side.rng, side.hello));
    const ShsState& state = ShsTest::state(server);
    return same(state.shared, result["secret"]) && same(state.shared_hash, result["shash"]);
}

bool client_verify_challenge(const Json& args, const Json& result) {
    Side side(args.list()[0]);
    ShsClient client = side.client();
    if (!client.consume_hello(args.list()[1].bytes())) return result.is_null();
    std::array<uint8_t, kShsAuthenticateSize> authenticate{};
    REQUIRE(client.create_authenticate(authenticate));
    const ShsState& state = ShsTest::state(client);
    return same(state.shared, result["secret"]) && same(state.shared_hash, result["shash"]) &&
           same(state.first, result["a_bob"]) && same(state.box_key(false), result["secret2"]) &&
           same(state.opened, result["local"]["hello"]);
}

bool client_create_auth(const Json& args, const Json& result) {
    Side side(args.list()[0]);
    ShsClient client = side.client();
    REQUIRE(client.consume_hello(side.other_hello()));
    std::array<uint8_t, kShsAuthenticateSize> authenticate{};
    REQUIRE(client.create_authenticate(authenticate));
    return same(authenticate, result);
}

bool server_verify_auth(const Json& args, const Json& result) {
    Side side(args.list()[0]);
    ShsServer server = side.server();
    const Result<PeerId> client = server.consume_authenticate(args.list()[1].bytes());
    if (!client) return result.is_null();
    const ShsState& state = ShsTest::state(server);
    return same(state.opened, result["remote"]["hello"]) && same(client->bytes, result["remote"]["publicKey"]) &&
           same(state.first, result["a_bob"]) && same(state.box_key(false), result["secret2"]) &&
           same(state.second, result["b_alice"]) && same(state.box_key(true), result["secret3"]);
}

bool server_create_accept(const Json& args, const Json& result) {
    const Json& state = args.list()[0];
    Side side(state);
    ShsServer server = side.server();
    REQUIRE(server.consume_authenticate(boxed(state["remote"]["hello"].bytes(), state["secret2"].bytes())));
    std::array<uint8_t, kShsAcceptSize> accept{};
    REQUIRE(server.create_accept(accept));
    return same(accept, result);
}

// A client with its accept message, or a server with the client's message: what `clean` ends.
struct Last {
    const Json* state;
    Block message;
};

Result<ShsKeys> finish(const Last& last) {
    Side side(*last.state);
    if (!side.is_client()) {
        ShsServer server = side.server();
        REQUIRE(server.consume_authenticate(last.message));
        std::array<uint8_t, kShsAcceptSize> accept{};
        return server.create_accept(accept);
    }
    ShsClient client = side.client();
    REQUIRE(client.consume_hello(side.other_hello()));
    std::array<uint8_t, kShsAuthenticateSize> authenticate{};
    REQUIRE(client.create_authenticate(authenticate));
    return client.consume_accept(last.message);
}

bool clean(const Json& result, const std::map<std::string, Last>& lasts) {
    const auto last = lasts.find(result["random"].text());
    if (last == lasts.end()) return false;
    const Result<ShsKeys> keys = finish(last->second);
    if (!keys) return false;
    const Block theirs = result["remote"]["app_mac"].bytes();
    const Block ours = result["local"]["app_mac"].bytes();
    return same(keys->send_key, result["encryptKey"]) && same(keys->receive_key, result["decryptKey"]) &&
           std::equal(keys->send_nonce.begin(), keys->send_nonce.end(), theirs.begin()) &&
           std::equal(keys->receive_nonce.begin(), keys->receive_nonce.end(), ours.begin());
}

// Of a seed, or of a pair that was made already.
bool to_keys(const Json& args, const Json& result) {
    const Json& given = args.list()[0];
    Block seed = given.is_object() ? given["secretKey"].bytes() : given.bytes();
    seed.resize(32);
    const Identity identity = Identity::from_seed(Bytes(seed).first<32>());
    Block secret = seed;
    secret.insert(secret.end(), identity.id().bytes.begin(), identity.id().bytes.end());
    return same(identity.id().bytes, result["publicKey"]) && same(secret, result["secretKey"]);
}

}  // namespace

TEST_CASE("all 159 step vectors of the Secret Handshake hold") {
    const Json file = load_vectors("shs1/data.json");
    std::map<std::string, Last> lasts;  // by the random value of their side
    for (const Json& vector : file.list()) {
        const std::string& name = vector["name"].text();
        if ((name != "clientVerifyAccept" && name != "serverVerifyAuth") || vector["result"].is_null()) continue;
        const auto& args = vector["args"].list();
        lasts[args[0]["random"].text()] = {&args[0], args[1].bytes()};
    }
    std::map<std::string, std::pair<unsigned, unsigned>> counts;  // passed, refused among them
    for (const Json& vector : file.list()) {
        const std::string& name = vector["name"].text();
        const Json& args = vector["args"];
        const Json& result = vector["result"];
        bool passed = false;
        if (name == "initialize") passed = initialize(args, result);
        else if (name == "createChallenge") passed = create_challenge(args, result);
        else if (name == "verifyChallenge") passed = verify_challenge(args, result);
        else if (name == "clientVerifyChallenge") passed = client_verify_challenge(args, result);
        else if (name == "clientCreateAuth") passed = client_create_auth(args, result);
        else if (name == "serverVerifyAuth") passed = server_verify_auth(args, result);
        else if (name == "serverCreateAccept") passed = server_create_accept(args, result);
        else if (name == "clientVerifyAccept") passed = finish({&args.list()[0], args.list()[1].bytes()}).has_value();
        else if (name == "clean") passed = clean(result, lasts);
        else if (name == "toKeys") passed = to_keys(args, result);
        CHECK_MESSAGE(passed, name << " " << (result.has("random") ? result["random"].text() : ""));
        counts[name].first += passed ? 1 : 0;
        counts[name].second += result.is_null() ? 1 : 0;
    }
    unsigned all = 0;
    for (const auto& [name, count] : counts) {
        all += count.first;
        MESSAGE(name << ": " << count.first << " (" << count.second << " that are to be refused)");
    }
    CHECK(all == 159);
    CHECK(file.list().size() == 159);
}

TEST_CASE("both roles agree on keys, nonces and who is there") {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        const Identity alice = identity_number(seed);
        const Identity bob = identity_number(seed + 100);
        const ShsMessages made = shake_shs(alice, bob, shs_network(static_cast<uint8_t>(seed)), seed, seed + 1);
        CHECK(made.seen == alice.id());
        CHECK(made.client.send_key == made.server.receive_key);
        CHECK(made.client.receive_key == made.server.send_key);
        CHECK(made.client.send_nonce == made.server.receive_nonce);
        CHECK(made.client.receive_nonce == made.server.send_nonce);
        CHECK_FALSE(made.client.send_key == made.client.receive_key);
    }
}

TEST_CASE("another network identifier, or another server key, is refused at the first message that shows it") {
    const Identity alice = identity_number(1);
    const Identity bob = identity_number(2);
    const Identity carol = identity_number(3);
    SeededRng rng(4);
    std::array<uint8_t, kShsHelloSize> hello{};
    std::array<uint8_t, kShsHelloSize> back{};
    std::array<uint8_t, kShsAuthenticateSize> authenticate{};
    ShsClient other_network(alice, bob.id(), shs_network(7));
    REQUIRE(other_network.create_hello(rng, hello));
    ShsServer server(bob, shs_network(8));
    CHECK_FALSE(server.consume_hello(hello));
    CHECK(server.failure() == ShsFailure::not_for_us);
    CHECK_FALSE(shs_hello_shows(shs_network(8), hello));
    CHECK(shs_hello_shows(shs_network(7), hello));

    ShsClient for_carol(alice, carol.id(), shs_network(8));
    ShsServer bobs(bob, shs_network(8));
    REQUIRE(for_carol.create_hello(rng, hello));
    REQUIRE(bobs.consume_hello(hello));
    REQUIRE(bobs.create_hello(rng, back));
    REQUIRE(for_carol.consume_hello(back));
    REQUIRE(for_carol.create_authenticate(authenticate));
    CHECK_FALSE(bobs.consume_authenticate(authenticate));
    CHECK(bobs.failure() == ShsFailure::authenticate);
    CHECK(ShsTest::wiped(bobs));
}

TEST_CASE("a call out of order is told apart from a failed handshake, and ends it") {
    const Identity alice = identity_number(1);
    const Identity bob = identity_number(2);
    std::array<uint8_t, kShsHelloSize> hello{};
    std::array<uint8_t, kShsAcceptSize> accept{};
    ShsClient client(alice, bob.id(), shs_network(1));
    CHECK(client.consume_hello(hello).error().code == Errc::state);
    SeededRng rng(1);
    CHECK(client.create_hello(rng, hello).error().code == Errc::state);
    ShsServer server(bob, shs_network(1));
    CHECK(server.create_accept(accept).error().code == Errc::state);
    CHECK(server.consume_hello(hello).error().code == Errc::state);
    CHECK(ShsTest::wiped(client));
    CHECK(ShsTest::wiped(server));
}

TEST_CASE("a server id that is no usable key is refused before a byte goes out") {
    const Identity alice = identity_number(1);
    ShsClient client(alice, PeerId{}, shs_network(1));
    SeededRng rng(1);
    std::array<uint8_t, kShsHelloSize> hello{};
    CHECK(client.create_hello(rng, hello).error().code == Errc::key);
    CHECK(client.failure() == ShsFailure::own_key);
}

}  // namespace shs_handshake_test
