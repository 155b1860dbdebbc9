// IP addresses as limits and lists see them: IPv4 and IPv4 in IPv6 are one; and ranges of them.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sealwire {

struct IpAddress {
    std::array<uint8_t, 16> bytes{};  // IPv4 as ::ffff:a.b.c.d
    bool is_v4() const;
    bool is_loopback() const;
    bool operator==(const IpAddress&) const = default;

    // Numeric, with an optional zone, which is left out.
    static std::optional<IpAddress> parse(std::string_view text);
    // Of where a pipe comes from (tcp://192.0.2.1:80, wss://[::1]:80); nothing for what has none: unix, memory, pipes.
    static std::optional<IpAddress> of_url(std::string_view url);
};

// 192.0.2.0/24, 2001:db8::/32, or an address alone. A range of IPv6 holds no IPv4, but for those within ::ffff:0:0/96.
struct AddressRange {
    IpAddress first;
    unsigned bits = 128;
    bool holds(const IpAddress& address) const;

    // argument, with what is wrong.
    static Result<AddressRange> parse(std::string_view text);
};

// Who may connect by where it comes from: a range that is denied wins; with any that is allowed, an address has to be in one.
class AddressRules {
public:
    struct Lists {
        std::vector<AddressRange> allow;
        std::vector<AddressRange> deny;
    };
    // Any thread.
    void set(Lists lists);
    // What has no address may connect.
    bool allows(const std::optional<IpAddress>& address) const;

private:
    mutable std::mutex mutex_;
    Lists lists_;
};

}  // namespace sealwire
