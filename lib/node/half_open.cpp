// Counting half-open pipes, in all and by address, and the time that handshakes use.
#include "node/half_open.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

namespace sealwire {

namespace {

constexpr std::string_view kLoopback = "loopback v6";  // the group of ::1: 11 bytes, which no other group has

}  // namespace

std::string address_group(std::string_view remote_address) {
    std::string host;
    for (const std::string_view scheme : {"tcp://", "tls://", "ws://", "wss://"}) {
        if (remote_address.starts_with(scheme)) host = remote_address.substr(scheme.size());
    }
    if (host.empty()) return {};
    host.resize(std::min(host.size(), host.find('/')));  // the path of ws
    const size_t colon = host.rfind(':');
    if (colon != std::string::npos) host.resize(colon);
    in_addr v4{};
    if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return host;
    if (host.size() < 2 || host.front() != '[') return host;
    host = host.substr(1, host.size() - 2);
    host.resize(std::min(host.size(), host.find('%')));
    in6_addr v6{};
    if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return host;
    if (IN6_IS_ADDR_LOOPBACK(&v6)) return std::string(kLoopback);
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        std::array<char, INET_ADDRSTRLEN> text{};
        inet_ntop(AF_INET, v6.s6_addr + 12, text.data(), text.size());
        return std::string(text.data());
    }
    return {reinterpret_cast<const char*>(v6.s6_addr), 8};
}

bool is_loopback_group(std::string_view group) {
    in_addr v4{};
    return group == kLoopback ||
           (group.starts_with("127.") && inet_pton(AF_INET, std::string(group).c_str(), &v4) == 1);
}

std::optional<uint64_t> LogPace::allows(Time now) {
    if (!pace_.allows(next_, now)) {
        ++left_out_;
        return std::nullopt;
    }
    return std::exchange(left_out_, 0);
}

void HandshakeTime::fade(Time now) {
    if (now <= at_) return;
    used_ *= std::exp(-static_cast<double>(now - at_) / static_cast<double>(kSpan));
    at_ = now;
}

void HandshakeTime::add(Time now, int64_t nanoseconds) {
    fade(now);
    used_ += static_cast<double>(nanoseconds);
}

bool HandshakeTime::below(Time now, uint32_t percent) {
    if (percent >= 100) return true;
    fade(now);
    return used_ < static_cast<double>(kSpan) * 1000.0 * percent / 100.0;
}

AnyPeer* HalfOpen::enter(AnyPeer& peer, Place& place) {
    AnyPeer* evicted = strangers_.size() >= kStrangers ? strangers_.front() : nullptr;
    place.kind = Place::Class::stranger;
    place.stranger = strangers_.insert(strangers_.end(), &peer);
    return evicted;
}

bool HalfOpen::promote(Place& place, std::string_view remote_address) {
    std::string address = address_group(remote_address);
    const bool loopback = is_loopback_group(address);
    if (loopback && !limits_.loopback_at_once && !limits_.loopback_rate) address.clear();
    if (handshakes_ >= limits_.at_once) return false;
    if (!address.empty()) {
        size_t& count = addresses_[address].handshakes;
        if ((!loopback || limits_.loopback_at_once) && count >= limits_.per_address) return false;
        ++count;
    }
    leave(place);
    ++handshakes_;
    place.kind = Place::Class::handshake;
    place.address = std::move(address);
    return true;
}

bool HalfOpen::may_begin(const Place& place, Time now) {
    if (place.address.empty() || limits_.per_second == kNoLimit) return true;
    if (!limits_.loopback_rate && is_loopback_group(place.address)) return true;
    if (addresses_.size() >= sweep_at_) forget_idle_addresses(now);
    return Pace{kSecond / limits_.per_second, limits_.burst}.allows(addresses_[place.address].next, now);
}

// An address without handshakes is remembered only as long as its pace is not restored.
void HalfOpen::forget_idle_addresses(Time now) {
    std::erase_if(addresses_,
                  [now](const auto& entry) { return entry.second.handshakes == 0 && entry.second.next <= now; });
    sweep_at_ = std::max(kSweepAt, 2 * addresses_.size());
}

void HalfOpen::leave(Place& place) {
    if (place.kind == Place::Class::stranger) strangers_.erase(place.stranger);
    if (place.kind == Place::Class::handshake) {
        --handshakes_;
        if (const auto found = addresses_.find(place.address); found != addresses_.end()) {
            --found->second.handshakes;
            if (found->second.handshakes == 0 && found->second.next == 0) addresses_.erase(found);
        }
    }
    place = {};
}

}  // namespace sealwire
