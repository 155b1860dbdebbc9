// The edge between C and the core: what every function of the C API needs to check, to convert and to report.
#pragma once

#include <cerrno>
#include <climits>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/identity.h"
#include "node/fork_guard.h"
#include "sealwire/sealwire.h"

namespace sealwire::capi {

// Of this thread's last failed call.
void set_detail(std::string_view text) noexcept;

inline sw_result failed(Errc code, std::string_view detail = {}) noexcept {
    set_detail(detail);
    return static_cast<sw_result>(code);
}
inline sw_result failed(const Error& error) noexcept { return failed(error.code, error.detail); }
inline sw_result bad(std::string_view what) noexcept { return failed(Errc::argument, what); }

// For errors that tell all by their code.
inline sw_result result_of(Errc code) noexcept { return code == Errc::ok ? SW_OK : failed(code); }
inline sw_result result_of(const Result<void>& result) noexcept { return result ? SW_OK : failed(result.error()); }

// Calls leave errno as it was: what failed is told by their result.
class ErrnoKept {
public:
    ErrnoKept() : kept_(errno) {}
    ~ErrnoKept() { errno = kept_; }
    ErrnoKept(const ErrnoKept&) = delete;
    ErrnoKept& operator=(const ErrnoKept&) = delete;

private:
    const int kept_;
};

// No exception leaves the library, and nothing is touched after a fork.
template <class Body>
sw_result guarded(Body&& body) noexcept {
    const ErrnoKept kept;
    if (ForkGuard::forked()) return failed(Errc::fork, "this process is the child of a fork");
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return failed(Errc::no_memory);
    } catch (const std::exception& error) {
        return failed(Errc::system, error.what());
    }
}

// The same for functions without a result.
template <class Body>
void guarded_void(Body&& body) noexcept {
    if (!ForkGuard::forked()) body();
}

// A size that is too large for any object is a negative number in disguise.
inline bool valid(const void* data, size_t size) { return size <= SSIZE_MAX && (data != nullptr || size == 0); }
inline bool valid(sw_bytes bytes) { return valid(bytes.data, bytes.size); }
inline bool valid(sw_text text) { return valid(text.data, text.size); }

inline std::string_view view(sw_text text) { return {text.data, text.size}; }
inline Bytes view(sw_bytes bytes) { return {static_cast<const uint8_t*>(bytes.data), bytes.size}; }
inline sw_text text_of(std::string_view text) { return {text.data(), text.size()}; }
inline sw_bytes bytes_of(Bytes bytes) { return {bytes.data(), bytes.size()}; }

inline PeerId id_of(const sw_peer_id& id) {
    PeerId out;
    std::memcpy(out.bytes.data(), id.bytes, sizeof id.bytes);
    return out;
}
inline void put_id(const PeerId& id, sw_peer_id& out) { std::memcpy(out.bytes, id.bytes.data(), sizeof out.bytes); }

// With its final zero; false when there is no room.
template <size_t N>
bool put_text(std::string_view text, char (&out)[N]) {
    if (text.size() >= N) return false;
    copy_bytes(reinterpret_cast<uint8_t*>(out), as_bytes(text));
    out[text.size()] = 0;
    return true;
}
inline bool put_text(std::string_view text, char* out, size_t room) {
    if (text.size() >= room) return false;
    copy_bytes(reinterpret_cast<uint8_t*>(out), as_bytes(text));
    out[text.size()] = 0;
    return true;
}

// Options of a caller that was compiled with an older or newer header: what both know counts, all else is the default.
// Whole words only, so that no pointer is cut. False when `size` was never set.
template <class Options>
bool read_options(const Options* given, Options& out) {
    if (given && given->size == sizeof out) {  // the same header: a copy of a size that the compiler knows
        out = *given;
        return true;
    }
    std::memset(&out, 0, sizeof out);
    if (given) {
        const size_t size = given->size;
        if (size < 8) return false;
        std::memcpy(&out, given, (size < sizeof out ? size : sizeof out) & ~size_t{7});
    }
    out.size = sizeof out;
    return true;
}

// The same without a copy where the caller's are of this header; `room` holds them otherwise. Null when `size` was never set.
template <class Options>
const Options* options_of(const Options* given, Options& room) {
    if (given && given->size == sizeof room) return given;
    return read_options(given, room) ? &room : nullptr;
}

// A duration in milliseconds where 0 is the default.
inline Time duration_of(uint32_t ms, Time default_value) {
    if (ms == 0) return default_value;
    return ms == SW_NEVER ? kNever : Time{ms} * kMillisecond;
}

// 0, or an application's.
inline bool valid_code(uint32_t code) { return code == 0 || (code >= 64 && code <= 4095); }
inline constexpr std::string_view kCodeRule = "a code is 0 or from 64 to 4095";
inline constexpr std::string_view kRouteRule = "a route is 1 to 255 bytes of UTF-8 without a zero byte";
inline constexpr std::string_view kSizeRule = "the size of the options is not set: use their _init function";

inline constexpr Time kDefaultEnd = 2 * kSecond;

}  // namespace sealwire::capi
