// Secrets that wipe themselves, are moved and never copied by accident, and compare in constant time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"

namespace sealwire {

// Overwrites with zeros in a way that no compiler removes.
void wipe(void* memory, size_t size);
// Equal size and bytes, in a time that depends on the size alone.
bool equal_secret(Bytes a, Bytes b);

// N secret bytes held inline: for keys that live as long as a handshake or a channel.
template <size_t N>
class Secret {
public:
    Secret() : bytes_{} {}
    explicit Secret(std::span<const uint8_t, N> from) { copy_bytes(bytes_.data(), from); }
    Secret(Secret&& other) noexcept : bytes_(other.bytes_) { other.clear(); }
    Secret& operator=(Secret&& other) noexcept {
        if (this != &other) {
            bytes_ = other.bytes_;
            other.clear();
        }
        return *this;
    }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() { clear(); }

    Secret clone() const { return Secret(bytes()); }
    void clear() { wipe(bytes_.data(), N); }

    uint8_t* data() { return bytes_.data(); }
    const uint8_t* data() const { return bytes_.data(); }
    static constexpr size_t size() { return N; }
    std::span<const uint8_t, N> bytes() const { return std::span<const uint8_t, N>(bytes_); }
    std::span<uint8_t, N> mutable_bytes() { return std::span<uint8_t, N>(bytes_); }

    friend bool operator==(const Secret& a, const Secret& b) { return equal_secret(a.bytes(), b.bytes()); }

private:
    std::array<uint8_t, N> bytes_;
};

// A text that is a secret. Wiped when it goes; the memory of a longer text is moved with it, so no copy stays behind.
class SecretText {
public:
    explicit SecretText(std::string text) : text_(std::move(text)) {}
    SecretText(SecretText&& other) noexcept : text_(std::move(other.text_)) { other.clear(); }
    SecretText& operator=(SecretText&&) = delete;
    SecretText(const SecretText&) = delete;
    ~SecretText() { clear(); }

    std::string_view view() const { return text_; }

private:
    // All that the text may ever have filled, also what a short one left inline when it was moved.
    void clear() {
        text_.resize(text_.capacity());
        wipe(text_.data(), text_.size());
        text_.clear();
    }

    std::string text_;
};

// Secret bytes on pages of their own: locked, kept out of core dumps, between guard pages, read-only after seal().
// About 16 KiB of address space each, so for long-lived keys only.
class GuardedSecret {
public:
    // Throws std::bad_alloc when there is no memory.
    explicit GuardedSecret(size_t size);
    GuardedSecret(GuardedSecret&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    GuardedSecret& operator=(GuardedSecret&&) = delete;
    GuardedSecret(const GuardedSecret&) = delete;
    ~GuardedSecret();

    uint8_t* data() { return data_; }
    const uint8_t* data() const { return data_; }
    size_t size() const { return size_; }
    void seal();

private:
    uint8_t* data_;
    size_t size_;
};

}  // namespace sealwire
