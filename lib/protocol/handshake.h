// The handshake: three messages that authenticate both ends and give a channel its keys (PROTOCOL.md, "Handshake").
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "crypto/identity.h"
#include "crypto/network.h"
#include "crypto/secret.h"
#include "protocol/record.h"

namespace sealwire {

namespace noise {
class HandshakeState;
}

inline constexpr size_t kMessage1Size = 1280;
inline constexpr size_t kMessage2Size = 1168;
inline constexpr size_t kMessage3Size = 112;
inline constexpr size_t kMac1Size = 16;
inline constexpr uint8_t kHandshakeDirect = 1;   // kind: over a transport
inline constexpr uint8_t kHandshakeRelayed = 2;  // kind: end to end through a relay

// Bit s - 1 stands for suite s. AEGIS-256 only where the processor has AES instructions.
uint32_t supported_suites();

// Why a handshake failed, for the log of the side that knows; a stranger learns nothing of it.
enum class HandshakeFailure : uint8_t {
    none,
    not_for_us,  // mac1: another network, another responder key, another version, or no handshake at all
    own_key,     // a key given to the constructor is not usable
    message_1,   // the network key fits, but the rest of message 1 does not
    message_2,
    message_3,
    no_common_suite,
    order,  // a call out of its order
};
std::string_view handshake_failure_text(HandshakeFailure failure);

using Mac1 = std::array<uint8_t, kMac1Size>;

// What tells in one hash whether a message 1 is meant for this responder in this network. Same for all connections of a
// listener: made once, shared by reference.
class Mac1Key {
public:
    Mac1Key(const CurvePoint& responder, const Network& network);
    static Mac1Key empty() { return Mac1Key(); }
    Mac1 compute(std::span<const uint8_t, kMessage1Size - kMac1Size> body) const;
    // Constant time. False also for another size.
    bool check(Bytes message_1) const;

private:
    Mac1Key() = default;

    Secret<32> key_;
};

// The mac1 of a message 1: what the replay cache remembers.
Mac1 mac1_of(std::span<const uint8_t, kMessage1Size> message_1);

struct HandshakeResult {
    Suite suite = Suite::chacha20_poly1305;
    uint64_t features = 0;
    Secret<32> send_key;
    Secret<32> receive_key;
    std::array<uint8_t, 32> channel_id{};  // for binding other things to the channel; not secret
    CurvePoint message_1{};                // its first bytes, the initiator's ephemeral key
    PeerId peer;
};

// Both classes: used on one thread, in the order of the functions, each once; a call out of order is Errc::state. Any
// other failure is Errc::handshake (Errc::key for a key that is not usable) and final. Keys are wiped with the last
// step, with every failure and in the destructor. About 5 KiB on the heap while they live, so they are dropped when
// done.

class InitiatorHandshake {
public:
    // `self` must outlive the object. `curve` is responder.to_curve() where the caller has it already, as a ticket does.
    InitiatorHandshake(const Identity& self, const PeerId& responder, const Network& network, uint32_t suites,
                       uint64_t features, uint8_t kind = kHandshakeDirect, const CurvePoint* curve = nullptr);
    ~InitiatorHandshake();
    InitiatorHandshake(InitiatorHandshake&&) noexcept;

    // Draws 32 bytes (ephemeral key), then 64 (ML-KEM seed d || z).
    Result<void> create_message_1(Rng& rng, std::span<uint8_t, kMessage1Size> out);
    Result<void> consume_message_2(Bytes message);
    Result<HandshakeResult> create_message_3(std::span<uint8_t, kMessage3Size> out);

    HandshakeFailure failure() const { return failure_; }

private:
    Unexpected give_up(HandshakeFailure failure);

    const Identity* self_;
    PeerId responder_;
    std::unique_ptr<noise::HandshakeState> noise_;  // empty after the end
    Mac1Key mac1_key_;
    uint32_t suites_;
    uint64_t features_;
    Suite chosen_ = Suite::chacha20_poly1305;
    uint8_t next_message_ = 1;
    HandshakeFailure failure_ = HandshakeFailure::none;
};

class ResponderHandshake {
public:
    // `self` and `network` must outlive the object.
    ResponderHandshake(const Identity& self, const Network& network, uint32_t suites, uint64_t features,
                       uint8_t kind = kHandshakeDirect);
    ~ResponderHandshake();
    ResponderHandshake(ResponderHandshake&&) noexcept;

    // Checks mac1 before anything else; failure() tells not_for_us from later steps. A listener checks Mac1Key and its
    // replay cache before it makes this object.
    Result<void> consume_message_1(Bytes message);
    // Draws 32 bytes (ephemeral key), then 32 (ML-KEM randomness m).
    Result<void> create_message_2(Rng& rng, std::span<uint8_t, kMessage2Size> out);
    Result<HandshakeResult> consume_message_3(Bytes message);

    HandshakeFailure failure() const { return failure_; }

private:
    Unexpected give_up(HandshakeFailure failure);

    const Identity* self_;
    const Network* network_;
    std::unique_ptr<noise::HandshakeState> noise_;  // made once mac1 is right; empty after the end
    uint32_t suites_;
    uint64_t features_;
    Suite chosen_ = Suite::chacha20_poly1305;
    uint8_t kind_;
    uint8_t next_message_ = 1;
    HandshakeFailure failure_ = HandshakeFailure::none;
};

}  // namespace sealwire
