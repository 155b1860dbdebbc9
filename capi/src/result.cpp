// Results: their names, texts and hints, and the detail of each thread's last failure.
#include <array>
#include <cstdio>

#include "base/errc.h"
#include "edge.h"

namespace sealwire::capi {

namespace {

// No destructor, so that it can be used until the thread's very end.
thread_local std::array<char, 512> t_detail{};

}  // namespace

void set_detail(std::string_view text) noexcept {
    const size_t size = text.size() < t_detail.size() - 1 ? text.size() : t_detail.size() - 1;
    if (size > 0) std::memcpy(t_detail.data(), text.data(), size);
    t_detail[size] = 0;
}

}  // namespace sealwire::capi

using namespace sealwire;

#define SAME(name, code) static_assert(static_cast<int>(SW_##name) == static_cast<int>(Errc::code))
SAME(OK, ok);
SAME(ERR_ARG, argument);
SAME(ERR_HANDLE, handle);
SAME(ERR_CLOSED, closed);
SAME(ERR_STATE, state);
SAME(ERR_THREAD, thread);
SAME(ERR_FORK, fork);
SAME(ERR_NO_MEMORY, no_memory);
SAME(ERR_AGAIN, again);
SAME(ERR_TOO_MANY, too_many);
SAME(ERR_SYSTEM, system);
SAME(ERR_ADDRESS, address);
SAME(ERR_NAME, name);
SAME(ERR_IN_USE, in_use);
SAME(ERR_PERMISSION, permission);
SAME(ERR_KEY_FILE, key_file);
SAME(ERR_KEY, key);
SAME(ERR_DESCRIPTORS, descriptors);
SAME(ERR_REFUSED, refused);
SAME(ERR_UNREACHABLE, unreachable);
SAME(ERR_CONNECT_TIMEOUT, connect_timeout);
SAME(ERR_NO_ANSWER, no_answer);
SAME(ERR_HANDSHAKE_TIMEOUT, handshake_timeout);
SAME(ERR_HANDSHAKE, handshake);
SAME(ERR_NOT_ALLOWED, not_allowed);
SAME(ERR_REJECTED, rejected);
SAME(ERR_SELF, self);
SAME(ERR_WS_UPGRADE, ws_upgrade);
SAME(ERR_WS_REFUSED, ws_refused);
SAME(ERR_WS_PROTOCOL, ws_protocol);
SAME(ERR_PEER_LOST, peer_lost);
SAME(ERR_TRUNCATED, truncated);
SAME(ERR_PEER_CLOSED, peer_closed);
SAME(ERR_REPLACED, replaced);
SAME(ERR_PROTOCOL, protocol);
SAME(ERR_FLOW, flow);
SAME(ERR_LIMIT, limit);
SAME(ERR_RECORD, record);
SAME(ERR_TIMEOUT, timeout);
SAME(ERR_CANCELLED, cancelled);
SAME(ERR_TOO_BIG, too_big);
SAME(ERR_NO_ROUTE, no_route);
SAME(ERR_UNSUPPORTED, unsupported);
SAME(ERR_NOT_SENT, not_sent);
SAME(ERR_OUTCOME_UNKNOWN, outcome_unknown);
SAME(ERR_HANDLER_FAILED, handler_failed);
SAME(ERR_CLOSING, closing);
SAME(ERR_STATUS, status);
SAME(ERR_TLS_CONFIG, tls_config);
SAME(ERR_TLS_HANDSHAKE, tls_handshake);
SAME(ERR_TLS_PLAIN, tls_plain);
SAME(ERR_TLS_VERSION, tls_version);
SAME(ERR_TLS_EXPIRED, tls_expired);
SAME(ERR_TLS_NOT_YET, tls_not_yet);
SAME(ERR_TLS_HOST, tls_host);
SAME(ERR_TLS_ADDRESS, tls_address);
SAME(ERR_TLS_SELF_SIGNED, tls_self_signed);
SAME(ERR_TLS_UNKNOWN_CA, tls_unknown_ca);
SAME(ERR_TLS_NOT_CA, tls_not_ca);
SAME(ERR_TLS_USAGE, tls_usage);
SAME(ERR_TLS_WEAK, tls_weak);
SAME(ERR_TLS_REVOKED, tls_revoked);
SAME(ERR_TLS_CLIENT_CERTIFICATE, tls_client_certificate);
SAME(ERR_TLS_REFUSED, tls_refused);
#undef SAME

// The texts of the table are literals, so they end with a zero.
const char* sw_result_name(sw_result result) { return describe(static_cast<Errc>(result)).name.data(); }
const char* sw_result_text(sw_result result) { return describe(static_cast<Errc>(result)).text.data(); }
const char* sw_result_hint(sw_result result) { return describe(static_cast<Errc>(result)).hint.data(); }
const char* sw_error_detail(void) { return capi::t_detail.data(); }
