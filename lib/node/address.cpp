// Reading addresses and ranges strictly, and matching them.
#include "node/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <string>
#include <utility>

namespace sealwire {

namespace {

constexpr unsigned kMappedBits = 96;
constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool bit_at(const std::array<uint8_t, 16>& bytes, unsigned bit) { return (bytes[bit / 8] >> (7 - bit % 8) & 1) != 0; }

}  // namespace

bool IpAddress::is_v4() const { return std::equal(kMapped.begin(), kMapped.end(), bytes.begin()); }

bool IpAddress::is_loopback() const {
    if (is_v4()) return bytes[12] == 127;
    IpAddress one;
    one.bytes[15] = 1;
    return *this == one;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    const std::string host(text.substr(0, text.find('%')));
    IpAddress address;
    if (inet_pton(AF_INET6, host.c_str(), address.bytes.data()) == 1) return address;
    in_addr v4{};
    if (host.size() != text.size() || inet_pton(AF_INET, host.c_str(), &v4) != 1) return std::nullopt;
    std::copy(kMapped.begin(), kMapped.end(), address.bytes.begin());
    const auto* from = reinterpret_cast<const uint8_t*>(&v4.s_addr);
    std::copy(from, from + 4, address.bytes.begin() + 12);
    return address;
}

std::optional<IpAddress> IpAddress::of_url(std::string_view url) {
    const size_t scheme = url.find("://");
    if (scheme == std::string_view::npos) return std::nullopt;
    const std::string_view name = url.substr(0, scheme);
    if (name != "tcp" && name != "tls" && name != "ws" && name != "wss") return std::nullopt;
    std::string_view host = url.substr(scheme + 3);
    if (host.starts_with('[')) {
        const size_t end = host.find(']');
        return end == std::string_view::npos ? std::nullopt : parse(host.substr(1, end - 1));
    }
    return parse(host.substr(0, host.find_first_of(":/")));
}

bool AddressRange::holds(const IpAddress& address) const {
    if (address.is_v4() && bits < kMappedBits) return false;
    const unsigned whole = bits / 8;
    if (!std::equal(first.bytes.begin(), first.bytes.begin() + whole, address.bytes.begin())) return false;
    for (unsigned bit = whole * 8; bit < bits; ++bit) {
        if (bit_at(first.bytes, bit) != bit_at(address.bytes, bit)) return false;
    }
    return true;
}

Result<AddressRange> AddressRange::parse(std::string_view text) {
    const auto bad = [&](const char* what) {
        std::string detail(text.substr(0, 64));
        detail.append(" ").append(what);
        return fail(Errc::argument, std::move(detail));
    };
    const size_t slash = text.find('/');
    const std::string_view host = text.substr(0, slash);
    const auto address = IpAddress::parse(host);
    if (!address || host.find('%') != std::string_view::npos) return bad("is no IP address or range of them");
    AddressRange range{*address, 128};
    if (slash == std::string_view::npos) return range;
    const std::string_view digits = text.substr(slash + 1);
    const bool dotted = host.find(':') == std::string_view::npos;
    const unsigned most = dotted ? 32 : 128;
    if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits.front() == '0') ||
        !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        return bad("has no number of bits behind its slash");
    }
    unsigned bits = 0;
    for (const char c : digits) bits = bits * 10 + static_cast<unsigned>(c - '0');
    if (bits > most) return bad("has more bits than its address");
    range.bits = dotted ? kMappedBits + bits : bits;
    for (unsigned bit = range.bits; bit < 128; ++bit) {
        if (bit_at(range.first.bytes, bit)) return bad("has bits of the address beyond those of the range");
    }
    return range;
}

void AddressRules::set(Lists lists) {
    const std::lock_guard lock(mutex_);
    std::swap(lists_, lists);
}

bool AddressRules::allows(const std::optional<IpAddress>& address) const {
    if (!address) return true;
    const auto holds = [&](const AddressRange& range) { return range.holds(*address); };
    const std::lock_guard lock(mutex_);
    if (std::any_of(lists_.deny.begin(), lists_.deny.end(), holds)) return false;
    return lists_.allow.empty() || std::any_of(lists_.allow.begin(), lists_.allow.end(), holds);
}

}  // namespace sealwire
