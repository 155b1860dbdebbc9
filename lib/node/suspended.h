// Suspended: the sessions of a node that have no channel now, within their limits, and how those ended whose peer may not know.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "crypto/identity.h"
#include "protocol/codes.h"
#include "protocol/connection.h"

namespace sealwire {

struct SuspendedLimits {
    uint32_t per_address = 16;  // of peers that dialled, and are on no allow-list
    bool loopback = false;      // that holds for this machine too
};

// Under which address a suspended session counts, as address_group() tells it; empty: under none, as those that this node dialled and
// of an allow-list do, and of this machine unless `loopback`.
std::string suspended_group(bool dialled, bool listed, std::string_view address, bool loopback = false);

// Any thread.
class Suspended {
public:
    static constexpr size_t kMost = 1024;
    static constexpr uint64_t kMostBytes = 64 * 1024 * 1024;  // that they keep to send again
    static constexpr size_t kMostEnded = 4096;
    static constexpr uint32_t kNoLimit = UINT32_MAX;

    explicit Suspended(const SuspendedLimits& limits = {}) : limits_(limits) {}
    const SuspendedLimits& limits() const { return limits_; }
    // By the handle of its peer. Who is to end so that this one has its place, oldest first; it may be among them. `from`: its
    // suspended_group().
    std::vector<uint64_t> add(uint64_t peer, uint64_t bytes, std::string from);
    void remove(uint64_t peer);
    size_t size() const {
        const std::lock_guard lock(mutex_);
        return list_.size();
    }

    struct Ended {
        PeerId peer;
        SessionState session;  // what this end had received of it
        WireCode code;         // closed, or lease
        Time until;
    };
    void ended(const Ended& session);
    // Nothing: it is not known, or no more.
    std::optional<Ended> find(const PeerId& peer, const SessionId& session, Time now) const;

private:
    struct Entry {
        uint64_t peer;
        uint64_t bytes;
        std::string from;
    };
    const SuspendedLimits limits_;
    mutable std::mutex mutex_;  // guards all below
    std::vector<Entry> list_;   // oldest first
    uint64_t bytes_ = 0;
    std::deque<Ended> ended_;
};

}  // namespace sealwire
