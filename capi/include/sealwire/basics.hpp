// What sealwire.hpp is built on: errors as exceptions, views, peer ids, identities, networks, tickets, bodies.
#ifndef SEALWIRE_BASICS_HPP
#define SEALWIRE_BASICS_HPP

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sealwire.h"

namespace sealwire {

// ---- Errors ---------------------------------------------------------------------------------------------------------

class error : public std::runtime_error {
public:
    explicit error(sw_result code, std::string detail = {})
        : runtime_error(sentence(code, detail)), code_(code), detail_(std::move(detail)) {}
    sw_result code() const { return code_; }
    const char* name() const { return sw_result_name(code_); }  // "no_answer"
    const std::string& detail() const { return detail_; }       // particulars, may be empty
    const char* hint() const { return sw_result_hint(code_); }  // what to do about it

private:
    static std::string sentence(sw_result code, const std::string& detail) {
        const std::string text = sw_result_text(code);
        return detail.empty() ? text : text + ": " + detail;
    }
    sw_result code_;
    std::string detail_;
};

// Throws what the call before it, on this thread, failed with.
inline void check(sw_result result) {
    if (result != SW_OK) throw error(result, sw_error_detail());
}

// Thrown by the handler of a request: the requester gets this status. Code 0 or 64 to 4,095, text of at most 1,024 bytes.
class status : public std::runtime_error {
public:
    explicit status(uint32_t code, const std::string& text = {}) : runtime_error(text), code_(code) {}
    uint32_t code() const { return code_; }

private:
    uint32_t code_;
};

// ---- Views, identities, networks, tickets ---------------------------------------------------------------------------

inline sw_text text_of(std::string_view view) { return {view.data(), view.size()}; }
inline sw_bytes bytes_of(std::string_view view) { return {view.data(), view.size()}; }
inline std::string_view view_of(sw_text text) {
    return text.size ? std::string_view(text.data, text.size) : std::string_view();
}
inline std::string_view view_of(sw_bytes bytes) {
    return bytes.size ? std::string_view(static_cast<const char*>(bytes.data), bytes.size) : std::string_view();
}

struct peer_id : sw_peer_id {
    peer_id() : sw_peer_id{} {}
    peer_id(const sw_peer_id& id) : sw_peer_id(id) {}
    explicit peer_id(std::string_view text) : sw_peer_id{} { check(sw_peer_id_parse(text_of(text), this)); }
    std::string text() const {
        char out[SW_PEER_ID_TEXT_SIZE];
        check(sw_peer_id_text(this, out));
        return out;
    }
    friend bool operator==(const peer_id& a, const peer_id& b) {
        return std::memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
    }
    friend bool operator!=(const peer_id& a, const peer_id& b) { return !(a == b); }
    friend bool operator<(const peer_id& a, const peer_id& b) {
        return std::memcmp(a.bytes, b.bytes, sizeof a.bytes) < 0;
    }
};

class identity {
public:
    static identity generate() {
        return make([](sw_identity** out) { return sw_identity_generate(out); });
    }
    static identity from_seed(std::string_view seed) {
        return make([&](sw_identity** out) { return sw_identity_from_seed(bytes_of(seed), out); });
    }
    static identity load(std::string_view path) {
        return make([&](sw_identity** out) { return sw_identity_load(text_of(path), out); });
    }
    void save(std::string_view path) const { check(sw_identity_save(get(), text_of(path))); }
    peer_id id() const {
        peer_id out;
        check(sw_identity_id(get(), &out));
        return out;
    }
    const sw_identity* get() const { return owned_.get(); }

private:
    struct free {
        void operator()(sw_identity* identity) const { sw_identity_free(identity); }
    };
    template <typename Make>
    static identity make(Make make) {
        sw_identity* made = nullptr;
        check(make(&made));
        identity out;
        out.owned_.reset(made);
        return out;
    }
    identity() = default;
    std::unique_ptr<sw_identity, free> owned_;
};

inline std::string new_network() {
    char out[SW_NETWORK_TEXT_SIZE];
    check(sw_network_generate(out));
    return out;
}
// Takes about a second and 256 MiB.
inline std::string network_from_passphrase(std::string_view passphrase) {
    char out[SW_NETWORK_TEXT_SIZE];
    check(sw_network_from_passphrase(text_of(passphrase), out));
    return out;
}
inline void check_network(std::string_view network) { check(sw_network_check(text_of(network))); }

struct ticket {
    std::string address;
    peer_id id;

    static ticket parse(std::string_view text) {
        char address[SW_ADDRESS_TEXT_SIZE];
        ticket out;
        check(sw_ticket_split(text_of(text), address, &out.id));
        out.address = address;
        return out;
    }
    std::string text() const {
        char out[SW_ADDRESS_TEXT_SIZE];
        check(sw_ticket_make(text_of(address), &id, out));
        return out;
    }
};

// ---- Bodies ---------------------------------------------------------------------------------------------------------

// A body in memory of its own, that sends hand over without copying.
class message {
public:
    explicit message(size_t size) { check(sw_message_create(size, &owned_)); }
    message(message&& other) noexcept : owned_(std::exchange(other.owned_, nullptr)) {}
    message& operator=(message other) noexcept {
        std::swap(owned_, other.owned_);
        return *this;
    }
    ~message() { sw_message_release(owned_); }
    char* data() { return static_cast<char*>(sw_message_data(owned_)); }
    size_t size() const { return sw_message_size(owned_); }
    sw_message* get() const { return owned_; }
    sw_message* release() { return std::exchange(owned_, nullptr); }

private:
    sw_message* owned_ = nullptr;
};

// What many messages of a node have in common: goes where the route goes. From node::draft.
class draft {
public:
    draft(sw_node node, std::string_view route, sw_body_type type, const std::vector<sw_pair>& metadata) {
        sw_draft_options options;
        sw_draft_options_init(&options);
        options.type = static_cast<uint32_t>(type);
        options.metadata = metadata.data();
        options.metadata_count = metadata.size();
        sw_draft* made = nullptr;
        check(sw_draft_create(node, text_of(route), &options, &made));
        owned_.reset(made);
    }
    const sw_draft* get() const { return owned_.get(); }

private:
    struct free {
        void operator()(sw_draft* draft) const { sw_draft_free(draft); }
    };
    std::unique_ptr<sw_draft, free> owned_;
};

}  // namespace sealwire

template <>
struct std::hash<sealwire::peer_id> {
    size_t operator()(const sealwire::peer_id& id) const noexcept {
        size_t out;  // any 8 bytes of a public key are as good as random
        std::memcpy(&out, id.bytes, sizeof out);
        return out;
    }
};

#endif
