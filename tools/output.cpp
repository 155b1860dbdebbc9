// What the command prints.
#include "output.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <utility>

namespace tool {

Exit exit_for(sw_result result) {
    switch (result) {
        case SW_OK: return kDone;
        case SW_ERR_ARG: return kUsage;
        case SW_ERR_ADDRESS:
        case SW_ERR_NAME:
        case SW_ERR_REFUSED:
        case SW_ERR_UNREACHABLE:
        case SW_ERR_CONNECT_TIMEOUT:
        case SW_ERR_NO_ANSWER:
        case SW_ERR_HANDSHAKE_TIMEOUT:
        case SW_ERR_HANDSHAKE:
        case SW_ERR_WS_UPGRADE:
        case SW_ERR_WS_REFUSED:
        case SW_ERR_SELF:
        case SW_ERR_TLS_HANDSHAKE:
        case SW_ERR_TLS_PLAIN:
        case SW_ERR_TLS_VERSION:
        case SW_ERR_TLS_EXPIRED:
        case SW_ERR_TLS_NOT_YET:
        case SW_ERR_TLS_HOST:
        case SW_ERR_TLS_ADDRESS:
        case SW_ERR_TLS_SELF_SIGNED:
        case SW_ERR_TLS_UNKNOWN_CA:
        case SW_ERR_TLS_NOT_CA:
        case SW_ERR_TLS_USAGE:
        case SW_ERR_TLS_WEAK:
        case SW_ERR_TLS_REVOKED:
        case SW_ERR_TLS_CLIENT_CERTIFICATE:
        case SW_ERR_TLS_REFUSED: return kUnreached;
        case SW_ERR_LIMIT:  // of its connections, or of who joins a topic
        case SW_ERR_NOT_ALLOWED:
        case SW_ERR_REJECTED: return kNotAllowed;
        case SW_ERR_PEER_LOST:
        case SW_ERR_TRUNCATED:
        case SW_ERR_SILENT:
        case SW_ERR_LEASE:
        case SW_ERR_SLOW:
        case SW_ERR_PEER_CLOSED:
        case SW_ERR_REPLACED:
        case SW_ERR_PROTOCOL:
        case SW_ERR_FLOW:
        case SW_ERR_RECORD:
        case SW_ERR_NOT_SENT:
        case SW_ERR_OUTCOME_UNKNOWN:
        case SW_ERR_CLOSING: return kLost;
        case SW_ERR_TIMEOUT: return kDeadline;
        case SW_ERR_CANCELLED:
        case SW_ERR_TOO_BIG:
        case SW_ERR_NO_ROUTE:
        case SW_ERR_UNSUPPORTED:
        case SW_ERR_HANDLER_FAILED:
        case SW_ERR_STATUS: return kStatus;
        case SW_ERR_KEY_FILE:
        case SW_ERR_KEY:
        case SW_ERR_TLS_CONFIG: return kKey;
        default: return kFailed;
    }
}

namespace {

std::function<bool(std::string_view)>& writer() {
    static std::function<bool(std::string_view)> write;
    return write;
}

int last_output_error = 0;

// The length of the UTF-8 sequence at the start, 0 when there is none (RFC 3629: no overlong forms, no surrogates).
size_t sequence(std::string_view s) {
    const auto at = [&](size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u; };
    const auto tail = [&](size_t i) { return (at(i) & 0xc0u) == 0x80u; };
    const unsigned first = at(0);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        const bool low = first == 0xe0 && at(1) < 0xa0, surrogate = first == 0xed && at(1) > 0x9f;
        return tail(1) && tail(2) && !low && !surrogate ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        const bool low = first == 0xf0 && at(1) < 0x90, high = first == 0xf4 && at(1) > 0x8f;
        return tail(1) && tail(2) && tail(3) && !low && !high ? 4 : 0;
    }
    return 0;
}

std::string base64(std::string_view bytes) {
    static const char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (size_t i = 0; i < bytes.size(); i += 3) {
        const auto at = [&](size_t n) { return n < bytes.size() ? static_cast<unsigned char>(bytes[n]) : 0u; };
        const unsigned word = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
        out += kDigits[word >> 18];
        out += kDigits[word >> 12 & 63];
        out += i + 1 < bytes.size() ? kDigits[word >> 6 & 63] : '=';
        out += i + 2 < bytes.size() ? kDigits[word & 63] : '=';
    }
    return out;
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    while (!text.empty()) {
        const size_t length = sequence(text);
        const auto c = static_cast<unsigned char>(text[0]);
        if (c == '"' || c == '\\') {
            out += {'\\', text[0]};
        } else if (length == 0) {
            out += "\\ufffd";
        } else if (c < 0x20 || c == 0x7f) {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\u%04x", c);
            out += escape;
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length ? length : 1);
    }
    return out + "\"";
}

}  // namespace

bool is_utf8(std::string_view bytes) {
    while (!bytes.empty()) {
        const size_t length = sequence(bytes);
        if (length == 0) return false;
        bytes.remove_prefix(length);
    }
    return true;
}

void Json::name(std::string_view name) {
    if (out_.size() > 1) out_ += ',';
    out_ += quoted(name);
    out_ += ':';
}

Json& Json::text(std::string_view name, std::string_view value) {
    this->name(name);
    out_ += quoted(value);
    return *this;
}

Json& Json::number(std::string_view name, int64_t value) {
    this->name(name);
    out_ += std::to_string(value);
    return *this;
}

Json& Json::flag(std::string_view name, bool value) {
    this->name(name);
    out_ += value ? "true" : "false";
    return *this;
}

Json& Json::body(std::string_view value, uint32_t type) {
    text("type", body_type_name(type));
    return is_utf8(value) ? text("body", value) : text("body_base64", base64(value));
}

void write_lines_by(std::function<bool(std::string_view)> write) { writer() = std::move(write); }

void output_failed(int error) { last_output_error = error; }
int output_error() { return last_output_error; }

void Json::print() const {
    if (writer()) return static_cast<void>(writer()(line()));
    std::fputs(line().c_str(), stdout);
    std::fflush(stdout);
}

namespace {

int tell(Exit exit, const char* name, const Failure& failure, bool json) {
    const std::string_view detail = failure.detail, where = failure.where;
    if (json) {
        Json object;
        object.text("event", "error").text("error", name).number("number", failure.result);
        object.text("text", failure.text).text("detail", detail).text("hint", failure.hint).text("where", where);
        object.number("code", failure.code).text("words", failure.words).number("exit", exit).print();
        return exit;
    }
    std::string out = "sealwire: " + std::string(failure.text);
    if (!where.empty() && detail.find(where) == detail.npos) out += " (" + std::string(where) + ")";
    // Codes below are what the result says.
    const std::string own = failure.code >= 64 ? " (code " + std::to_string(failure.code) + ")" : "";
    if (!own.empty() || !failure.words.empty()) out += "\n  the peer says: " + printable(failure.words) + own;
    if (!detail.empty()) out += "\n  in particular: " + printable(detail, 1000);
    if (!failure.hint.empty()) out += "\n  what to do: " + std::string(failure.hint);
    std::fprintf(stderr, "%s\n", out.c_str());
    return exit;
}

}  // namespace

int explain(const Failure& failure, bool json) {
    Failure full = failure;
    if (full.text.empty()) full.text = sw_result_text(full.result);
    if (full.hint.empty()) full.hint = sw_result_hint(full.result);
    return tell(full.exit.value_or(exit_for(full.result)), sw_result_name(full.result), full, json);
}

int explain_own(Exit exit, const char* name, std::string_view text, std::string_view hint, bool json) {
    return tell(exit, name, {.result = SW_OK, .hint = hint, .text = text}, json);
}

int explain_interrupt(bool json) { return explain_own(kInterrupted, "interrupted", "interrupted", "", json); }

std::string system_words(int error) { return error ? std::string(": ") + std::strerror(error) : ""; }

int explain_usage(std::string_view what, std::string_view command) {
    const std::string help = command.empty() ? "sealwire help" : "sealwire help " + std::string(command);
    std::fprintf(stderr, "sealwire: %.*s\n  what to do: see `%s`\n", static_cast<int>(what.size()), what.data(),
                 help.c_str());
    return kUsage;
}

const char* body_type_name(uint32_t type) {
    switch (type) {
        case SW_BODY_BYTES: return "bytes";
        case SW_BODY_UTF8: return "text";
        case SW_BODY_JSON: return "json";
        case SW_BODY_MESSAGEPACK: return "messagepack";
        case SW_BODY_CBOR: return "cbor";
        default: return "other";
    }
}

std::string milliseconds(uint64_t microseconds) {
    char out[32];
    std::snprintf(out, sizeof out, "%" PRIu64 ".%03u", microseconds / 1000, static_cast<unsigned>(microseconds % 1000));
    return out;
}

std::string messages(uint64_t count) { return std::to_string(count) + (count == 1 ? " message" : " messages"); }

std::string short_id(const sealwire::peer_id& id) { return id.text().substr(0, 8); }

std::string printable(std::string_view body, size_t most) {
    if (!is_utf8(body)) return std::to_string(body.size()) + " bytes";
    std::string out;
    std::string_view rest = body;
    while (!rest.empty() && out.size() < most) {
        const size_t length = sequence(rest);
        const auto c = static_cast<unsigned char>(rest[0]);
        // Control characters of the other side must not reach the terminal (also C1: U+0080 to U+009F).
        const bool control = c < 0x20 || c == 0x7f || (c == 0xc2 && static_cast<unsigned char>(rest[1]) < 0xa0);
        out += control ? std::string_view(" ") : rest.substr(0, length);
        rest.remove_prefix(length);
    }
    return rest.empty() ? out : out + "...";
}

}  // namespace tool
