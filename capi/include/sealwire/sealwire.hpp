// Sealwire for C++17: RAII and std::function over the C interface; header-only, nothing to link but libsealwire.
//
// THE CONTRACT. That of sealwire.h, with these forms:
//
// Errors.   A call that fails throws sealwire::error (code, name, detail, hint). What becomes of a command later is no
//   exception but an event or the outcome that a handler gets.
// Handles.  node and listener own what they stand for, can be moved and not copied, and close it when destroyed. peer and
//   exchange are values: copy them freely; a stale one yields SW_ERR_HANDLE.
// Threads.  run_on::loop (the default): handlers run on the node's loop thread, those of one peer one at a time and in
//   order; with limits.loop_threads above 1 (not together with max_handlers) those of different peers at once. run_on::poll: handlers run
//   inside node::poll on the thread that calls it; node::fd is readable when there is something for it to do. Every function may
//   be called from any thread and from handlers, except node::close, the node's destructor and node::poll, which handlers must not call.
// Views.    What a handler is given (sw_event, incoming, outcome and their string_views) is valid until it returns; keep
//   copies, or a `retained` event. A peer or an exchange may be kept.
// Routes.   Middleware of node::use runs in the order in which it was added, around every handler, whichever was there first; that of
//   a route within it. Limits let so many requests be handled at once; what waits is charged to its sender.
// Exceptions in handlers.  In a route handler of a request they end the exchange: status{code, text} with that status, any
//   other with handler_failed, unless on_error has answered. What else escapes goes to node_options::on_exception; without one it leaves node::poll
//   (run_on::poll), or ends the program by std::terminate as with any thread (run_on::loop).
// Users.    The `user` pointers of the C interface are taken: nodes, routes and exchanges carry what is needed here.
// Cost.     A send makes no allocation here; a request with a handler makes one for it.
#ifndef SEALWIRE_HPP
#define SEALWIRE_HPP

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "basics.hpp"
#include "broadcast.hpp"
#include "limits.hpp"
#include "pipe.hpp"
#include "router.hpp"
#include "topic.hpp"

namespace sealwire {

// ---- Messages -------------------------------------------------------------------------------------------------------

// The first value of that name in a message's metadata; empty when there is none.
inline std::string_view metadata_value(const sw_pair* metadata, size_t count, std::string_view name) {
    for (size_t i = 0; i < count; ++i) {
        if (view_of(metadata[i].name) == name) return view_of(metadata[i].value);
    }
    return {};
}
inline sw_pair pair_of(std::string_view name, std::string_view value) { return {text_of(name), text_of(value)}; }

class exchange;
using uuid = std::array<uint8_t, 16>;  // of a message: version 8

// What a handler of a request gets when the exchange is over.
class outcome {
public:
    explicit outcome(const sw_event& event) : done_(event.as.done) {}
    explicit operator bool() const { return done_.result == SW_OK; }
    sw_result result() const { return done_.result; }  // SW_OK, SW_ERR_STATUS, or why there is no answer
    uint32_t code() const { return done_.code; }
    std::string_view text() const { return view_of(done_.text); }
    bool has_body() const { return done_.has_body != 0; }
    std::string_view body() const { return view_of(done_.body); }
    sw_body_type type() const { return static_cast<sw_body_type>(done_.type); }
    std::string_view details() const { return view_of(done_.details); }  // of an error
    sw_body_type details_type() const { return static_cast<sw_body_type>(done_.details_type); }
    std::string_view metadata(std::string_view name) const {
        return metadata_value(done_.metadata, done_.metadata_count, name);
    }
    const sw_event_done& raw() const { return done_; }
    sealwire::exchange exchange() const;  // for its UUIDs; it is over
    void check() const {
        if (done_.result != SW_OK) throw error(done_.result, std::string(text()));
    }

private:
    const sw_event_done& done_;
};

using outcome_fn = std::function<void(const outcome&)>;

// A stream or file on a message: written by the side that sends it, read or cancelled by the other. What becomes of it comes
// as SW_EVENT_PART_DATA, _PART_WRITABLE and _PART_DONE to on_event.
class part {
public:
    part() : raw_{} {}
    explicit part(sw_part raw) : raw_(raw) {}
    sw_part raw() const { return raw_; }

    // false when much of it waits to be sent: nothing was taken, and one SW_EVENT_PART_WRITABLE follows.
    bool try_write(std::string_view bytes) const { return put(bytes, false); }
    bool try_end(std::string_view last_bytes = {}) const { return put(last_bytes, true); }
    // Lets that many more bytes come.
    void read(uint64_t bytes = SW_EVERYTHING) const { sealwire::check(sw_part_read(raw_, bytes)); }
    void cancel(uint32_t code = 0) const { sealwire::check(sw_part_cancel(raw_, code)); }
    friend bool operator==(const part& a, const part& b) {
        return a.raw_.number == b.raw_.number && a.raw_.exchange.number == b.raw_.exchange.number &&
               a.raw_.exchange.peer.value == b.raw_.exchange.peer.value;
    }
    friend bool operator!=(const part& a, const part& b) { return !(a == b); }

private:
    bool put(std::string_view bytes, bool end) const {
        sw_part_options options;
        sw_part_options_init(&options);
        options.end = end ? 1 : 0;
        const sw_result result = sw_part_write(raw_, bytes_of(bytes), &options);
        if (result == SW_ERR_AGAIN) return false;
        sealwire::check(result);
        return true;
    }
    sw_part raw_;
};

// A file that is to be sent: opened here, read by the library. Waits for the disk; throws what sw_file_open gives.
class file {
public:
    explicit file(std::string_view path, std::string_view name = {}, uint64_t progress_bytes = 0) : head_{} {
        sw_file_options options;
        sw_file_options_init(&options);
        options.name = text_of(name);
        options.progress_bytes = progress_bytes;
        check(sw_file_open(text_of(path), &options, &head_));
    }
    file(file&& other) noexcept : head_(other.head_) { other.head_.file = nullptr; }
    file(const file&) = delete;
    file& operator=(file&& other) noexcept {
        std::swap(head_, other.head_);
        return *this;
    }
    ~file() { sw_file_close(head_.file); }
    uint64_t size() const { return head_.size; }
    const sw_part_head& raw() const { return head_; }
    void taken() { head_.file = nullptr; }  // by a call that has sent it

private:
    sw_part_head head_;
};

// What is stated of a part before its first byte.
struct part_head {
    std::string_view name;
    sw_part_kind kind = SW_PART_STREAM;
    sw_body_type type = SW_BODY_BYTES;
    bool size_known = false;
    uint64_t size = 0;       // if known: exactly so many bytes are written
    file* opened = nullptr;  // in place of all else: taken by the call that sends it

    sw_part_head raw() const {
        if (opened) return opened->raw();
        sw_part_head out{};
        out.name = text_of(name);
        out.kind = static_cast<uint32_t>(kind);
        out.type = static_cast<uint32_t>(type);
        out.size_known = size_known ? 1 : 0;
        out.size = size;
        return out;
    }
};

// A question of the peer in a conversation, from the event that tells it; or one of this side, which ANSWER names.
class question {
public:
    question() : raw_{} {}
    explicit question(sw_question raw) : raw_(raw) {}
    sw_question raw() const { return raw_; }
    explicit operator bool() const { return raw_.exchange.peer.value != 0; }

    void answer(std::string_view body, sw_body_type type = SW_BODY_BYTES) const { say(body, type, nullptr); }
    // An answer that asks in turn: gives the question, which SW_EVENT_ANSWER names.
    question ask_back(std::string_view body, sw_body_type type = SW_BODY_BYTES) const {
        sw_question back;
        say(body, type, &back);
        return question(back);
    }
    void finish(uint32_t code = 0, std::string_view text = {}) const {
        sealwire::check(sw_question_status(raw_, code, text_of(text)));
    }

private:
    void say(std::string_view body, sw_body_type type, sw_question* back) const {
        sw_send_options options;
        sw_send_options_init(&options);
        options.type = type;
        sealwire::check(sw_question_answer(raw_, bytes_of(body), &options, back));
    }
    sw_question raw_;
};

namespace detail {

// Sends what `send` does by `options`, with parts: gives the handles to write them by.
template <class Send>
std::vector<part> with_parts(sw_send_options& options, const std::vector<part_head>& heads, Send send) {
    std::vector<sw_part_head> raw_heads;
    for (const part_head& head : heads) raw_heads.push_back(head.raw());
    std::vector<sw_part> raw_parts(heads.size());
    options.parts = raw_heads.data();
    options.part_count = raw_heads.size();
    options.part_handles = raw_parts.data();
    check(send());
    for (const part_head& head : heads) {
        if (head.opened) head.opened->taken();
    }
    return std::vector<part>(raw_parts.begin(), raw_parts.end());
}

}  // namespace detail

class exchange {
public:
    exchange() : raw_{} {}
    explicit exchange(sw_exchange raw) : raw_(raw) {}
    sw_exchange raw() const { return raw_; }

    // The last reply, or with `more` one of several (only the latter can find the queue full: SW_ERR_AGAIN).
    void reply(std::string_view body, sw_body_type type = SW_BODY_BYTES, bool more = false) const {
        sw_send_options options;
        sw_send_options_init(&options);
        options.type = type;
        options.more = more ? 1 : 0;
        sealwire::check(sw_exchange_reply(raw_, bytes_of(body), &options));
    }
    // A last reply that carries parts: gives the handles to write them by.
    std::vector<part> reply(std::string_view body, const std::vector<part_head>& heads,
                            sw_body_type type = SW_BODY_BYTES) const {
        sw_send_options options;
        sw_send_options_init(&options);
        options.type = type;
        return detail::with_parts(options, heads, [&] { return sw_exchange_reply(raw_, bytes_of(body), &options); });
    }
    void reply(message body, sw_body_type type = SW_BODY_BYTES) const {
        sw_send_options options;
        sw_send_options_init(&options);
        options.type = type;
        options.message = body.get();
        sealwire::check(sw_exchange_reply(raw_, {}, &options));
        body.release();
    }
    // Code 0 is the fast reply 'done'; 64 to 4,095 an error of the application.
    void finish(uint32_t code = 0, std::string_view text = {}) const {
        sealwire::check(sw_exchange_status(raw_, code, text_of(text)));
    }
    // An error with details: with the text at most 4,096 bytes.
    void fail(uint32_t code, std::string_view text, std::string_view details, sw_body_type type) const {
        sw_status_options options;
        sw_status_options_init(&options);
        options.details = bytes_of(details);
        options.details_type = static_cast<uint32_t>(type);
        sealwire::check(sw_exchange_status_with(raw_, code, text_of(text), &options));
    }
    void cancel(uint32_t code = 0) const { sealwire::check(sw_exchange_cancel(raw_, code)); }
    // In a conversation: SW_EVENT_ANSWER follows, to on_event, and names the question.
    question ask(std::string_view body, sw_body_type type = SW_BODY_BYTES) const {
        sw_send_options options;
        sw_send_options_init(&options);
        options.type = type;
        sw_question out;
        sealwire::check(sw_exchange_ask(raw_, bytes_of(body), &options, &out));
        return question(out);
    }
    // Of a request: how long it still waits.
    void set_deadlines(const sw_deadlines& deadlines) const {
        sealwire::check(sw_exchange_set_deadlines(raw_, &deadlines));
    }
    // Of this side's (own) or the peer's message at that place; 0: the one that opened it, or the other side's first. The
    // same at both ends, while the session lasts.
    sealwire::uuid uuid(bool own, uint64_t place = 0) const {
        sealwire::uuid out;
        sealwire::check(sw_exchange_uuid(raw_, own ? 1 : 0, place, out.data()));
        return out;
    }

private:
    sw_exchange raw_;
};

inline exchange outcome::exchange() const { return sealwire::exchange(done_.exchange); }

struct send_options {
    sw_body_type type = SW_BODY_BYTES;
    uint64_t* receipt = nullptr;  // when set: an acknowledgement is wanted, and its number is stored here
    uint32_t stages = 0;          // of sw_receipt_stage, added up; 0: acknowledged where `receipt` is set, else none
    sw_route route = 0;           // from node::intern; then the route's text may be empty
    std::vector<sw_pair> metadata{};
    std::string_view trace_context{};    // SW_TRACE_CONTEXT_SIZE bytes
    std::string_view idempotency_key{};  // SW_IDEMPOTENCY_KEY_SIZE bytes
    sw_exchange* exchange = nullptr;     // when set: where its exchange is stored, for its UUID
};

struct request_options {
    sw_body_type type = SW_BODY_BYTES;
    uint32_t timeout_ms = 0;  // for the first reply; 0: the node's default, SW_NEVER: none
    uint32_t total_ms = 0;    // for the whole exchange; 0: none
    bool converse = false;    // both sides may ask: SW_EVENT_QUESTION to on_event
    sw_route route = 0;
    std::vector<sw_pair> metadata{};
    std::string_view trace_context{};
    std::string_view idempotency_key{};
    uint32_t attempts = 1;  // at most, as of sw_request_options; `timeout_ms` is for each
    uint32_t backoff_ms = 0;
    uint32_t backoff_max_ms = 0;
};

struct draft_options {
    sw_body_type type = SW_BODY_BYTES;
    std::vector<sw_pair> metadata{};
};

class peer {
public:
    peer() : raw_{} {}
    explicit peer(sw_peer raw) : raw_(raw) {}
    sw_peer raw() const { return raw_; }
    explicit operator bool() const { return raw_.value != 0; }
    friend bool operator==(peer a, peer b) { return a.raw_.value == b.raw_.value; }
    friend bool operator!=(peer a, peer b) { return !(a == b); }

    peer_id id() const {
        peer_id out;
        check(sw_peer_get_id(raw_, &out));
        return out;
    }
    // Fire and forget.
    void send(std::string_view route, std::string_view body, const send_options& options = {}) const {
        if (!try_send(route, body, options)) throw error(SW_ERR_AGAIN, sw_error_detail());
    }
    // false when the queue is full: nothing was taken, and exactly one SW_EVENT_WRITABLE follows.
    bool try_send(std::string_view route, std::string_view body, const send_options& options = {}) const {
        const sw_send_options raw = raw_options(options);
        return taken(sw_peer_send(raw_, text_of(route), bytes_of(body), &raw));
    }
    // The zero-copy way: takes the message when it returns true.
    bool try_send(std::string_view route, message& body, const send_options& options = {}) const {
        return try_hand_over(route, body, raw_options(options));
    }
    // `done` is called exactly once, unless the request throws.
    exchange request(std::string_view route, std::string_view body, const request_options& options,
                     outcome_fn done) const {
        return ask(route, body, options, nullptr, std::move(done));
    }
    exchange request(std::string_view route, std::string_view body, outcome_fn done) const {
        return request(route, body, {}, std::move(done));
    }
    // A one-way message that carries parts: gives the handles to write them by. SW_EVENT_DONE follows, to on_event.
    std::vector<part> send(std::string_view route, std::string_view body, const std::vector<part_head>& heads) const {
        return send_parts(route, body, nullptr, heads);
    }
    // The same by a draft of this peer's node, which has route and type: the options leave those out, and what they have of
    // metadata comes behind the draft's.
    void send(const draft& draft, std::string_view body, const send_options& options = {}) const {
        if (!try_send(draft, body, options)) throw error(SW_ERR_AGAIN, sw_error_detail());
    }
    bool try_send(const draft& draft, std::string_view body, const send_options& options = {}) const {
        const sw_send_options raw = raw_options(options, draft.get());
        return taken(sw_peer_send(raw_, {}, bytes_of(body), &raw));
    }
    bool try_send(const draft& draft, message& body, const send_options& options = {}) const {
        return try_hand_over({}, body, raw_options(options, draft.get()));
    }
    exchange request(const draft& draft, std::string_view body, const request_options& options, outcome_fn done) const {
        return ask({}, body, options, draft.get(), std::move(done));
    }
    exchange request(const draft& draft, std::string_view body, outcome_fn done) const {
        return request(draft, body, {}, std::move(done));
    }
    std::vector<part> send(const draft& draft, std::string_view body, const std::vector<part_head>& heads) const {
        return send_parts({}, body, draft.get(), heads);
    }
    // What it has done and has to do; until it is closed.
    sw_stats stats() const {
        sw_stats out{};
        out.size = sizeof out;
        check(sw_peer_get_stats(raw_, &out));
        return out;
    }
    // To where it was dialled, or to `address`: sw_peer_move.
    void move(std::string_view address = {}) const { check(sw_peer_move(raw_, text_of(address))); }
    void ping(uint64_t token = 0) const { check(sw_peer_ping(raw_, token)); }  // SW_EVENT_PONG follows
    // After on_proved, and then once.
    void hello(std::string_view data) const { check(sw_peer_hello(raw_, bytes_of(data))); }
    // Its messages wait; so many more come, then it is paused again.
    void pause() const { check(sw_peer_pause(raw_)); }
    void resume(uint64_t messages = SW_EVERYTHING) const { check(sw_peer_resume(raw_, messages)); }
    void accept(std::string_view data = {}) const { check(sw_peer_accept(raw_, bytes_of(data))); }
    void reject(uint32_t code = 0, std::string_view text = {}) const {
        check(sw_peer_reject(raw_, code, text_of(text)));
    }
    void close(uint32_t code = 0, std::string_view text = {}, uint32_t deadline_ms = 0) const {
        check(sw_peer_close(raw_, code, text_of(text), deadline_ms));
    }

private:
    struct asked final : detail::pending {
        explicit asked(outcome_fn from) : fn(std::move(from)) {}
        void done(const sw_event& event) override {
            const std::unique_ptr<asked> self(this);
            if (fn) fn(outcome(event));
        }
        outcome_fn fn;
    };
    bool try_hand_over(std::string_view route, message& body, sw_send_options raw) const {
        raw.message = body.get();
        if (!taken(sw_peer_send(raw_, text_of(route), {}, &raw))) return false;
        body.release();
        return true;
    }
    exchange ask(std::string_view route, std::string_view body, const request_options& options, const sw_draft* draft,
                 outcome_fn done) const {
        sw_request_options raw;
        sw_request_options_init(&raw);
        raw.type = options.type;
        raw.timeout_ms = options.timeout_ms;
        raw.total_ms = options.total_ms;
        raw.converse = options.converse ? 1 : 0;
        raw.route = options.route;
        raw.draft = draft;
        raw.attempts = options.attempts;
        raw.backoff_ms = options.backoff_ms;
        raw.backoff_max_ms = options.backoff_max_ms;
        put_extras(options, raw);
        auto handler = std::make_unique<asked>(std::move(done));
        raw.user = static_cast<detail::pending*>(handler.get());
        sw_exchange out;
        check(sw_peer_request(raw_, text_of(route), bytes_of(body), &raw, &out));
        (void)handler.release();  // the node frees it after SW_EVENT_DONE
        return exchange(out);
    }
    std::vector<part> send_parts(std::string_view route, std::string_view body, const sw_draft* draft,
                                 const std::vector<part_head>& heads) const {
        sw_send_options options;
        sw_send_options_init(&options);
        options.draft = draft;
        return detail::with_parts(options, heads,
                                  [&] { return sw_peer_send(raw_, text_of(route), bytes_of(body), &options); });
    }
    static sw_send_options raw_options(const send_options& options, const sw_draft* draft = nullptr) {
        sw_send_options raw;
        sw_send_options_init(&raw);
        raw.draft = draft;
        raw.type = options.type;
        raw.route = options.route;
        raw.receipt = options.stages || !options.receipt ? options.stages : uint32_t{SW_RECEIPT_ACKNOWLEDGED};
        raw.receipt_number = options.receipt;
        raw.exchange = options.exchange;
        put_extras(options, raw);
        return raw;
    }
    template <class Options, class Raw>
    static void put_extras(const Options& options, Raw& raw) {
        raw.metadata = options.metadata.data();
        raw.metadata_count = options.metadata.size();
        raw.trace_context = bytes_of(options.trace_context);
        raw.idempotency_key = bytes_of(options.idempotency_key);
    }
    static bool taken(sw_result result) {
        if (result == SW_ERR_AGAIN) return false;
        check(result);
        return true;
    }
    sw_peer raw_;
};

// A message that a route handler gets: what the peer sent or requests.
class incoming {
public:
    explicit incoming(const sw_event& event) : event_(event) {}
    sealwire::peer peer() const { return sealwire::peer(event_.peer); }
    peer_id id() const { return raw().id; }  // proved
    std::string_view route() const { return view_of(raw().route); }
    std::string_view body() const { return view_of(raw().body); }
    sw_body_type type() const { return static_cast<sw_body_type>(raw().type); }
    bool wants_reply() const { return raw().expects != SW_EXPECTS_NONE; }
    uint32_t timeout_ms() const { return raw().timeout_ms; }
    std::string_view metadata(std::string_view name) const {
        return metadata_value(raw().metadata, raw().metadata_count, name);
    }
    sealwire::exchange exchange() const { return sealwire::exchange(raw().exchange); }  // may be kept, to answer later
    // Each is to be read or cancelled; the last reply stops what was not.
    std::vector<sealwire::part> parts() const {
        std::vector<sealwire::part> out;
        for (size_t i = 0; i < raw().part_count; ++i) out.emplace_back(raw().parts[i].part);
        return out;
    }
    std::string_view part_name(size_t i) const { return view_of(raw().parts[i].head.name); }
    // In place of reading it; SW_EVENT_PART_DONE says how it went.
    void save(size_t i, std::string_view folder, const sw_save_options* options = nullptr) const {
        sealwire::check(sw_part_save(&raw().parts[i], text_of(folder), options));
    }
    void reply(std::string_view body, sw_body_type type = SW_BODY_BYTES) const { exchange().reply(body, type); }
    void finish(uint32_t code = 0, std::string_view text = {}) const { exchange().finish(code, text); }
    const sw_event_message& raw() const { return event_.as.message; }

private:
    const sw_event& event_;
};

// Keeps an event, and everything that it points to, beyond its handler.
class retained {
public:
    explicit retained(const sw_event& event) { check(sw_event_retain(&event, &owned_)); }
    retained(retained&& other) noexcept : owned_(std::exchange(other.owned_, nullptr)) {}
    retained& operator=(retained other) noexcept {
        std::swap(owned_, other.owned_);
        return *this;
    }
    ~retained() {
        if (owned_) sw_event_release(owned_);
    }
    const sw_event& operator*() const { return *owned_; }
    const sw_event* operator->() const { return owned_; }

private:
    const sw_event* owned_ = nullptr;
};

// ---- Listeners ------------------------------------------------------------------------------------------------------

// Of tls:// and wss://: see sw_tls_options, which has the same words.
struct tls_options {
    std::string ca, ca_file;
    std::string certificate, certificate_file;
    std::string key, key_file;
    std::string crl, crl_file;
    std::string server_name;
    sw_tls_clients clients = SW_TLS_CLIENTS_ANY;
    uint32_t min_version = 0;

    // Its texts are this object's.
    sw_tls_options raw() const {
        sw_tls_options out;
        sw_tls_options_init(&out);
        out.clients = static_cast<uint32_t>(clients);
        out.ca = text_of(ca);
        out.ca_file = text_of(ca_file);
        out.certificate = text_of(certificate);
        out.certificate_file = text_of(certificate_file);
        out.key = text_of(key);
        out.key_file = text_of(key_file);
        out.crl = text_of(crl);
        out.crl_file = text_of(crl_file);
        out.server_name = text_of(server_name);
        out.min_version = min_version;
        return out;
    }
};

// Of ws:// and wss://: see sw_http_options, which has the same words.
struct http_options {
    std::string health_path, metrics_path, folder;
    std::string origins;  // separated by spaces
    uint32_t max_head_bytes = 0, max_body_bytes = 0;
    uint32_t head_ms = 0, body_ms = 0, answer_ms = 0, idle_ms = 0;
    uint32_t max_connections = 0;

    // Its texts are this object's. What the program answers itself is up to the handlers of its node.
    sw_http_options raw(bool requests, bool upgrades) const {
        sw_http_options out;
        sw_http_options_init(&out);
        out.requests = requests;
        out.upgrades = upgrades;
        out.health_path = text_of(health_path);
        out.metrics_path = text_of(metrics_path);
        out.folder = text_of(folder);
        out.origins = text_of(origins);
        out.max_head_bytes = max_head_bytes;
        out.max_body_bytes = max_body_bytes;
        out.head_ms = head_ms;
        out.body_ms = body_ms;
        out.answer_ms = answer_ms;
        out.idle_ms = idle_ms;
        out.max_connections = max_connections;
        return out;
    }
};

// A request or an upgrade, to be answered once, now or later, on any thread.
class http_request {
public:
    explicit http_request(sw_http_request raw) : raw_(raw) {}
    sw_http_request raw() const { return raw_; }
    void answer(uint32_t status, std::string_view body = {},
                const std::vector<std::pair<std::string_view, std::string_view>>& headers = {}) const {
        std::vector<sw_pair> pairs;
        for (const auto& [name, value] : headers) pairs.push_back(pair_of(name, value));
        sw_http_answer_options options;
        sw_http_answer_options_init(&options);
        options.headers = pairs.data();
        options.header_count = pairs.size();
        check(sw_http_answer(raw_, status, bytes_of(body), &options));
    }
    // An upgrade: the WebSocket is granted, and its peer comes as any other.
    void accept() const { answer(101); }

private:
    sw_http_request raw_;
};

class listener {
public:
    listener() : raw_{} {}
    explicit listener(sw_listener raw) : raw_(raw) {}
    listener(listener&& other) noexcept : raw_(std::exchange(other.raw_, {})) {}
    listener& operator=(listener other) noexcept {
        std::swap(raw_, other.raw_);
        return *this;
    }
    ~listener() { close(); }
    sw_listener raw() const { return raw_; }
    // From SW_EVENT_LISTENING on; SW_ERR_STATE before.
    std::string ticket() const {
        char out[SW_ADDRESS_TEXT_SIZE];
        check(sw_listener_ticket(raw_, out));
        return out;
    }
    // Who may connect by its address, from now on.
    void set_addresses(const std::vector<std::string_view>& allow, const std::vector<std::string_view>& deny = {}) {
        const std::vector<sw_text> allowed = texts_of(allow), denied = texts_of(deny);
        check(sw_listener_set_addresses(raw_, allowed.data(), allowed.size(), denied.data(), denied.size()));
    }
    // Other certificates, for connections from now on.
    void set_tls(const tls_options& options) {
        const sw_tls_options raw = options.raw();
        check(sw_listener_set_tls(raw_, &raw));
    }
    void close() {
        if (raw_.value) sw_listener_close(raw_);  // one that is over already is as good as closed
        raw_ = {};
    }

private:
    sw_listener raw_;
};

// The channel shs1 (sw_channel), in the options of node::listen and node::connect; `network`, of 32 bytes, outlives them. The streams
// of such a peer are part(connected.stream_out) and part(connected.stream_in) of on_connected; on_event tells of them.
inline sw_listen_options shs_listen_options(std::string_view network) {
    sw_listen_options options;
    sw_listen_options_init(&options);
    options.channel = SW_CHANNEL_SHS1;
    options.shs_network = bytes_of(network);
    return options;
}
inline sw_connect_options shs_connect_options(std::string_view network) {
    sw_connect_options options;
    sw_connect_options_init(&options);
    options.channel = SW_CHANNEL_SHS1;
    options.shs_network = bytes_of(network);
    return options;
}

// ---- Nodes ----------------------------------------------------------------------------------------------------------

enum class run_on { loop, poll };

struct node_options {
    const sealwire::identity* identity = nullptr;  // nullptr: a new one, of this node only
    std::string network;
    sw_access access = SW_ACCESS_ALLOW_LIST;
    std::vector<peer_id> allowed;
    bool hub = false;           // it passes on topics between its peers
    std::vector<peer_id> hubs;  // peers that may pass on to this node what others have published
    run_on handlers = run_on::loop;

    std::function<void(const sw_event_listening&)> on_listening;
    std::function<void(peer, const sw_event_proved&)>
        on_proved;  // connected by `data_on_demand`: peer::hello, now or later
    std::function<void(peer, const sw_event_peer_asks&)> on_asks;  // peer::accept or peer::reject, now or later
    // By a rule with SW_ASK: node::decide_topic, now or later. Without it what is asked is denied.
    std::function<void(peer, const sw_event_topic&)> on_topic_asks;
    std::function<void(peer, const sw_event_connected&)> on_connected;
    std::function<void(peer, const sw_event_closed&)> on_closed;  // or it could not be reached
    // SW_EVENT_PEER_SUSPENDED, SW_EVENT_PEER_CONNECTING (an address is tried, or it is dialled again) or SW_EVENT_PEER_RESUMED: the type says which.
    std::function<void(peer, sw_event_type, const sw_event_link&)> on_link;
    // What a web listener is asked, and each WebSocket; headers by metadata_value(event.headers, event.header_count, name).
    std::function<void(http_request, const sw_event_http&)> on_http_request;
    std::function<void(http_request, const sw_event_http&)> on_http_upgrade;
    std::function<void(const sw_event_log&)> on_log;  // when set, the node logs
    std::function<void(const sw_event&)> on_event;    // every event that has no handler above
    std::function<void(std::exception_ptr)> on_exception;
    // What a route handler threw that is no status, in place of on_exception. It may answer, at once; else handler_failed follows.
    std::function<void(const incoming&, std::exception_ptr)> on_error;
    uint32_t max_handlers =
        0;  // requests handled at once, over all routes; as route_options::max_handlers. Not with several loop threads
    std::string key_log;  // FOR DEBUGGING ONLY: whoever has this file can read everything; see sw_node_options

    // The rest of sw_node_options, 0 being the default: set fields here (limits, timeouts, log_level).
    sw_node_options limits = {};
};

class node {
public:
    explicit node(node_options options = {}) : state_(std::make_unique<state>(std::move(options))) {
        const node_options& from = state_->options;
        if (from.max_handlers > 0) state_->limit_handlers();
        sw_node_options raw;
        sw_node_options_init(&raw);
        const uint32_t size = raw.size;
        raw = from.limits;
        raw.size = size;
        raw.access = static_cast<uint32_t>(from.access);
        raw.identity = from.identity ? from.identity->get() : nullptr;
        raw.network = text_of(from.network);
        raw.on_event = from.handlers == run_on::loop ? &state::on_loop : nullptr;
        raw.on_wake = nullptr;
        raw.user = state_.get();
        const std::vector<sw_peer_id> allowed(from.allowed.begin(), from.allowed.end());
        raw.allowed = allowed.data();
        raw.allowed_count = allowed.size();
        const std::vector<sw_peer_id> hubs(from.hubs.begin(), from.hubs.end());
        raw.hub = from.hub ? 1 : 0;
        raw.hubs = hubs.data();
        raw.hubs_count = hubs.size();
        raw.log = from.on_log ? 1 : 0;
        if (!from.key_log.empty()) raw.key_log = text_of(from.key_log);
        check(sw_node_open(&raw, &raw_));
    }
    node(node&& other) noexcept : raw_(std::exchange(other.raw_, {})), state_(std::move(other.state_)) {}
    node& operator=(node other) noexcept {
        std::swap(raw_, other.raw_);
        std::swap(state_, other.state_);
        return *this;
    }
    ~node() {
        try {
            close();
        } catch (const std::exception&) {  // a handler of a last event threw; the node is closed nevertheless
        }
    }

    sw_node raw() const { return raw_; }
    peer_id id() const {
        peer_id out;
        check(sw_node_id(raw_, &out));
        return out;
    }
    // The sums over its peers, with those that have gone.
    sw_stats stats() const {
        sw_stats out{};
        out.size = sizeof out;
        check(sw_node_get_stats(raw_, &out));
        return out;
    }
    // `each` is called for every route, before this returns; it must not throw.
    void each_route(const std::function<void(const sw_route_stats&)>& each) const {
        const auto call = [](const sw_route_stats* stats, void* user) {
            (*static_cast<const std::function<void(const sw_route_stats&)>*>(user))(*stats);
        };
        void* const user = const_cast<void*>(static_cast<const void*>(&each));
        check(sw_node_each_route(raw_, call, user));
    }
    void set_allowed(const std::vector<peer_id>& ids) {
        const std::vector<sw_peer_id> raw(ids.begin(), ids.end());
        check(sw_node_set_allowed(raw_, raw.data(), raw.size()));
    }
    // An empty route takes what no other route takes. A handler lives as long as its node.
    void route(std::string_view route, route_fn handler, route_options options = {}) {
        if (options.max_handlers > 0) state_->limit_handlers();
        const std::lock_guard<std::mutex> lock(state_->mutex);
        state_->routes.emplace_back();
        state_->routes.back().handler = std::move(handler);
        state_->routes.back().options = std::move(options);
        check(sw_node_route(raw_, text_of(route), nullptr, &state_->routes.back()));  // comes back as route_user
    }
    // Around every handler of this node, also those that are there already; the first that was added is the outermost.
    void use(middleware_fn middleware) {
        const std::lock_guard<std::mutex> lock(state_->mutex);
        auto longer = std::make_shared<std::vector<middleware_fn>>();
        if (state_->middleware) *longer = *state_->middleware;
        longer->push_back(std::move(middleware));
        state_->middleware = std::move(longer);
        state_->has_middleware = true;
    }
    void unroute(std::string_view route) { check(sw_node_unroute(raw_, text_of(route))); }
    // Messages to it wait; so many more come, then it is paused again.
    void pause(std::string_view route) { check(sw_node_pause(raw_, text_of(route))); }
    void resume(std::string_view route, uint64_t messages = SW_EVERYTHING) {
        check(sw_node_resume(raw_, text_of(route), messages));
    }
    sw_route intern(std::string_view route) {
        sw_route out = 0;
        check(sw_node_intern(raw_, text_of(route), &out));
        return out;
    }
    // What is said once of many messages. Keep it while calls use it; it may outlive messages and node.
    sealwire::draft draft(std::string_view route, const draft_options& options = {}) const {
        return sealwire::draft(raw_, route, options.type, options.metadata);
    }
    // on_listening follows, or SW_EVENT_LISTENER_CLOSED to on_event. It listens as long as what is returned lives.
    [[nodiscard]] sealwire::listener listen(std::string_view url, const sw_listen_options* options = nullptr) {
        sw_listener out{};
        check(sw_node_listen(raw_, text_of(url), options, &out));
        return sealwire::listener(out);
    }
    // On tls:// and wss://.
    [[nodiscard]] sealwire::listener listen(std::string_view url, const tls_options& tls) {
        const sw_tls_options raw = tls.raw();
        sw_listen_options options;
        sw_listen_options_init(&options);
        options.tls = &raw;
        return listen(url, &options);
    }
    // On ws://. What nothing else answers goes to on_http_request, and each WebSocket to on_http_upgrade, where the node has these
    // handlers.
    [[nodiscard]] sealwire::listener listen(std::string_view url, const http_options& http) {
        const sw_http_options raw = raw_of(http);
        sw_listen_options options;
        sw_listen_options_init(&options);
        options.http = &raw;
        return listen(url, &options);
    }
    // The same on wss://.
    [[nodiscard]] sealwire::listener listen(std::string_view url, const http_options& http, const tls_options& tls) {
        const sw_http_options raw = raw_of(http);
        const sw_tls_options raw_tls = tls.raw();
        sw_listen_options options;
        sw_listen_options_init(&options);
        options.http = &raw;
        options.tls = &raw_tls;
        return listen(url, &options);
    }
    // For sw_listen_options, of whose `http` more is wanted beside.
    sw_http_options raw_of(const http_options& http) const {
        return http.raw(state_->options.on_http_request != nullptr, state_->options.on_http_upgrade != nullptr);
    }
    // On tls:// and wss://, where a null pointer or another overload means the system's CAs.
    peer connect(std::string_view ticket, const tls_options& tls) {
        const sw_tls_options raw = tls.raw();
        sw_connect_options options;
        sw_connect_options_init(&options);
        options.tls = &raw;
        return connect(ticket, options);
    }
    // on_connected or on_closed follows; messages may be sent at once.
    peer connect(std::string_view ticket, uint32_t timeout_ms = 0, std::string_view data = {}) {
        sw_connect_options options;
        sw_connect_options_init(&options);
        options.timeout_ms = timeout_ms;
        options.data = bytes_of(data);
        sw_peer out{};
        check(sw_node_connect(raw_, text_of(ticket), &options, &out));
        return peer(out);
    }

    // With options that have been initialised.
    peer connect(std::string_view ticket, const sw_connect_options& options) {
        sw_peer out{};
        check(sw_node_connect(raw_, text_of(ticket), &options, &out));
        return peer(out);
    }

    // Over a pipe that this program carries, to the node of that id. `options` have been initialised, or are null.
    peer connect_pipe(const peer_id& id, pipe_options pipe_options, const sw_connect_options* options = nullptr,
                      sealwire::pipe* pipe_out = nullptr) {
        sw_peer out{};
        const sealwire::pipe made =
            state_->add_pipe(std::move(pipe_options), [&](const sw_pipe_options& raw, sw_pipe* pipe) {
                const sw_peer_id raw_id = id;
                return sw_node_connect_pipe(raw_, &raw_id, &raw, options, pipe, &out);
            });
        if (pipe_out) *pipe_out = made;
        return peer(out);
    }
    // Takes what connects at the other end of a pipe; on_connected has the pipe in its event.
    sealwire::pipe accept_pipe(pipe_options options) {
        return state_->add_pipe(std::move(options), [&](const sw_pipe_options& raw, sw_pipe* pipe) {
            return sw_node_accept_pipe(raw_, &raw, pipe);
        });
    }

    // The peer with that id that is connected, however it came: sw_node_find_peer. None: a null peer.
    peer find_peer(const peer_id& id) const {
        sw_peer out{};
        const sw_result result = sw_node_find_peer(raw_, &id, &out);
        if (result != SW_ERR_STATE) check(result);
        return peer(out);
    }
    // A one-way message to all peers that are connected, by one call: sw_node_broadcast. Who did not take it is in the report, nothing is
    // thrown for that.
    broadcast_report broadcast(std::string_view route, std::string_view body,
                               const broadcast_options& options = {}) const {
        return detail::broadcast(raw_, route, nullptr, body, nullptr, options);
    }
    broadcast_report broadcast(const sealwire::draft& draft, std::string_view body,
                               const broadcast_options& options = {}) const {
        return detail::broadcast(raw_, {}, &draft, body, nullptr, options);
    }
    // The zero-copy way: takes the message where nobody is left out.
    broadcast_report broadcast(std::string_view route, message& body, const broadcast_options& options = {}) const {
        return detail::broadcast(raw_, route, nullptr, {}, &body, options);
    }

    // At all peers, those that connect later included; on_joined follows.
    sealwire::topic join(std::string_view name, topic_options options = {}) {
        sw_topic out{};
        state_->add(state_->topics, {std::move(options)}, [&](detail::topic_entry& entry) {
            const sw_topic_options raw = entry.raw();
            const sw_result result = sw_topic_join(raw_, text_of(name), &raw, &out);
            entry.forget_secret();
            return result;
        });
        return sealwire::topic(out);
    }
    // All joins of that name; SW_ERR_STATE: there is none.
    void leave(std::string_view name) { check(sw_node_leave_topic(raw_, text_of(name))); }
    // Who may join and publish: the first rule that fits decides, and where none does it is denied.
    void set_topic_rules(const std::vector<topic_rule>& rules) { check(detail::set_topic_rules(raw_, rules)); }
    // All may again.
    void clear_topic_rules() { check(sw_node_set_topic_rules(raw_, nullptr, 0)); }
    // The answer to on_topic_asks: of sw_topic_right, those that are given. SW_ERR_STATE: nothing is asked any more.
    void decide_topic(std::string_view topic, sealwire::peer of, uint32_t rights) {
        check(sw_node_decide_topic(raw_, text_of(topic), of.raw(), rights));
    }

    // With run_on::poll: waits at most so long for events, runs their handlers, says how many there were.
    size_t poll(uint32_t timeout_ms) {
        std::exception_ptr escaped;
        const size_t count = drain(timeout_ms, escaped);
        if (escaped) std::rethrow_exception(escaped);
        return count;
    }
    // With run_on::poll: readable while there are events; for an event loop of yours.
    int fd() const {
        int out = -1;
        check(sw_node_fd(raw_, &out));
        return out;
    }

    void shutdown(uint32_t deadline_ms = 0) { check(sw_node_shutdown(raw_, deadline_ms)); }
    // Ends listeners and peers in good order, at the deadline (default 2,000 ms) hard. With run_on::poll it runs the
    // handlers of the last events. No handler runs after it.
    void close(uint32_t deadline_ms = 0, sw_close_report* report = nullptr) {
        if (!raw_.value) return;
        std::exception_ptr escaped;
        if (state_->options.handlers == run_on::poll && sw_node_shutdown(raw_, deadline_ms) != SW_ERR_FORK) {
            while (!state_->closed) drain(SW_NEVER, escaped);
        }
        sw_close_report last{};
        last.size = sizeof last;
        sw_result result = sw_node_close(raw_, deadline_ms, &last);
        if (result == SW_ERR_THREAD) check(result);  // a handler called: nothing has changed
        if (result == SW_ERR_HANDLE) {               // its last event has been: that had the report
            result = SW_OK;
            last = state_->report;
        }
        if (report) *report = last;
        raw_ = {};
        state_.reset();
        if (escaped) std::rethrow_exception(escaped);
        check(result);
    }

private:
    // What handlers need; its address is the `user` of the C interface, so a node can be moved.
    struct state {
        explicit state(node_options from) : options(std::move(from)), turns(options.max_handlers) {
            turns.run = [this](const sw_event& event, detail::route_entry& route) { answer(event, route); };
        }

        // What is counted here is counted on one thread.
        void limit_handlers() const {
            if (options.handlers == run_on::loop && options.limits.loop_threads > 1) {
                throw error(SW_ERR_ARG, "with several loop threads max_handlers needs run_on::poll");
            }
        }

        static void on_loop(const sw_event* event, void* user) noexcept { static_cast<state*>(user)->dispatch(*event); }

        // True: the fetched event is kept, and is not to be released.
        bool dispatch(const sw_event& event) {
            bool kept = false;
            if (!options.on_exception) return deliver(event, kept), kept;
            try {
                deliver(event, kept);
            } catch (...) {
                options.on_exception(std::current_exception());
            }
            return kept;
        }
        void deliver(const sw_event& event, bool& kept) {
            const sealwire::peer from(event.peer);
            switch (event.type) {
                case SW_EVENT_MESSAGE:
                    if (event.as.message.route_user) {
                        auto& entry = *static_cast<detail::route_entry*>(event.as.message.route_user);
                        if (turns.limits(entry)) kept = turns.come(event, entry, options.handlers == run_on::poll);
                        else answer(event, entry);
                        return;
                    }
                    break;
                case SW_EVENT_DONE:
                    if (event.user) return static_cast<detail::pending*>(event.user)->done(event);
                    break;
                case SW_EVENT_LISTENING:
                    if (options.on_listening) return options.on_listening(event.as.listening);
                    break;
                case SW_EVENT_PEER_PROVED:
                    if (options.on_proved) return options.on_proved(from, event.as.proved);
                    break;
                case SW_EVENT_PEER_ASKS:
                    if (options.on_asks) return options.on_asks(from, event.as.peer_asks);
                    break;
                case SW_EVENT_PEER_CONNECTED:
                    if (options.on_connected) return options.on_connected(from, event.as.connected);
                    break;
                case SW_EVENT_PEER_CLOSED:
                    if (options.on_closed) return options.on_closed(from, event.as.closed);
                    break;
                case SW_EVENT_PEER_SUSPENDED:
                case SW_EVENT_PEER_CONNECTING:
                case SW_EVENT_PEER_RESUMED:
                    if (!options.on_link) break;
                    return options.on_link(from, static_cast<sw_event_type>(event.type), event.as.link);
                case SW_EVENT_PIPE_OUTPUT:
                case SW_EVENT_PIPE_ROOM:
                case SW_EVENT_PIPE_CLOSED:
                    if (event.user) return tell(event, pipes, event.type == SW_EVENT_PIPE_CLOSED);
                    break;
                case SW_EVENT_TOPIC_MESSAGE:
                    if (event.user) return static_cast<detail::topic_entry*>(event.user)->message(event);
                    break;
                case SW_EVENT_TOPIC_JOINED:
                case SW_EVENT_TOPIC_MEMBER_JOINED:
                case SW_EVENT_TOPIC_MEMBER_LEFT:
                case SW_EVENT_TOPIC_REFUSED:
                case SW_EVENT_TOPIC_WRITABLE:
                case SW_EVENT_TOPIC_DROPPED:
                case SW_EVENT_TOPIC_LEFT:
                    if (event.user) return tell(event, topics, event.type == SW_EVENT_TOPIC_LEFT);
                    break;
                case SW_EVENT_TOPIC_ASKS:
                    if (options.on_topic_asks) return options.on_topic_asks(from, event.as.topic);
                    (void)sw_node_decide_topic(event.node, event.as.topic.name, event.peer, 0);
                    break;
                case SW_EVENT_HTTP_REQUEST:
                    if (!options.on_http_request) break;
                    return options.on_http_request(http_request(event.as.http.request), event.as.http);
                case SW_EVENT_HTTP_UPGRADE:
                    if (!options.on_http_upgrade) break;
                    return options.on_http_upgrade(http_request(event.as.http.request), event.as.http);
                case SW_EVENT_LOG:
                    if (options.on_log) return options.on_log(event.as.log);
                    break;
                case SW_EVENT_NODE_CLOSED:
                    closed = true;
                    report = *event.as.node_closed.report;
                    break;
                default: break;
            }
            if (options.on_event) options.on_event(event);
        }
        // Something that has handlers, kept until its last event: `make` is given it at the place where it stays.
        template <class Entry, class Make>
        void add(std::list<Entry>& all, Entry made, Make make) {
            std::list<Entry> added;
            added.push_back(std::move(made));
            Entry& entry = added.back();
            {
                const std::lock_guard<std::mutex> lock(mutex);
                all.splice(all.end(), added);
            }
            const sw_result result = make(entry);
            if (result != SW_OK) forget(all, entry);
            check(result);
        }
        template <class Make>
        sealwire::pipe add_pipe(pipe_options from, Make make) {
            sw_pipe out{};
            add(pipes, {std::move(from)}, [&](detail::pipe_entry& entry) { return make(entry.raw(), &out); });
            return sealwire::pipe(out);
        }
        template <class Entry>
        void tell(const sw_event& event, std::list<Entry>& all, bool last) {
            auto& entry = *static_cast<Entry*>(event.user);
            if (!last) return entry.deliver(event);
            const std::list<Entry> gone = forget(all, entry);
            entry.deliver(event);
        }
        template <class Entry>
        std::list<Entry> forget(std::list<Entry>& all, const Entry& entry) {
            std::list<Entry> gone;
            const std::lock_guard<std::mutex> lock(mutex);
            for (auto at = all.begin(); at != all.end(); ++at) {
                if (&*at != &entry) continue;
                gone.splice(gone.begin(), all, at);
                break;
            }
            return gone;
        }
        void handle(const incoming& message, const detail::route_entry& entry) {
            if (!has_middleware && entry.options.use.empty()) return entry.handler(message);
            std::vector<middleware_fn> chain;
            {
                const std::lock_guard<std::mutex> lock(mutex);
                if (middleware) chain = *middleware;
            }
            chain.insert(chain.end(), entry.options.use.begin(), entry.options.use.end());
            detail::call_through(chain, entry.handler, message);
        }
        void answer(const sw_event& event, const detail::route_entry& entry) {
            const sw_event_message& message = event.as.message;
            const incoming from(event);
            if (message.expects == SW_EXPECTS_NONE && !options.on_error) return handle(from, entry);
            try {
                handle(from, entry);
            } catch (const status& thrown) {
                if (sw_exchange_status(message.exchange, thrown.code(), text_of(thrown.what())) != SW_ERR_ARG) return;
                fail(message.exchange);  // no status of an application, or words that are too long
                if (options.on_exception) options.on_exception(std::current_exception());
            } catch (...) {
                failed(from, std::current_exception());
            }
        }
        void failed(const incoming& message, std::exception_ptr error) {
            if (options.on_error) {
                try {
                    options.on_error(message, error);
                    return fail(message.raw().exchange);  // answered already: nothing happens
                } catch (...) {
                    error = std::current_exception();
                }
            }
            fail(message.raw().exchange);
            if (options.on_exception) options.on_exception(error);
        }
        // The requester is told that the handler failed, and nothing of its particulars.
        static void fail(sw_exchange exchange) { sw_exchange_status(exchange, SW_CODE_HANDLER_FAILED, {}); }

        node_options options;
        std::mutex mutex;
        std::list<detail::route_entry> routes;  // addresses stay
        std::list<detail::pipe_entry> pipes;    // likewise
        std::list<detail::topic_entry> topics;  // likewise
        std::shared_ptr<const std::vector<middleware_fn>> middleware;
        std::atomic<bool> has_middleware{false};
        detail::turns turns;  // ends before the routes whose messages wait
        bool closed = false;  // the last event has come, with this report
        sw_close_report report{};
    };

    // Throws what the library says; what handlers throw goes to `escaped`, once all events of this turn had theirs.
    size_t drain(uint32_t timeout_ms, std::exception_ptr& escaped) {
        const sw_result waited = timeout_ms ? sw_node_wait(raw_, timeout_ms) : SW_OK;
        if (waited != SW_ERR_TIMEOUT) check(waited);
        const sw_event* events[64];
        size_t count = 0;
        check(sw_node_next_events(raw_, events, 64, &count));
        for (size_t i = 0; i < count; ++i) {
            bool kept = false;
            try {
                kept = state_->dispatch(*events[i]);
            } catch (...) {
                if (!escaped) escaped = std::current_exception();
            }
            if (!kept) sw_event_release(events[i]);
        }
        return count;
    }

    sw_node raw_{};
    std::unique_ptr<state> state_;
};

}  // namespace sealwire

#endif
