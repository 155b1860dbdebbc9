// Messages of topics with a secret: what opens, what is signed, and the known answers tests/vectors/sealwire/topic.json.
//
// To write these anew after a change of the protocol: SEALWIRE_WRITE_VECTORS=1 session-test -tc="*topics with a secret*".
#include "protocol/topic_seal.h"

#include <doctest.h>

#include <optional>
#include <vector>

#include "base/writer.h"
#include "crypto/aead.h"
#include "crypto/base32.h"
#include "crypto/hash.h"
#include "crypto/network.h"
#include "crypto/secret_code.h"
#include "support/test_rng.h"
#include "support/vector_file.h"

namespace topic_seal_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

using Block = std::vector<uint8_t>;

Secret<32> secret_of(uint64_t seed) {
    SeededRng rng(seed);
    Secret<32> secret;
    rng.fill(secret.mutable_bytes());
    return secret;
}

Identity identity_of(uint64_t seed) {
    SeededRng rng(seed);
    return Identity::generate(rng);
}

TopicNote note_of(uint64_t number, uint64_t before) {
    TopicNote note;
    for (size_t i = 0; i < note.origin.size(); ++i) note.origin[i] = static_cast<uint8_t>(0xa0 + i);
    note.number = number;
    note.before = before;
    note.time_ms = 1'795'000'000'000;
    note.type = 1;
    return note;
}

Block sealed_by(const TopicSeal& seal, const TopicNote& note, std::string_view body, const Identity& publisher,
                uint64_t nonce = 99) {
    SeededRng rng(nonce);
    Block out(body.size() + TopicSeal::kCost);
    seal.seal(out.data(), note, as_bytes(body), publisher, rng);
    return out;
}

struct OpenedCopy {
    TopicNote note;
    Signature signature;
    std::string body;
    bool is_signed;
};

// From and into memory of exactly its size.
std::optional<OpenedCopy> open(const TopicSeal& seal, Bytes message) {
    const Block sealed(message.begin(), message.end());
    Block room(sealed.size() < TopicSeal::kCost ? 0 : sealed.size() - TopicSeal::kClear - 16);
    TopicSeal::Opened opened;
    if (!seal.open(room.data(), sealed, opened)) return std::nullopt;
    return OpenedCopy{opened.note, opened.signature, std::string(as_text(opened.body)), seal.is_signed(opened)};
}

// A message written out step by step from PROTOCOL.md by a member who may lie in each of its fields.
struct SealedByHand {
    std::string secret_label = "topic seal";
    std::string context = "sealwire topic 1";
    TopicTag tag{};
    TopicOrigin origin{};
    uint64_t number = 0, time_ms = 0, before = 0;
    uint8_t flags = 0, type = 0;
    Block nonce = Block(24, 0x5a);
    PeerId publisher;
    Block body;
    std::optional<Signature> signature;
    size_t cut = 0;  // bytes that are not sealed

    SealedByHand(const TopicTag& of, const TopicNote& note, std::string_view text, const PeerId& by)
        : tag(of),
          origin(note.origin),
          number(note.number),
          time_ms(note.time_ms),
          before(note.before),
          flags(note.to_some),
          type(note.type),
          publisher(by),
          body(text.begin(), text.end()) {}

    Block outside() const {
        Block out(16 + 16 + 8);
        Writer writer(out);
        writer.bytes(tag);
        writer.bytes(origin);
        writer.le64(number);
        return out;
    }
    SealedByHand& sign(const Identity& by) {
        Block text(context.begin(), context.end());
        const auto add = [&text](Bytes bytes) { text.insert(text.end(), bytes.begin(), bytes.end()); };
        add(outside());
        Block inside(18);
        Writer writer(inside);
        writer.le64(time_ms);
        writer.le64(before);
        writer.u8(flags);
        writer.u8(type);
        add(inside);
        Block hash(32);
        REQUIRE(blake2b(hash, {}, body));
        add(hash);
        signature = ed25519_sign(by.seed(), by.id().bytes, text);
        return *this;
    }
    Block seal(const Secret<32>& secret) const {
        Block out(16 + 8 + 24 + 32 + 18 + 64 + body.size() + 16);
        Writer writer(out);
        writer.bytes(origin);
        writer.le64(number);
        writer.bytes(nonce);
        writer.bytes(publisher.bytes);
        writer.le64(time_ms);
        writer.le64(before);
        writer.u8(flags);
        writer.u8(type);
        writer.bytes(signature.value());
        writer.bytes(body);
        const Secret<32> key = kdf(secret.bytes(), secret_label);
        const Block plain(out.begin() + 48, out.end() - 16 - static_cast<ptrdiff_t>(cut));
        out.resize(out.size() - cut);
        XChaCha20Poly1305::seal(out.data() + 48, plain, outside(), nonce.data(), key.data());
        return out;
    }
};

struct World {
    Secret<32> secret = secret_of(1);
    TopicSeal seal{secret, "news"};
    Identity alice = identity_of(2);
    Identity bob = identity_of(3);
    TopicNote note = note_of(7, 5);

    SealedByHand by_hand(std::string_view body = "hello") const { return {seal.tag(), note, body, alice.id()}; }
    std::optional<OpenedCopy> opened(const SealedByHand& message) const { return open(seal, message.seal(secret)); }
};

}  // namespace

TEST_CASE("what is sealed opens to what was said, with 178 bytes more") {
    CHECK(TopicSeal::kCost == 178);
    const World world;
    for (const size_t size : {0, 1, 63, 64, 65, 1000, 100'000}) {
        for (const bool to_some : {false, true}) {
            const std::string body(size, 'b');
            TopicNote note = world.note;
            note.to_some = to_some;
            note.type = static_cast<uint8_t>(size % 128);
            const Block sealed = sealed_by(world.seal, note, body, world.alice);
            const auto opened = open(world.seal, sealed);
            REQUIRE(opened);
            CHECK(opened->is_signed);
            CHECK(opened->body == body);
            CHECK(opened->note.publisher == world.alice.id());
            CHECK(opened->note.origin == note.origin);
            CHECK(opened->note.number == note.number);
            CHECK(opened->note.before == note.before);
            CHECK(opened->note.time_ms == note.time_ms);
            CHECK(opened->note.type == note.type);
            CHECK(opened->note.to_some == to_some);
        }
    }
}

TEST_CASE("a sealed message is what the document says, written out by hand") {
    const World world;
    for (const bool to_some : {false, true}) {
        TopicNote note = world.note;
        note.to_some = to_some;
        const Block sealed = sealed_by(world.seal, note, "hello", world.alice);
        SealedByHand hand(world.seal.tag(), note, "hello", world.alice.id());
        hand.nonce.assign(sealed.begin() + 24, sealed.begin() + 48);
        CHECK(hand.sign(world.alice).seal(world.secret) == sealed);
    }
}

TEST_CASE("no two seals of one message are alike, nor does any show what is inside") {
    const World world;
    const Block first = sealed_by(world.seal, world.note, "hello hello hello", world.alice, 1);
    const Block second = sealed_by(world.seal, world.note, "hello hello hello", world.alice, 2);
    CHECK(std::equal(first.begin(), first.begin() + 24, second.begin()));
    uint64_t same = 0;
    for (size_t i = 24; i < first.size(); ++i) same += first[i] == second[i];
    CHECK(same < 10);
    CHECK(as_text(first).find("hello") == std::string_view::npos);
    CHECK(as_text(first).find(as_text(world.alice.id().bytes)) == std::string_view::npos);
}

TEST_CASE("every message with one byte changed is refused") {
    const World world;
    const Block sealed = sealed_by(world.seal, world.note, "hello", world.alice);
    REQUIRE(open(world.seal, sealed));
    uint64_t tried = 0, taken = 0;
    for (size_t at = 0; at < sealed.size(); ++at) {
        for (unsigned change = 1; change < 256; ++change) {
            Block changed = sealed;
            changed[at] = static_cast<uint8_t>(changed[at] ^ change);
            taken += open(world.seal, changed).has_value();
            ++tried;
        }
    }
    CHECK(tried == (178 + 5) * 255);
    CHECK(taken == 0);
}

TEST_CASE("every message that is cut, or has more, is refused") {
    const World world;
    const Block sealed = sealed_by(world.seal, world.note, "hello", world.alice);
    uint64_t taken = 0;
    for (size_t size = 0; size < sealed.size(); ++size) {
        taken += open(world.seal, Bytes(sealed).first(size)).has_value();
        taken += open(world.seal, Bytes(sealed).last(size)).has_value();
    }
    for (const uint8_t more : {uint8_t{0}, uint8_t{1}, uint8_t{255}}) {
        Block longer = sealed;
        longer.push_back(more);
        taken += open(world.seal, longer).has_value();
        longer.pop_back();
        longer.insert(longer.begin(), more);
        taken += open(world.seal, longer).has_value();
    }
    CHECK(taken == 0);
}

TEST_CASE("a message opens in its own topic alone") {
    const World world;
    const Block sealed = sealed_by(world.seal, world.note, "hello", world.alice);
    const TopicSeal other_name(world.secret, "News");
    const TopicSeal other_secret(secret_of(4), "news");
    CHECK(other_name.tag() != world.seal.tag());
    CHECK(other_secret.tag() != world.seal.tag());
    CHECK_FALSE(open(other_name, sealed));
    CHECK_FALSE(open(other_secret, sealed));
    CHECK(open(TopicSeal(world.secret, "news"), sealed));

    // Nor by a member who moves it: what is sealed anew for the other topic was signed for this one.
    SealedByHand moved = world.by_hand().sign(world.alice);
    moved.tag = other_name.tag();
    const auto opened = open(other_name, moved.seal(world.secret));
    REQUIRE(opened);
    CHECK_FALSE(opened->is_signed);
}

TEST_CASE("the tag is that of the secret, and of no network") {
    const World world;
    TopicTag expected{};
    const Secret<32> key = kdf(world.secret.bytes(), "topic");
    REQUIRE(blake2b(expected, key.bytes(), as_bytes("news")));
    CHECK(world.seal.tag() == expected);
    CHECK(world.seal.tag() != topic_tag(Network().psk(), "news"));
    const std::string text(kTopicSecret.text(world.secret.bytes()).view());
    CHECK(world.seal.tag() != topic_tag(Network::parse("swnet1" + text.substr(8))->psk(), "news"));
}

TEST_CASE("a member cannot say what another would have to sign") {
    const World world;
    REQUIRE(world.opened(world.by_hand().sign(world.alice))->is_signed);
    const auto refused = [&](const char* what, auto change) {
        CAPTURE(what);
        SealedByHand message = world.by_hand().sign(world.alice);
        change(message);
        const auto opened = world.opened(message);
        REQUIRE(opened);
        CHECK_FALSE(opened->is_signed);
    };
    refused("another publisher's name", [&](SealedByHand& message) { message.publisher = world.bob.id(); });
    refused("its own signature", [&](SealedByHand& message) { message.sign(world.bob); });
    refused("an earlier origin", [](SealedByHand& message) { message.origin[3] ^= 1; });
    refused("a higher number", [](SealedByHand& message) { ++message.number; });
    refused("a later time", [](SealedByHand& message) { ++message.time_ms; });
    refused("that more came before", [](SealedByHand& message) { ++message.before; });
    refused("that it is for some", [](SealedByHand& message) { message.flags = 1; });
    refused("another type", [](SealedByHand& message) { message.type = 2; });
    refused("another body", [](SealedByHand& message) { message.body[0] ^= 1; });
    refused("a longer body", [](SealedByHand& message) { message.body.push_back(0); });
    refused("no body", [](SealedByHand& message) { message.body.clear(); });
    refused("no signature", [](SealedByHand& message) { message.signature->fill(0); });
    refused("a signature for something else", [&](SealedByHand& message) {
        message.context = "sealwire topic 2";
        message.sign(world.alice);
    });
    for (size_t bit = 0; bit < 512; ++bit) {
        SealedByHand message = world.by_hand().sign(world.alice);
        (*message.signature)[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        CHECK_FALSE(world.opened(message)->is_signed);
    }
}

TEST_CASE("signatures of two messages cannot be swapped") {
    const World world;
    SealedByHand first = world.by_hand("first").sign(world.alice);
    SealedByHand second = world.by_hand("second");
    second.number = 8;
    second.sign(world.alice);
    CHECK(world.opened(first)->is_signed);
    CHECK(world.opened(second)->is_signed);
    std::swap(first.signature, second.signature);
    CHECK_FALSE(world.opened(first)->is_signed);
    CHECK_FALSE(world.opened(second)->is_signed);
    // Of one message the signature may be sealed as often as a member likes: its number is what counts.
    SealedByHand again = world.by_hand("first").sign(world.alice);
    again.nonce.assign(24, 1);
    CHECK(world.opened(again)->is_signed);
}

TEST_CASE("a publisher whose key anybody could sign for is none") {
    const World world;
    // With the neutral element for a key, R the same and S = 0 fit every message, unless small orders are refused.
    SealedByHand message = world.by_hand();
    message.publisher.bytes.fill(0);
    message.publisher.bytes[0] = 1;
    message.signature.emplace();
    (*message.signature)[0] = 1;
    const auto opened = world.opened(message);
    REQUIRE(opened);
    CHECK_FALSE(opened->is_signed);
}

TEST_CASE("what the document leaves no room for is refused, though it is sealed and signed") {
    const World world;
    const auto opens = [&](auto change) {
        SealedByHand message = world.by_hand();
        change(message);
        return world.opened(message.sign(world.alice)).has_value();
    };
    CHECK(opens([](SealedByHand&) {}));
    for (unsigned flags = 0; flags < 256; ++flags)
        CHECK(opens([&](SealedByHand& message) { message.flags = static_cast<uint8_t>(flags); }) == (flags <= 1));
    for (unsigned type = 0; type < 256; ++type)
        CHECK(opens([&](SealedByHand& message) { message.type = static_cast<uint8_t>(type); }) == (type <= 127));
    CHECK(opens([](SealedByHand& message) { message.before = message.number; }));
    CHECK_FALSE(opens([](SealedByHand& message) { message.before = message.number + 1; }));
    CHECK(opens([](SealedByHand& message) { message.number = message.before = UINT64_MAX; }));
    CHECK(opens([](SealedByHand& message) { message.time_ms = UINT64_MAX; }));
    CHECK_FALSE(opens([](SealedByHand& message) { message.secret_label = "topic"; }));
    for (size_t cut = 0; cut <= 5 + 114; ++cut)  // of "hello" and what is sealed before it
        CHECK(opens([&](SealedByHand& message) { message.cut = cut; }) == (cut <= 5));
}

TEST_CASE("a topic's secret has one text, with a checksum, and is no network's") {
    SeededRng rng(60);
    const std::string text(kTopicSecret.generate(rng).view());
    CHECK(text.size() == 8 + 58);
    CHECK(text.starts_with("swtopic1"));
    const auto parsed = kTopicSecret.parse(text);
    REQUIRE(parsed);
    CHECK(kTopicSecret.text(parsed->bytes()).view() == text);
    std::array<uint8_t, 36> block{};
    REQUIRE(parse_base32(text.substr(8), block));
    std::array<uint8_t, 32> hash{};
    REQUIRE(blake2b(hash, {}, Bytes(block).first(32)));
    CHECK(std::equal(block.begin(), block.begin() + 32, parsed->data()));
    CHECK(std::equal(block.begin() + 32, block.end(), hash.begin()));

    uint64_t tried = 0, refused = 0;
    for (size_t at = 0; at < text.size(); ++at) {
        for (const char letter : std::string_view("abcdefghijklmnopqrstuvwxyz234567AZ019 -")) {
            if (letter == text[at]) continue;
            std::string changed = text;
            changed[at] = letter;
            const auto result = kTopicSecret.parse(changed);
            refused += !result && result.error().code == Errc::key;
            ++tried;
        }
    }
    CHECK(tried == 66 * 38);
    CHECK(refused == tried);
    for (const std::string& bad : {std::string(), std::string("swtopic1"), text + "a", text.substr(0, 65),
                                   text.substr(8), "swnet1" + text.substr(8)})
        CHECK(kTopicSecret.parse(bad).error().code == Errc::key);
    CHECK_FALSE(Network::parse(text)->is_secret());  // a name; whoever takes it for a network's has none that is secret
}

namespace {

constexpr const char* kAnswers = "sealwire/topic.json";
constexpr std::string_view kPassphrase = "correct horse battery staple";

Block le64(uint64_t value) {
    Block out(8);
    Writer(out).le64(value);
    return out;
}

struct Case {
    const char* name;
    uint64_t seed;
    const char* topic;
    uint64_t number, before, time_ms;
    uint8_t type;
    bool to_some;
    const char* body;
};

constexpr Case kCases[] = {
    {"text to all", 1, "news", 0, 0, 1'795'000'000'000, 1, false, "rain"},
    {"json to some", 2, "Räume/1", 300, 299, 1'795'000'000'001, 2, true, "{\"temperature\":21.5}"},
    {"no body", 3, "news", 0x0102030405060708, 0x0102030405060708, 0xffffffffffffffff, 0, false, ""},
};

// What a member could make of the first case, and nobody may take. `at`: who notices, open or the signature.
Object refused(const char* name, const char* at, std::string_view secret, std::string_view topic, const Block& sealed) {
    const auto parsed = kTopicSecret.parse(secret);
    const auto opened = open(TopicSeal(*parsed, topic), sealed);
    CAPTURE(name);
    CHECK(opened.has_value() == (std::string(at) == "signature"));
    CHECK((opened && opened->is_signed) == false);
    return Object()
        .text("name", name)
        .text("kind", "refused")
        .text("by", at)
        .text("secret", std::string(secret))
        .text("topic", std::string(topic))
        .hex("sealed", sealed);
}

}  // namespace

TEST_CASE("known answers of topics with a secret") {
    std::vector<Object> vectors;
    for (const Case& entry : kCases) {
        SeededRng rng(0x5ea30000 + entry.seed);
        Block seed(32), nonce(24);
        const std::string text(kTopicSecret.generate(rng).view());
        const Secret<32> secret = *kTopicSecret.parse(text);
        rng.fill(seed);
        TopicNote note;
        rng.fill(MutableBytes(note.origin));
        rng.fill(nonce);
        note.number = entry.number;
        note.before = entry.before;
        note.time_ms = entry.time_ms;
        note.type = entry.type;
        note.to_some = entry.to_some;
        const Identity publisher = Identity::from_seed(Bytes(seed).first<32>());
        const TopicSeal seal(secret, entry.topic);
        ScriptedRng script;
        script.then(nonce);
        Block sealed(std::string_view(entry.body).size() + TopicSeal::kCost);
        seal.seal(sealed.data(), note, as_bytes(entry.body), publisher, script);
        CHECK(script.used_up());
        const auto opened = open(seal, sealed);
        REQUIRE(opened);
        CHECK(opened->is_signed);
        vectors.push_back(Object()
                              .text("name", entry.name)
                              .text("kind", "message")
                              .text("secret", text)
                              .text("topic", entry.topic)
                              .hex("tag", seal.tag())
                              .hex("seal_key", kdf(secret.bytes(), "topic seal").bytes())
                              .hex("publisher_seed", seed)
                              .hex("publisher", publisher.id().bytes)
                              .hex("origin", note.origin)
                              .hex("number_le64", le64(note.number))
                              .hex("before_le64", le64(note.before))
                              .hex("time_ms_le64", le64(note.time_ms))
                              .number("flags", note.to_some)
                              .number("type", note.type)
                              .hex("nonce", nonce)
                              .hex("body", as_bytes(entry.body))
                              .hex("signature", opened->signature)
                              .hex("sealed", sealed));
        if (entry.seed != 1) continue;

        const auto by_hand = [&] {
            SealedByHand message(seal.tag(), note, entry.body, publisher.id());
            message.nonce = nonce;
            return message.sign(publisher);
        };
        CHECK(by_hand().seal(secret) == sealed);
        const auto changed = [&](const char* name, size_t at) {
            Block other = sealed;
            other[at] ^= 1;
            vectors.push_back(refused(name, "open", text, entry.topic, other));
        };
        changed("another origin", 0);
        changed("another number", 16);
        changed("another nonce", 24);
        changed("another publisher, not sealed", 48);
        changed("another body, not sealed", 162);
        changed("another Poly1305 tag", sealed.size() - 1);
        vectors.push_back(refused("of another topic", "open", text, "News", sealed));
        vectors.push_back(refused("of another secret", "open", kTopicSecret.generate(rng).view(), entry.topic, sealed));
        vectors.push_back(refused("nothing", "open", text, entry.topic, {}));
        vectors.push_back(refused("cut", "open", text, entry.topic, Block(sealed.begin(), sealed.end() - 1)));
        const Identity other = Identity::generate(rng);
        const auto lie = [&](const char* name, const char* at, bool sign, auto change) {
            SealedByHand message = by_hand();
            change(message);
            if (sign) message.sign(publisher);
            vectors.push_back(refused(name, at, text, entry.topic, message.seal(secret)));
        };
        lie("flags 2", "open", true, [](SealedByHand& message) { message.flags = 2; });
        lie("type 128", "open", true, [](SealedByHand& message) { message.type = 128; });
        lie("before above the number", "open", true, [](SealedByHand& message) { message.before = 1; });
        lie("another publisher, sealed", "signature", false,
            [&](SealedByHand& message) { message.publisher = other.id(); });
        lie("another number, sealed", "signature", false, [](SealedByHand& message) { message.number = 1; });
        lie("another origin, sealed", "signature", false, [](SealedByHand& message) { message.origin[0] ^= 1; });
        lie("another time, sealed", "signature", false, [](SealedByHand& message) { ++message.time_ms; });
        lie("another type, sealed", "signature", false, [](SealedByHand& message) { message.type = 0; });
        lie("another body, sealed", "signature", false, [](SealedByHand& message) { message.body[0] ^= 1; });
        lie("a signature for something else", "signature", true,
            [](SealedByHand& message) { message.context = "sealwire topic 0"; });
        SealedByHand moved = by_hand();
        moved.tag = TopicSeal(secret, "News").tag();
        vectors.push_back(refused("signed for another topic", "signature", text, "News", moved.seal(secret)));
    }
    vectors.push_back(Object()
                          .text("name", "passphrase")
                          .text("kind", "passphrase")
                          .text("passphrase", std::string(kPassphrase))
                          .text("topic", "news")
                          .text("secret", std::string(kTopicSecret.from_passphrase(kPassphrase, "news")->view())));
    settle(kAnswers,
           document("Messages of topics with a secret. kind refused: not for the application, by open (not sealed for "
                    "this topic, or not in its form) or by the signature (PROTOCOL.md, section 8).",
                    vectors));

    uint64_t messages = 0, others = 0;
    const Json stored = load_vectors(kAnswers);
    for (const Json& vector : stored["vectors"].list()) {
        if (vector["kind"].text() == "passphrase") continue;
        const TopicSeal seal(*kTopicSecret.parse(vector["secret"].text()), vector["topic"].text());
        const auto opened = open(seal, vector["sealed"].bytes());
        const bool taken = opened && opened->is_signed;
        CHECK(taken == (vector["kind"].text() == "message"));
        ++(taken ? messages : others);
        if (taken) CHECK(opened->body == as_text(vector["body"].bytes()));
    }
    CHECK(messages == 3);
    CHECK(others == 21);
}

TEST_CASE("a passphrase stands for one secret of each topic, and for another one of a network") {
    const std::string once(kTopicSecret.from_passphrase(kPassphrase, "news")->view());
    CHECK(kTopicSecret.parse(once));
    const auto network = Network::secret_from_passphrase(kPassphrase, "news");
    REQUIRE(network);
    CHECK(once.substr(8) != network->view().substr(6));
    CHECK(once != std::string(kTopicSecret.from_passphrase(kPassphrase, "News")->view()));
    CHECK(kTopicSecret.from_passphrase("eleven byte", "news").error().code == Errc::key);
}

}  // namespace topic_seal_test
