// ConnectionLimits: how many connections may come in, in all and by whom; shared by listeners and nodes that count together.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "crypto/identity.h"
#include "node/address.h"

namespace sealwire {

enum class Refusal : uint8_t { none, address, subnet, connections, key };
// Words for the log and for who is refused.
std::string_view words_of(Refusal refusal);

// Any thread.
class ConnectionLimits {
public:
    static constexpr uint32_t kNone = UINT32_MAX;
    // By address and subnet (of IPv6 its /64) pipes count from their first moment; in all and by key those whose key is proved and may
    // come in: strangers cannot use that up.
    struct Most {
        uint32_t connections = kNone;
        uint32_t per_address = kNone;
        uint32_t per_subnet = kNone;
        uint32_t per_key = kNone;
    };
    struct Counts {
        uint64_t connections = 0;  // now
        uint64_t refused_by_address = 0;
        uint64_t refused_by_limit = 0;
    };

    explicit ConnectionLimits(const Most& most) : most_(most) {}
    // Connections that are there stay.
    void set(const Most& most);
    Counts counts() const;

private:
    friend class Entrance;
    Refusal enter(const IpAddress& address);
    void leave(const IpAddress& address);
    // `replaces`: it takes the place of one with the same key, which is about to go.
    Refusal admit(const PeerId& id, bool replaces);
    void leave(const PeerId& id);

    mutable std::mutex mutex_;  // guards all below
    Most most_;
    uint64_t connections_ = 0;
    uint64_t refused_by_address_ = 0;
    uint64_t refused_by_limit_ = 0;
    std::unordered_map<std::string, uint32_t> addresses_;
    std::unordered_map<std::string, uint32_t> subnets_;
    std::unordered_map<PeerId, uint32_t> keys_;  // without the sign
};

// What one connection is counted under, until it is destroyed or leaves.
class Entrance {
public:
    using Limits = std::vector<std::shared_ptr<ConnectionLimits>>;
    Entrance() = default;
    ~Entrance() { leave(); }
    Entrance(const Entrance&) = delete;
    Entrance& operator=(const Entrance&) = delete;
    Entrance(Entrance&& other) noexcept { *this = std::move(other); }
    Entrance& operator=(Entrance&& other) noexcept;

    // A pipe has come. Unless none, it is counted nowhere.
    Refusal enter(const Limits& limits, const std::optional<IpAddress>& address);
    // Its key is proved. Once it was admitted, any number of times.
    Refusal admit(const PeerId& id, bool replaces);
    void leave();

private:
    Limits limits_;
    std::optional<IpAddress> address_;
    std::optional<PeerId> id_;
};

}  // namespace sealwire
