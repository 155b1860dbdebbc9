// Counting connections, under one lock for each set of limits.
#include "node/connection_limits.h"

#include <utility>

namespace sealwire {

namespace {

using Counts = std::unordered_map<std::string, uint32_t>;

std::string key_of(const IpAddress& address, size_t size) {
    return {reinterpret_cast<const char*>(address.bytes.data()), size};
}

uint32_t count_of(const Counts& counts, const std::string& key) {
    const auto found = counts.find(key);
    return found == counts.end() ? 0 : found->second;
}

template <class Map, class Key>
void take_one(Map& counts, const Key& key) {
    const auto found = counts.find(key);
    if (found != counts.end() && --found->second == 0) counts.erase(found);
}

constexpr size_t kSubnet = 8;  // bytes: a /64

}  // namespace

std::string_view words_of(Refusal refusal) {
    switch (refusal) {
        case Refusal::none: return "none";
        case Refusal::address: return "as many connections from this address as are taken";
        case Refusal::subnet: return "as many connections from this subnet (/64) as are taken";
        case Refusal::connections: return "as many connections as are taken";
        case Refusal::key: return "as many connections of this key as are taken";
    }
    return "";
}

void ConnectionLimits::set(const Most& most) {
    const std::lock_guard lock(mutex_);
    most_ = most;
}

ConnectionLimits::Counts ConnectionLimits::counts() const {
    const std::lock_guard lock(mutex_);
    return {connections_, refused_by_address_, refused_by_limit_};
}

Refusal ConnectionLimits::enter(const IpAddress& address) {
    const std::string whole = key_of(address, address.bytes.size());
    const std::string subnet = address.is_v4() ? std::string() : key_of(address, kSubnet);
    const std::lock_guard lock(mutex_);
    Refusal refusal = Refusal::none;
    if (count_of(addresses_, whole) >= most_.per_address) refusal = Refusal::address;
    else if (!subnet.empty() && count_of(subnets_, subnet) >= most_.per_subnet) refusal = Refusal::subnet;
    if (refusal != Refusal::none) {
        ++refused_by_address_;
        return refusal;
    }
    ++addresses_[whole];
    if (!subnet.empty()) ++subnets_[subnet];
    return refusal;
}

void ConnectionLimits::leave(const IpAddress& address) {
    const std::lock_guard lock(mutex_);
    take_one(addresses_, key_of(address, address.bytes.size()));
    if (!address.is_v4()) take_one(subnets_, key_of(address, kSubnet));
}

Refusal ConnectionLimits::admit(const PeerId& id, bool replaces) {
    const PeerId key = id.without_sign();
    const std::lock_guard lock(mutex_);
    const auto found = keys_.find(key);
    const uint32_t of_key = found == keys_.end() ? 0 : found->second;
    const bool one_goes = replaces && of_key > 0;
    Refusal refusal = Refusal::none;
    if (!one_goes && of_key >= most_.per_key) refusal = Refusal::key;
    else if (!one_goes && connections_ >= most_.connections) refusal = Refusal::connections;
    if (refusal != Refusal::none) {
        ++refused_by_limit_;
        return refusal;
    }
    ++keys_[key];
    ++connections_;
    return refusal;
}

void ConnectionLimits::leave(const PeerId& id) {
    const std::lock_guard lock(mutex_);
    take_one(keys_, id.without_sign());
    --connections_;
}

Entrance& Entrance::operator=(Entrance&& other) noexcept {
    std::swap(limits_, other.limits_);
    std::swap(address_, other.address_);
    std::swap(id_, other.id_);
    return *this;
}

Refusal Entrance::enter(const Limits& limits, const std::optional<IpAddress>& address) {
    limits_.reserve(limits.size());
    for (const auto& each : limits) {
        const Refusal refusal = address ? each->enter(*address) : Refusal::none;
        if (refusal != Refusal::none) {
            leave();
            return refusal;
        }
        limits_.push_back(each);
        address_ = address;
    }
    return Refusal::none;
}

Refusal Entrance::admit(const PeerId& id, bool replaces) {
    if (id_) return Refusal::none;
    for (size_t i = 0; i < limits_.size(); ++i) {
        const Refusal refusal = limits_[i]->admit(id, replaces);
        if (refusal == Refusal::none) continue;
        while (i-- > 0) limits_[i]->leave(id);
        return refusal;
    }
    id_ = id;
    return Refusal::none;
}

void Entrance::leave() {
    for (const auto& each : limits_) {
        if (address_) each->leave(*address_);
        if (id_) each->leave(*id_);
    }
    limits_.clear();
    address_.reset();
    id_.reset();
}

}  // namespace sealwire
