// HalfOpen: the limits of pipes whose handshake is not finished (PROTOCOL.md, "Handshake"): strangers cannot crowd out others.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace sealwire {

class Peer;

// Pipes that have shown no valid mac1 are a class of their own, the oldest of which gives way. Loop thread.
class HalfOpen {
public:
    static constexpr size_t kStrangers = 4096;
    static constexpr size_t kHandshakes = 512;
    static constexpr size_t kPerAddress = 16;

    // Where one pipe stands.
    struct Place {
        enum class Class { none, stranger, handshake } kind = Class::none;
        std::list<Peer*>::iterator stranger;
        std::string address;  // counted under; empty: not limited
    };

    // A new pipe. The stranger that has to go for it, or null.
    Peer* enter(Peer& peer, Place& place);
    // It has shown a valid mac1. False: a limit refuses it (busy); it is in no class then.
    bool promote(Place& place, std::string_view remote_address);
    // Its handshake is over or it is gone.
    void leave(Place& place);

    size_t strangers() const { return strangers_.size(); }
    size_t handshakes() const { return handshakes_; }

private:
    std::list<Peer*> strangers_;  // oldest first
    size_t handshakes_ = 0;
    std::unordered_map<std::string, size_t> by_address_;
};

// What connections from `remote_address` (a URL) are counted under: the v4 address, the /64 of a v6 one; empty for loopback
// and for what has no address.
std::string address_group(std::string_view remote_address);

}  // namespace sealwire
