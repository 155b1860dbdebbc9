// Noise_XKhfs+psk0_25519+MLKEM768_ChaChaPoly_SHA256 with a mac in front, the payloads that negotiate, and exact sizes.
#include "protocol/handshake.h"

#include "base/declassify.h"
#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "crypto/init.h"
#include "protocol/noise.h"

namespace sealwire {

namespace {

constexpr std::string_view kProtocolName = "Noise_XKhfs+psk0_25519+MLKEM768_ChaChaPoly_SHA256";
constexpr noise::Pattern kPattern = noise::parse_pattern("<- s ... -> psk e es e1 <- e ee ekem1 -> s se");
constexpr uint8_t kVersion = 1;
constexpr std::string_view kMac1Label = "mac1key1";  // ends with the digit of the version

constexpr size_t kNegotiationSize = 16;  // p1 and p2
constexpr size_t kProofSize = 48;        // p3
constexpr size_t kProofZeros = 16;
constexpr size_t kMessage1Body = kMessage1Size - kMac1Size;
static_assert(kMessage1Body == 32 + kMlkemPublicSize + 16 + kNegotiationSize + 16);
static_assert(kMessage2Size == 32 + kMlkemCiphertextSize + 16 + kNegotiationSize + 16);
static_assert(kMessage3Size == 32 + 16 + kProofSize + 16);

constexpr uint32_t kKnownSuites = 0b11;

constexpr uint32_t suite_bit(Suite suite) { return uint32_t{1} << (static_cast<uint32_t>(suite) - 1); }

// p1 (a set of suites) and p2 (the number of one).
struct Negotiation {
    uint32_t suites = 0;
    uint64_t features = 0;

    std::array<uint8_t, kNegotiationSize> encode() const {
        std::array<uint8_t, kNegotiationSize> block{};
        Writer writer(block);
        writer.le32(suites);
        writer.le64(features);
        return block;
    }
    // False when a reserved bit is set.
    bool decode(Bytes block) {
        declassify_memory(block.data(), block.size());
        Reader reader(block);
        suites = reader.le32();
        features = reader.le64();
        return reader.le32() == 0 && reader.ok() && reader.empty();
    }
};

std::unique_ptr<noise::HandshakeState> start(noise::Role role, const PeerId& responder, uint8_t kind,
                                             noise::Knowledge knowledge) {
    std::array<uint8_t, 8 + 2 + 32> prologue{};
    Writer writer(prologue);
    writer.bytes(as_bytes("sealwire"));
    writer.u8(kVersion);
    writer.u8(kind);
    writer.bytes(responder.bytes);
    return std::make_unique<noise::HandshakeState>(kProtocolName, kPattern, role, prologue, std::move(knowledge));
}

noise::Knowledge own_knowledge(const Identity& self, const Network& network) {
    noise::Knowledge knowledge;
    knowledge.own_static.emplace();
    knowledge.own_static->secret = self.curve_secret();
    knowledge.own_static->point = self.curve_point();
    knowledge.psk.emplace(network.psk().clone());
    return knowledge;
}

}  // namespace

uint32_t supported_suites() {
    return suite_bit(Suite::chacha20_poly1305) | (has_aes_instructions() ? suite_bit(Suite::aegis256) : 0);
}

std::string_view handshake_failure_text(HandshakeFailure failure) {
    switch (failure) {
        case HandshakeFailure::none: return "no failure";
        case HandshakeFailure::not_for_us:
            return "not_for_us: the mac of message 1 is of another network, key or version, or this is no handshake";
        case HandshakeFailure::own_key: return "a key is not usable";
        case HandshakeFailure::message_1: return "message 1 failed";
        case HandshakeFailure::message_2: return "message 2 failed";
        case HandshakeFailure::message_3: return "message 3 failed";
        case HandshakeFailure::no_common_suite: return "no common suite";
        case HandshakeFailure::order: return "handshake functions called out of order";
    }
    return "unknown";
}

Mac1Key::Mac1Key(const CurvePoint& responder, const Network& network) {
    std::array<uint8_t, 8 + 32> head{};
    Writer writer(head);
    writer.bytes(as_bytes(kMac1Label));
    writer.bytes(responder);
    if (!blake2b(key_.mutable_bytes(), {}, head, network.psk().bytes())) key_.clear();
}

Mac1 Mac1Key::compute(std::span<const uint8_t, kMessage1Body> body) const {
    Mac1 mac{};
    if (!blake2b(mac, key_.bytes(), body)) mac.fill(0);  // fails on sizes alone, which are fixed here
    return mac;
}

bool Mac1Key::check(Bytes message_1) const {
    if (message_1.size() != kMessage1Size) return false;
    return equal_secret(compute(message_1.first<kMessage1Body>()), message_1.last<kMac1Size>());
}

Mac1 mac1_of(std::span<const uint8_t, kMessage1Size> message_1) {
    Mac1 mac;
    copy_bytes(mac.data(), message_1.last<kMac1Size>());
    return mac;
}

InitiatorHandshake::InitiatorHandshake(const Identity& self, const PeerId& responder, const Network& network,
                                       uint32_t suites, uint64_t features, uint8_t kind, const CurvePoint* curve)
    : self_(&self), mac1_key_(Mac1Key::empty()), suites_(suites & kKnownSuites), features_(features) {
    const Result<CurvePoint> point = curve ? Result<CurvePoint>(*curve) : responder.to_curve();
    if (!point) {
        failure_ = HandshakeFailure::own_key;
        return;
    }
    mac1_key_ = Mac1Key(*point, network);
    noise::Knowledge knowledge = own_knowledge(self, network);
    knowledge.remote_static = *point;
    noise_ = start(noise::Role::initiator, responder, kind, std::move(knowledge));
    responder_ = responder;
}

InitiatorHandshake::~InitiatorHandshake() = default;
InitiatorHandshake::InitiatorHandshake(InitiatorHandshake&&) noexcept = default;

Unexpected InitiatorHandshake::give_up(HandshakeFailure failure) {
    noise_.reset();
    mac1_key_ = Mac1Key::empty();
    if (failure_ == HandshakeFailure::none) failure_ = failure;
    const Errc code = failure_ == HandshakeFailure::order     ? Errc::state
                      : failure_ == HandshakeFailure::own_key ? Errc::key
                                                              : Errc::handshake;
    return fail(code, std::string(handshake_failure_text(failure_)));
}

Result<void> InitiatorHandshake::create_message_1(Rng& rng, std::span<uint8_t, kMessage1Size> out) {
    if (!noise_ || next_message_ != 1) return give_up(HandshakeFailure::order);
    const Negotiation offer{suites_, features_};
    const auto body = out.first<kMessage1Body>();
    if (noise_->write_message(rng, offer.encode(), body) != kMessage1Body) return give_up(HandshakeFailure::message_1);
    copy_bytes(out.last<kMac1Size>().data(), mac1_key_.compute(body));
    next_message_ = 2;
    return {};
}

Result<void> InitiatorHandshake::consume_message_2(Bytes message) {
    if (!noise_ || next_message_ != 2) return give_up(HandshakeFailure::order);
    std::array<uint8_t, kNegotiationSize> payload{};
    Negotiation choice;
    if (message.size() != kMessage2Size || noise_->read_message(message, payload) != payload.size() ||
        !choice.decode(payload))
        return give_up(HandshakeFailure::message_2);
    // What we did not offer is not chosen; the responder's features are a subset of ours.
    if (choice.suites < 1 || choice.suites > 2 || (suites_ & suite_bit(static_cast<Suite>(choice.suites))) == 0 ||
        (choice.features & ~features_) != 0)
        return give_up(HandshakeFailure::message_2);
    chosen_ = static_cast<Suite>(choice.suites);
    features_ = choice.features;
    next_message_ = 3;
    return {};
}

Result<HandshakeResult> InitiatorHandshake::create_message_3(std::span<uint8_t, kMessage3Size> out) {
    if (!noise_ || next_message_ != 3) return give_up(HandshakeFailure::order);
    class NoRng final : public Rng {  // message 3 has no ephemeral
        void fill(MutableBytes bytes) override { wipe(bytes.data(), bytes.size()); }
    } no_rng;
    std::array<uint8_t, kProofSize> proof{};
    copy_bytes(proof.data() + kProofZeros, self_->id().bytes);
    HandshakeResult result;
    if (noise_->write_message(no_rng, proof, out) != kMessage3Size ||
        !noise_->split(result.send_key, result.receive_key))
        return give_up(HandshakeFailure::message_3);
    result.suite = chosen_;
    result.features = features_;
    result.channel_id = noise_->hash();
    result.message_1 = *noise_->own_ephemeral();
    result.peer = responder_;
    noise_.reset();
    mac1_key_ = Mac1Key::empty();
    return result;
}

ResponderHandshake::ResponderHandshake(const Identity& self, const Network& network, uint32_t suites, uint64_t features,
                                       uint8_t kind)
    : self_(&self), network_(&network), suites_(suites & kKnownSuites), features_(features), kind_(kind) {}

ResponderHandshake::~ResponderHandshake() = default;
ResponderHandshake::ResponderHandshake(ResponderHandshake&&) noexcept = default;

Unexpected ResponderHandshake::give_up(HandshakeFailure failure) {
    noise_.reset();
    next_message_ = 0;
    if (failure_ == HandshakeFailure::none) failure_ = failure;
    return fail(failure_ == HandshakeFailure::order ? Errc::state : Errc::handshake,
                std::string(handshake_failure_text(failure_)));
}

Result<void> ResponderHandshake::consume_message_1(Bytes message) {
    if (next_message_ != 1) return give_up(HandshakeFailure::order);
    if (!Mac1Key(self_->curve_point(), *network_).check(message)) return give_up(HandshakeFailure::not_for_us);
    noise_ = start(noise::Role::responder, self_->id(), kind_, own_knowledge(*self_, *network_));
    std::array<uint8_t, kNegotiationSize> payload{};
    Negotiation offer;
    if (noise_->read_message(message.first(kMessage1Body), payload) != payload.size() || !offer.decode(payload))
        return give_up(HandshakeFailure::message_1);
    // Suites that only a later version knows may be offered too; the better of ours has the higher number.
    const uint32_t common = suites_ & offer.suites;
    if (common == 0) return give_up(HandshakeFailure::no_common_suite);
    chosen_ = (common & suite_bit(Suite::aegis256)) != 0 ? Suite::aegis256 : Suite::chacha20_poly1305;
    features_ &= offer.features;
    next_message_ = 2;
    return {};
}

Result<void> ResponderHandshake::create_message_2(Rng& rng, std::span<uint8_t, kMessage2Size> out) {
    if (!noise_ || next_message_ != 2) return give_up(HandshakeFailure::order);
    const Negotiation choice{static_cast<uint32_t>(chosen_), features_};
    // Fails for an ephemeral key of small order and an ML-KEM key with a coefficient that is not reduced.
    if (noise_->write_message(rng, choice.encode(), out) != kMessage2Size) return give_up(HandshakeFailure::message_1);
    next_message_ = 3;
    return {};
}

Result<HandshakeResult> ResponderHandshake::consume_message_3(Bytes message) {
    if (!noise_ || next_message_ != 3) return give_up(HandshakeFailure::order);
    std::array<uint8_t, kProofSize> proof{};
    if (message.size() != kMessage3Size || noise_->read_message(message, proof) != proof.size())
        return give_up(HandshakeFailure::message_3);
    declassify_memory(proof.data(), proof.size());
    HandshakeResult result;
    Reader reader(proof);
    uint8_t reserved = 0;
    for (const uint8_t byte : reader.bytes(kProofZeros)) reserved |= byte;
    copy_bytes(result.peer.bytes.data(), reader.rest());
    const Result<CurvePoint> point = result.peer.to_curve();
    const std::optional<CurvePoint> shown = noise_->remote_static();
    if (reserved != 0 || !point || !shown || !equal_secret(*point, *shown) ||
        !noise_->split(result.receive_key, result.send_key))
        return give_up(HandshakeFailure::message_3);
    result.suite = chosen_;
    result.features = features_;
    result.channel_id = noise_->hash();
    result.message_1 = *noise_->remote_ephemeral();
    noise_.reset();
    next_message_ = 0;
    return result;
}

}  // namespace sealwire
