// A node's doors: who may come in by where it is from, and how many.
#include <sys/resource.h>

#include <algorithm>
#include <new>

#include "node/half_open.h"
#include "node/node.h"
#include "transport/pipe.h"

namespace sealwire {

namespace {

constexpr size_t kFewestStrangers = 8;

}  // namespace

size_t Node::within_descriptors(size_t most, size_t descriptors) {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return most;
    return std::min<size_t>(most, std::max<size_t>(limit.rlim_cur / 2 / descriptors, kFewestStrangers));
}

std::shared_ptr<HalfOpen> Node::new_half_open(const HandshakeLimits& handshakes,
                                              const std::shared_ptr<ConnectionLimits>& limits,
                                              size_t descriptors) const {
    auto half_open = std::make_shared<HalfOpen>(handshakes, within_descriptors(HalfOpen::kStrangers, descriptors));
    if (limits) half_open->door.limits.push_back(limits);
    if (config_.connection_limits && config_.connection_limits != limits) {
        half_open->door.limits.push_back(config_.connection_limits);
    }
    return half_open;
}

bool Node::may_come(HalfOpen& half_open, const Pipe& pipe) {
    const std::string from = pipe.remote_address();
    if (half_open.door.rules.allows(IpAddress::of_url(from))) return true;
    refused_by_address(half_open.door, from, "its address is not allowed");
    return false;
}

bool Node::enter(HalfOpen& half_open, const Pipe& pipe, Entrance& entrance) {
    if (!may_come(half_open, pipe)) return false;
    const std::string from = pipe.remote_address();
    try {
        const Refusal refusal = entrance.enter(half_open.door.limits, IpAddress::of_url(from));
        if (refusal != Refusal::none) {
            refused_by_address(half_open.door, from, words_of(refusal));
            return false;
        }
    } catch (const std::bad_alloc&) {
        front().log(LogLevel::error, Errc::no_memory, nullptr, from, "no memory for a new pipe: it is refused");
        return false;
    }
    front().door_counters().accepted.add();
    return true;
}

bool Node::lets_in(HalfOpen& half_open, Pipe& pipe) {
    try {
        auto entrance = std::make_shared<Entrance>();
        if (!enter(half_open, pipe, *entrance)) return false;
        pipe.kept = std::move(entrance);
    } catch (const std::bad_alloc&) {
        front().log(LogLevel::error, Errc::no_memory, nullptr, {}, "no memory for a new pipe: it is refused");
        return false;
    }
    return true;
}

void Node::refused_by_address(Door& door, const std::string& from, std::string_view why) {
    front().door_counters().by_address.add();
    if (!logs(LogLevel::warning)) return;
    const auto left_out = door.address_log.allows(front().loop().now());
    if (!left_out) return;
    front().log(LogLevel::warning, Errc::limit, nullptr, from,
                "refused: " + std::string(why) + left_out_words(*left_out));
}

std::optional<Error> Node::admit(Shard& shard, HalfOpen& half_open, AnyPeer& peer, const PeerId& id,
                                 std::string_view address) {
    Sessions& sessions = shard.sessions();
    const bool replaces = !sessions.several() && sessions.standing(id);
    const Refusal refusal = peer.entrance.admit(id, replaces);
    if (refusal == Refusal::none) return std::nullopt;
    shard.door_counters().by_limit.add();
    const std::string why(words_of(refusal));
    if (logs(LogLevel::warning)) {
        if (const auto left_out = half_open.door.limit_log.allows(shard.loop().now())) {
            shard.log(LogLevel::warning, Errc::limit, &id, address, "refused: " + why + left_out_words(*left_out));
        }
    }
    return Error{Errc::limit, why};
}

}  // namespace sealwire
