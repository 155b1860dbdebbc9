// Every way in which something can fail, with the numbers and names that C, Python and Node.js share.
#pragma once

#include <cstdint>
#include <string_view>

namespace sealwire {

// The numbers are those of `sw_result` in sealwire.h and never change; capi/src checks that they agree.
enum class Errc : int32_t {
    ok = 0,
    // The call itself
    argument = 1,
    handle = 2,
    closed = 3,
    state = 4,
    thread = 5,
    fork = 6,
    no_memory = 7,
    again = 8,
    system = 9,
    too_many = 10,
    // Addresses, keys and files
    address = 20,
    name = 21,
    in_use = 22,
    permission = 23,
    key_file = 24,
    key = 25,
    descriptors = 26,
    not_found = 27,
    file_type = 28,
    file_name = 29,
    file_exists = 30,
    no_space = 31,
    io = 32,
    file_changed = 33,
    digest = 34,
    // Reaching a peer
    refused = 40,
    unreachable = 41,
    connect_timeout = 42,
    no_answer = 43,
    handshake_timeout = 44,
    handshake = 45,
    not_allowed = 46,
    rejected = 47,
    self = 48,
    ws_upgrade = 55,
    ws_refused = 56,
    ws_protocol = 57,
    // How a session ended
    peer_lost = 60,
    truncated = 61,
    peer_closed = 62,
    replaced = 63,
    protocol = 64,
    flow = 65,
    limit = 66,
    record = 67,
    silent = 68,
    lease = 69,
    slow = 70,
    // What became of a message or an exchange
    timeout = 80,
    cancelled = 81,
    too_big = 82,
    no_route = 83,
    unsupported = 84,
    not_sent = 85,
    outcome_unknown = 86,
    handler_failed = 87,
    closing = 88,
    status = 89,
    // TLS
    tls_config = 100,
    tls_handshake = 101,
    tls_plain = 102,
    tls_version = 103,
    tls_expired = 104,
    tls_not_yet = 105,
    tls_host = 106,
    tls_address = 107,
    tls_self_signed = 108,
    tls_unknown_ca = 109,
    tls_not_ca = 110,
    tls_usage = 111,
    tls_weak = 112,
    tls_revoked = 113,
    tls_client_certificate = 114,
    tls_refused = 115,
};

// Of the family above: a pipe's own word for why it ended, better than that it did.
constexpr bool is_tls(Errc code) { return code >= Errc::tls_config && code <= Errc::tls_refused; }

struct ErrcInfo {
    Errc code;
    std::string_view name;  // stable, e.g. "no_answer"
    std::string_view text;  // what happened, in one clause
    std::string_view hint;  // what to do about it
};

// The entry for `code`; an unknown number yields the entry of Errc::system.
const ErrcInfo& describe(Errc code);

// All entries in the order of their numbers, for tables and tests.
struct ErrcTable {
    const ErrcInfo* first;
    const ErrcInfo* last;
    const ErrcInfo* begin() const { return first; }
    const ErrcInfo* end() const { return last; }
};
ErrcTable all_errcs();

}  // namespace sealwire
