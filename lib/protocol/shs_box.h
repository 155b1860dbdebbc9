// Box stream: how bytes travel behind a Secret Handshake (PROTOCOL.md, "shs1").
//
//     secretbox(nonce, length (2, big-endian) || tag of the body) || body, sealed with nonce + 1      34 + 1 to 4,096 bytes
//     secretbox(nonce, 18 zeros)                                                                      goodbye, 34 bytes
//
// The nonce of a direction is a big-endian number that goes up by one for each of the two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "crypto/secret.h"
#include "crypto/secretbox.h"

namespace sealwire {

inline constexpr size_t kBoxHeaderSize = 34;
inline constexpr size_t kMaxBoxBody = 4096;

// One direction's key and its next nonce, which no copy can use again.
class BoxKey {
public:
    BoxKey(Secret<32> key, const Secretbox::Nonce& nonce) : key_(std::move(key)), nonce_(nonce) {}
    BoxKey(BoxKey&&) = default;
    BoxKey& operator=(BoxKey&&) = default;
    BoxKey(const BoxKey&) = delete;
    BoxKey& operator=(const BoxKey&) = delete;

    const Secret<32>& key() const { return key_; }
    const Secretbox::Nonce& nonce() const { return nonce_; }
    void count_up();

private:
    Secret<32> key_;
    Secretbox::Nonce nonce_;
};

class BoxSealer {
public:
    BoxSealer(Secret<32> key, const Secretbox::Nonce& nonce) : key_(std::move(key), nonce) {}

    // Seals the `size` bytes, 1 to kMaxBoxBody, that lie at to + kBoxHeaderSize, where they are, and puts their header in front.
    // The size of all.
    size_t seal(uint8_t* to, size_t size);
    // The end of the stream, kBoxHeaderSize bytes.
    size_t seal_goodbye(uint8_t* to);

private:
    void seal_header(uint8_t* to, Bytes plain);

    BoxKey key_;
};

// Opens a stream however it is cut. Keeps at most one header or body that is not whole yet.
class BoxOpener {
public:
    enum class Status : uint8_t {
        need_more,
        body,     // one was opened
        goodbye,  // the end of the stream in good order; nothing may follow
        bad,      // altered, or no header that there is: final
    };

    BoxOpener(Secret<32> key, const Secretbox::Nonce& nonce) : key_(std::move(key), nonce) {}

    // Takes bytes off the front of `in`, to the end of one body at most. `to` has room for kMaxBoxBody.
    Status open(Bytes& in, uint8_t* to, size_t& size);
    // Bytes of a header or body that are not all there.
    bool amid() const { return body_size_ != 0 || !carry_.empty(); }

private:
    Status open_header(Bytes header);
    // The next `size` bytes in one piece, or nothing when they are not all there and were kept.
    const uint8_t* gather(Bytes& in, size_t size);

    BoxKey key_;
    size_t body_size_ = 0;  // of the body that comes next; 0: a header does
    Secretbox::Tag body_tag_{};
    std::vector<uint8_t> carry_;
    bool over_ = false;
    bool bad_ = false;
};

}  // namespace sealwire
