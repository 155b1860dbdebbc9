// Counting half-open pipes, in all and by address.
#include "node/half_open.h"

#include <arpa/inet.h>

#include <array>
#include <cstring>

namespace sealwire {

std::string address_group(std::string_view remote_address) {
    constexpr std::string_view kScheme = "tcp://";
    if (!remote_address.starts_with(kScheme)) return {};
    std::string host(remote_address.substr(kScheme.size()));
    const size_t colon = host.rfind(':');
    if (colon != std::string::npos) host.resize(colon);
    in_addr v4{};
    if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return host.starts_with("127.") ? std::string() : host;
    if (host.size() < 2 || host.front() != '[') return host;
    host = host.substr(1, host.size() - 2);
    host.resize(std::min(host.size(), host.find('%')));
    in6_addr v6{};
    if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return host;
    if (IN6_IS_ADDR_LOOPBACK(&v6)) return {};
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        std::array<char, INET_ADDRSTRLEN> text{};
        inet_ntop(AF_INET, v6.s6_addr + 12, text.data(), text.size());
        return v6.s6_addr[12] == 127 ? std::string() : std::string(text.data());
    }
    return {reinterpret_cast<const char*>(v6.s6_addr), 8};
}

Peer* HalfOpen::enter(Peer& peer, Place& place) {
    Peer* evicted = strangers_.size() >= kStrangers ? strangers_.front() : nullptr;
    place.kind = Place::Class::stranger;
    place.stranger = strangers_.insert(strangers_.end(), &peer);
    return evicted;
}

bool HalfOpen::promote(Place& place, std::string_view remote_address) {
    leave(place);
    std::string address = address_group(remote_address);
    if (handshakes_ >= kHandshakes) return false;
    if (!address.empty()) {
        size_t& count = by_address_[address];
        if (count >= kPerAddress) return false;
        ++count;
    }
    ++handshakes_;
    place.kind = Place::Class::handshake;
    place.address = std::move(address);
    return true;
}

void HalfOpen::leave(Place& place) {
    if (place.kind == Place::Class::stranger) strangers_.erase(place.stranger);
    if (place.kind == Place::Class::handshake) {
        --handshakes_;
        if (const auto found = by_address_.find(place.address); found != by_address_.end() && --found->second == 0) {
            by_address_.erase(found);
        }
    }
    place = {};
}

}  // namespace sealwire
