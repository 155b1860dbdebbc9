// Counting half-open pipes, in all and by address, and the time that handshakes use.
#include "node/half_open.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sealwire {

namespace {

constexpr std::string_view kLoopback = "loopback v6";  // the group of ::1: 11 bytes, which no other group has

}  // namespace

std::string address_group(std::string_view remote_address) {
    const auto address = IpAddress::of_url(remote_address);
    if (!address) return {};
    const char* bytes = reinterpret_cast<const char*>(address->bytes.data());
    if (address->is_v4()) return {bytes + 12, 4};
    if (address->is_loopback()) return std::string(kLoopback);
    return {bytes, 8};
}

bool is_loopback_group(std::string_view group) { return group == kLoopback || (group.size() == 4 && group[0] == 127); }

std::optional<uint64_t> LogPace::allows(Time now) {
    const std::lock_guard lock(mutex_);
    if (!pace_.allows(next_, now)) {
        ++left_out_;
        return std::nullopt;
    }
    return std::exchange(left_out_, 0);
}

std::string left_out_words(uint64_t left_out) {
    if (left_out == 0) return {};
    return " (" + std::to_string(left_out) + " lines like this one were left out)";
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
    AnyPeer* evicted = strangers_.size() >= most_strangers_ ? strangers_.front() : nullptr;
    place.kind = Place::Class::stranger;
    place.stranger = strangers_.insert(strangers_.end(), &peer);
    return evicted;
}

bool HalfOpen::promote(Place& place, std::string_view remote_address) {
    std::string address = address_group(remote_address);
    const bool loopback = is_loopback_group(address);
    if (loopback && !limits_.loopback_at_once && !limits_.loopback_rate) address.clear();
    const std::lock_guard lock(mutex_);
    if (handshakes_ >= limits_.at_once) return false;
    if (!address.empty()) {
        size_t& count = addresses_[address].handshakes;
        if ((!loopback || limits_.loopback_at_once) && count >= limits_.per_address) return false;
        ++count;
    }
    leave_locked(place);
    ++handshakes_;
    place.kind = Place::Class::handshake;
    place.address = std::move(address);
    return true;
}

bool HalfOpen::may_begin(const Place& place, Time now) {
    if (place.address.empty() || limits_.per_second == kNoLimit) return true;
    if (!limits_.loopback_rate && is_loopback_group(place.address)) return true;
    const std::lock_guard lock(mutex_);
    if (addresses_.size() >= sweep_at_) forget_idle_addresses(now);
    return Pace{kSecond / limits_.per_second, limits_.burst}.allows(addresses_[place.address].next, now);
}

// With the lock. An address without handshakes is remembered only as long as its pace is not restored.
void HalfOpen::forget_idle_addresses(Time now) {
    std::erase_if(addresses_,
                  [now](const auto& entry) { return entry.second.handshakes == 0 && entry.second.next <= now; });
    sweep_at_ = std::max(kSweepAt, 2 * addresses_.size());
}

void HalfOpen::leave(Place& place) {
    if (place.kind == Place::Class::none) return;
    const std::lock_guard lock(mutex_);
    leave_locked(place);
}

void HalfOpen::leave_locked(Place& place) {
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
