// Parsing tickets and addresses: text from users, files and other people, so strict, bounded and clear about what is
// wrong.
#include "crypto/ticket.h"

#include <algorithm>
#include <array>

namespace sealwire {

namespace {

constexpr size_t kMaxHost = 253;      // a DNS name
constexpr size_t kMaxUnixPath = 107;  // sun_path less its final zero
constexpr size_t kMaxMemoryName = 107;

enum class Form : uint8_t { host_port, host_port_path, path, name };
struct SchemeForm {
    std::string_view scheme;
    Form form;
};
constexpr auto kSchemes = std::to_array<SchemeForm>({{"tcp", Form::host_port},
                                                     {"tls", Form::host_port},
                                                     {"ws", Form::host_port_path},
                                                     {"wss", Form::host_port_path},
                                                     {"unix", Form::path},
                                                     {"memory", Form::name}});

Unexpected bad(std::string_view what) { return fail(Errc::address, std::string(what)); }

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Only the form: whether the name exists is the resolver's business.
bool is_host(std::string_view host) {
    if (host.empty() || host.size() > kMaxHost || host.front() == '.' || host.front() == '-') return false;
    if (host.find("..") != std::string_view::npos) return false;
    return std::all_of(host.begin(), host.end(),
                       [](char c) { return is_letter_or_digit(c) || c == '-' || c == '.' || c == '_'; });
}

// The letters of a v6 address with an optional %zone; its value is checked by the transport's inet_pton.
bool is_v6(std::string_view host) {
    const size_t percent = host.find('%');
    const std::string_view zone = percent == std::string_view::npos ? std::string_view() : host.substr(percent + 1);
    if (percent != std::string_view::npos) {
        if (zone.empty() || zone.size() > 15) return false;
        if (!std::all_of(zone.begin(), zone.end(),
                         [](char c) { return is_letter_or_digit(c) || c == '-' || c == '.' || c == '_'; }))
            return false;
    }
    const std::string_view digits = host.substr(0, percent);
    if (digits.size() < 2 || digits.size() > 45 || std::count(digits.begin(), digits.end(), ':') < 2) return false;
    return std::all_of(digits.begin(), digits.end(), [](char c) { return is_hex(c) || c == ':' || c == '.'; });
}

Result<uint16_t> parse_port(std::string_view text, bool port_zero) {
    if (text.empty()) return bad("the port is missing: write host:port");
    if (text.size() > 5 || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
        return bad(port_zero ? "the port is not a number from 0 to 65535" : "the port is not a number from 1 to 65535");
    uint32_t value = 0;
    for (const char c : text) value = value * 10 + static_cast<uint32_t>(c - '0');
    if (value > 65535 || (text.size() > 1 && text.front() == '0'))
        return bad(port_zero ? "the port is not a number from 0 to 65535" : "the port is not a number from 1 to 65535");
    if (value == 0 && !port_zero) return bad("port 0 can be listened on but not connected to");
    return static_cast<uint16_t>(value);
}

Result<void> parse_host_port(std::string_view text, bool port_zero, Endpoint& endpoint) {
    std::string_view port;
    if (text.starts_with('[')) {
        const size_t close = text.find(']');
        if (close == std::string_view::npos) return bad("the bracket of the v6 address is not closed");
        const std::string_view host = text.substr(1, close - 1);
        if (!is_v6(host)) return bad("what stands in brackets is not a v6 address");
        if (close + 1 >= text.size() || text[close + 1] != ':') return bad("the port is missing: write [host]:port");
        endpoint.host = host;
        port = text.substr(close + 2);
    } else {
        const size_t colon = text.find(':');
        if (colon == std::string_view::npos) return bad("the port is missing: write host:port");
        if (text.find(':', colon + 1) != std::string_view::npos)
            return bad("a v6 address stands in brackets: write [host]:port");
        const std::string_view host = text.substr(0, colon);
        const bool anywhere = host == "*" && port_zero;  // of those that are listened on
        if (!anywhere && !is_host(host))
            return bad(host.empty() ? "the host is missing" : "the host is not a name or an address");
        endpoint.host = host;
        port = text.substr(colon + 1);
    }
    Result<uint16_t> number = parse_port(port, port_zero);
    if (!number) return Unexpected{std::move(number).error()};
    endpoint.port = *number;
    return {};
}

}  // namespace

Result<Endpoint> Endpoint::parse(std::string_view text, bool port_zero) {
    if (text.size() > kMaxTicketSize) return bad("an address has at most 1024 characters");
    for (const char c : text)
        if (static_cast<uint8_t>(c) <= 0x20 || c == 0x7f)
            return bad("an address holds no space and no control character");
    if (text.find('#') != std::string_view::npos)
        return bad("an address holds no '#': that begins the key of a ticket");
    constexpr std::string_view kAbstract = "unix:@";  // a Linux name that is no file
    if (text.starts_with(kAbstract)) {
        Endpoint endpoint;
        endpoint.scheme = "unix";
        endpoint.address = endpoint.path = text.substr(kAbstract.size() - 1);
        if (endpoint.path.size() < 2 || endpoint.path.size() > kMaxUnixPath) {
            return bad("the name of a unix socket has 1 to 106 bytes");
        }
        return endpoint;
    }
    const size_t colon = text.find("://");
    if (colon == std::string_view::npos) return bad("the scheme is missing: write tcp://host:port or unix:///path");
    const std::string_view scheme = text.substr(0, colon);
    const auto* known =
        std::find_if(kSchemes.begin(), kSchemes.end(), [&](auto& entry) { return entry.scheme == scheme; });
    if (known == kSchemes.end()) return bad("the scheme is none of tcp, tls, ws, wss, unix");

    Endpoint endpoint;
    endpoint.scheme = scheme;
    endpoint.address = text.substr(colon + 3);
    const std::string_view address = endpoint.address;
    if (known->form == Form::path) {
        if (!address.starts_with('/')) return bad("the path of a unix socket is absolute: write unix:///path");
        if (address.size() > kMaxUnixPath) return bad("the path of a unix socket has at most 107 bytes");
        if (address.back() == '/') return bad("the path of a unix socket names a file");
        endpoint.path = address;
        return endpoint;
    }
    if (known->form == Form::name) {
        if (address.empty() || address.size() > kMaxMemoryName)
            return bad("a memory address is a name of 1 to 107 bytes");
        endpoint.path = address;
        return endpoint;
    }
    const size_t slash = address.find('/');
    if (slash != std::string_view::npos) {
        if (known->form == Form::host_port) return bad("nothing follows the port");
        endpoint.path = address.substr(slash);
        if (endpoint.path.find('?') != std::string::npos) return bad("the path holds no query");
    }
    if (Result<void> parsed = parse_host_port(address.substr(0, slash), port_zero, endpoint); !parsed)
        return Unexpected{std::move(parsed).error()};
    return endpoint;
}

Result<Ticket> Ticket::parse(std::string_view text) {
    if (text.size() > kMaxTicketSize) return bad("a ticket has at most 1024 characters");
    const size_t hash = text.find('#');
    if (hash == std::string_view::npos) return bad("the ticket carries no key: it ends with # and the peer id");
    Result<Endpoint> endpoint = Endpoint::parse(text.substr(0, hash), false);
    if (!endpoint) return Unexpected{std::move(endpoint).error()};
    Result<PeerId> peer = PeerId::parse(text.substr(hash + 1));
    if (!peer) return Unexpected{std::move(peer).error()};
    Result<CurvePoint> point = peer->to_curve();
    if (!point) return Unexpected{std::move(point).error()};
    return Ticket{std::move(*endpoint), *peer, *point};
}

}  // namespace sealwire
