// Records in and out, and the turns in which what came of it is told.
#include "transport/tls_pipe.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sealwire {

namespace {

constexpr size_t kRecord = 16384;
// The kinds of record that can begin a connection (RFC 8446 5.1).
constexpr uint8_t kAlert = 21;
constexpr uint8_t kHandshake = 22;
// Its version, behind the kind: 3.0 of SSL 3 to 3.4 of TLS 1.3.
constexpr uint8_t kMajorVersion = 3;
constexpr uint8_t kMostMinorVersion = 4;
constexpr unsigned kHeadBytes = 3;  // that are looked at

std::string with_tls_scheme(const std::string& url) {
    constexpr std::string_view kTcp = "tcp://";
    return url.starts_with(kTcp) ? "tls://" + url.substr(kTcp.size()) : url;
}

// Sets `*place` to a flag for as long as it lives, and tells whether the object was destroyed meanwhile.
class Watch {
public:
    [[gnu::noinline]] explicit Watch(bool*& place) : place_(place), outer_(std::exchange(place, &gone_)) {}
    ~Watch() {
        if (!gone_) place_ = outer_;
        else if (outer_) *outer_ = true;
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    bool gone() const { return gone_; }

private:
    bool gone_ = false;
    bool*& place_;
    bool* const outer_;
};

}  // namespace

TlsPipe::TlsPipe(Loop& loop, std::unique_ptr<Pipe> lower, std::shared_ptr<TlsContext> context, std::string host)
    : loop_(&loop),
      lower_(std::move(lower)),
      context_(std::move(context)),
      verdict_(std::make_unique<TlsVerdict>(std::move(host))) {
    mbedtls_ssl_init(&ssl_);
}

TlsPipe::~TlsPipe() {
    if (gone_) *gone_ = true;
    close();
    mbedtls_ssl_free(&ssl_);
}

Result<std::unique_ptr<TlsPipe>> TlsPipe::make(Loop& loop, std::unique_ptr<Pipe> lower,
                                               std::shared_ptr<TlsContext> context, std::string host) {
    std::shared_ptr<void> kept = std::move(lower->kept);
    std::unique_ptr<TlsPipe> pipe(new TlsPipe(loop, std::move(lower), std::move(context), std::move(host)));
    pipe->kept = std::move(kept);
    if (Result<void> prepared = pipe->prepare(); !prepared) return Unexpected{std::move(prepared).error()};
    return pipe;
}

Result<void> TlsPipe::prepare() {
    int status = mbedtls_ssl_setup(&ssl_, &context_->config);
    if (status != 0) return Unexpected{tls_handshake_error(status)};
    mbedtls_ssl_set_bio(&ssl_, this, send, receive, nullptr);
    mbedtls_ssl_set_verify(&ssl_, verify, this);
    if (context_->server) return {};
    // An IP address is no server name (RFC 6066 3), and is compared by verify.
    status = mbedtls_ssl_set_hostname(&ssl_, verdict_->host_is_ip() ? nullptr : verdict_->host().c_str());
    if (status != 0) return fail(Errc::address, "a host name of that length cannot be asked for by TLS");
    server_ = lower_->remote_address() + ' ' + verdict_->host();
    if (const TlsSession session = context_->sessions.take(server_)) {
        mbedtls_ssl_set_session(&ssl_, session.get());  // without it there is a whole handshake
    }
    return {};
}

// ---- Below mbedTLS ----

int TlsPipe::send(void* self, const unsigned char* bytes, size_t size) {
    TlsPipe& pipe = *static_cast<TlsPipe*>(self);
    const Bytes all(bytes, size);
    size_t taken = 0;
    if (pipe.outgoing_.empty()) taken = pipe.lower_->try_write(all);
    if (taken < size) {
        const Bytes rest = all.subspan(taken);
        try {
            pipe.outgoing_.insert(pipe.outgoing_.end(), rest.begin(), rest.end());
        } catch (const std::bad_alloc&) {
            return MBEDTLS_ERR_SSL_ALLOC_FAILED;
        }
    }
    return static_cast<int>(size);
}

int TlsPipe::receive(void* self, unsigned char* bytes, size_t size) {
    TlsPipe& pipe = *static_cast<TlsPipe*>(self);
    if (pipe.incoming_.empty()) return MBEDTLS_ERR_SSL_WANT_READ;
    const size_t count = std::min(size, pipe.incoming_.size());
    copy_bytes(bytes, pipe.incoming_.first(count));
    pipe.incoming_ = pipe.incoming_.subspan(count);
    return static_cast<int>(count);
}

int TlsPipe::verify(void* self, mbedtls_x509_crt* certificate, int depth, uint32_t* flags) {
    TlsPipe& pipe = *static_cast<TlsPipe*>(self);
    try {
        if (pipe.verdict_) pipe.verdict_->look(*certificate, depth, *flags);
    } catch (const std::bad_alloc&) {
        return MBEDTLS_ERR_X509_ALLOC_FAILED;
    }
    return 0;
}

bool TlsPipe::wake() {
    if (!resting_) return true;
    const TlsBuffers::Pair pair = context_->buffers.take();
    if (!pair.in) return false;
    sealwire_ssl_wake(&ssl_, &rested_, pair.in, pair.out);
    resting_ = false;
    return true;
}

void TlsPipe::rest() {
    if (resting_ || busy_ > 0 || !ready_ || !sealwire_ssl_can_rest(&ssl_)) return;
    TlsBuffers::Pair pair;
    sealwire_ssl_rest(&ssl_, &rested_, &pair.in, &pair.out);
    resting_ = true;
    context_->buffers.give(pair);
}

// True when nothing is left that the system has not taken.
bool TlsPipe::flush() {
    if (outgoing_.empty()) return true;
    outgoing_done_ += lower_->try_write(Bytes(outgoing_).subspan(outgoing_done_));
    if (outgoing_done_ < outgoing_.size()) return false;
    outgoing_ = {};
    outgoing_done_ = 0;
    return true;
}

// ---- What the pipe below tells ----

void TlsPipe::on_bytes(Bytes bytes) {
    const Watch watch(gone_);
    if (failed_ || closing_) return;
    if (!looks_like_tls(bytes)) {
        fail_now({Errc::tls_plain, context_->server ? "the first bytes of the client are not TLS"
                                                    : "the first bytes of the answer are not TLS"});
        return;
    }
    process(bytes);
}

// Looks at the head of the peer's first record as far as it comes. The kind alone would let one of 256 random beginnings
// through, and a client of tcp:// begins with random bytes.
bool TlsPipe::looks_like_tls(Bytes bytes) {
    for (; !bytes.empty() && looked_at_ < kHeadBytes; ++looked_at_, bytes = bytes.subspan(1)) {
        const uint8_t byte = bytes.front();
        const bool right = looked_at_ == 0   ? byte == kHandshake || (byte == kAlert && !context_->server)
                           : looked_at_ == 1 ? byte == kMajorVersion
                                             : byte <= kMostMinorVersion;
        if (!right) return false;
    }
    return true;
}

// What is not processed (reading was turned off, or nobody has started it) is kept, and no more is taken in meanwhile.
bool TlsPipe::process(Bytes bytes) {
    incoming_ = bytes;
    if (!run()) return false;
    const Bytes rest = std::exchange(incoming_, {});
    if (rest.empty() || ended_ || !usable()) return true;
    kept_.assign(rest.begin(), rest.end());
    kept_done_ = 0;
    lower_->set_reading(false);
    return true;
}

bool TlsPipe::process_kept() {
    if (kept_.empty() || !usable()) return true;
    incoming_ = Bytes(kept_).subspan(kept_done_);
    if (!run()) return false;
    kept_done_ = kept_.size() - std::exchange(incoming_, {}).size();
    if (kept_done_ < kept_.size() && !ended_ && usable()) return true;
    kept_ = {};
    if (usable()) lower_->set_reading(reading_);
    return true;
}

bool TlsPipe::run() {
    const Watch watch(gone_);
    if (!wake()) return fail_now({Errc::no_memory, "no memory for a TLS record"});
    ++busy_;
    if (!ready_ && !shake_hands()) return false;
    if (ready_ && !read_records()) return false;
    --busy_;
    if (!watch.gone()) rest();
    return !watch.gone();
}

bool TlsPipe::shake_hands() {
    const Watch watch(gone_);
    const int status = sealwire_ssl_handshake(&ssl_);
    if (status == MBEDTLS_ERR_SSL_WANT_READ) return true;
    if (status == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE) {
        // mbedTLS says so in TLS 1.3 only.
        mbedtls_ssl_send_alert_message(&ssl_, MBEDTLS_SSL_ALERT_LEVEL_FATAL, MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
    }
    if (status != 0) return fail_now(error_of(status));
    const uint32_t flags = mbedtls_ssl_get_verify_result(&ssl_);
    if (context_->server && context_->options.clients == TlsClients::asked && flags != 0 &&
        (flags & MBEDTLS_X509_BADCERT_MISSING) == 0) {
        mbedtls_ssl_send_alert_message(&ssl_, MBEDTLS_SSL_ALERT_LEVEL_FATAL, MBEDTLS_SSL_ALERT_MSG_BAD_CERT);
        return fail_now(verdict_->error(flags, true));
    }
    verdict_.reset();
    sealwire_ssl_forget_handshake(&ssl_);
    ready_ = true;
    if (!context_->server && mbedtls_ssl_get_version_number(&ssl_) == MBEDTLS_SSL_VERSION_TLS1_2) keep_session();
    std::exchange(shaking_, nullptr)->on_tls_ready(*this);
    return !watch.gone();
}

bool TlsPipe::read_records() {
    const Watch watch(gone_);
    std::array<uint8_t, kRecord> plain;
    while (handler_ && reading_ && !ended_ && usable()) {
        const int status = mbedtls_ssl_read(&ssl_, plain.data(), plain.size());
        if (status > 0) {
            handler_->on_bytes(Bytes(plain.data(), static_cast<size_t>(status)));
        } else if (status == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
            keep_session();
        } else if (status == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
            ended_ = true;
            handler_->on_end();
        } else if (status == MBEDTLS_ERR_SSL_WANT_READ) {
            // It says so also between the arrival of a ticket and its processing.
            if (!mbedtls_ssl_check_pending(&ssl_)) return true;
        } else {
            return fail_now(error_of(status));
        }
        if (watch.gone()) return false;
    }
    return true;
}

void TlsPipe::keep_session() {
    TlsSession session = new_tls_session();
    if (mbedtls_ssl_get_session(&ssl_, session.get()) == 0) context_->sessions.put(server_, std::move(session));
}

void TlsPipe::on_writable() {
    if (!usable() || !flush()) return;
    if (shut_down_ && !std::exchange(lower_shut_, true)) lower_->shutdown_write();
    if (std::exchange(backed_up_, false) && handler_) handler_->on_writable();
}

void TlsPipe::on_end() {
    if (failed_ && shaking_) return std::exchange(shaking_, nullptr)->on_tls_gone(*this);
    if (ended_ || !usable()) return;
    if (ready_) {
        fail_now({Errc::truncated, "the connection ended without TLS's close"});
    } else {
        fail_now({Errc::tls_handshake, looked_at_ > 0 ? "the connection ended in the TLS handshake"
                                                      : "the other end closed without a word of TLS"});
    }
}

void TlsPipe::on_error(Error error) {
    const Watch watch(gone_);
    if (failed_ && shaking_) return std::exchange(shaking_, nullptr)->on_tls_gone(*this);
    if (!usable()) return;
    if (ready_ && handler_ && reading_ && !process_kept()) return;
    if (!ready_) error = {Errc::tls_handshake, "the connection broke in the TLS handshake: " + error.detail};
    if (usable()) fail_now(std::move(error));
}

void TlsPipe::on_closed() {
    if (handler_) handler_->on_closed();  // may destroy us
}

// ---- Failing ----

Error TlsPipe::error_of(int status) {
    const int alert = sealwire_ssl_alert(&ssl_);
    if (status == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE ||
        (!ready_ && status == MBEDTLS_ERR_SSL_INVALID_MAC && alert >= 0)) {
        Error error = tls_alert_error(alert, context_->server || context_->own_certificate);
        // TLS 1.2 has no word of its own for it.
        if (alert == MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE && !context_->own_certificate &&
            sealwire_ssl_certificate_wanted(&ssl_)) {
            error.code = Errc::tls_client_certificate;
        }
        if (ready_ && error.code == Errc::tls_handshake) error.code = Errc::record;
        return error;
    }
    const uint32_t flags = verdict_ ? mbedtls_ssl_get_verify_result(&ssl_) : 0;
    if (verdict_ && flags != 0 && flags != UINT32_MAX &&
        (status == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || status == MBEDTLS_ERR_SSL_BAD_CERTIFICATE)) {
        return verdict_->error(flags, context_->server);
    }
    Error error = tls_handshake_error(status);
    // Whatever of a record was changed: its header, too.
    if (ready_ && is_tls(error.code)) error.code = Errc::record;
    return error;
}

bool TlsPipe::fail_now(Error error) {
    const Watch watch(gone_);
    if (!shaking_ && !handler_) {
        failure_ = std::move(error);  // told when it is started, behind what has come
        return true;
    }
    failed_ = true;
    backed_up_ = false;
    kept_ = {};
    if (shaking_) std::exchange(shaking_, nullptr)->on_tls_failed(*this, std::move(error));
    else handler_->on_error(std::move(error));
    return !watch.gone();
}

void TlsPipe::fail_later(Error error) {
    failure_ = std::move(error);
    later();
}

void TlsPipe::later() {
    if (!turn_) turn_ = std::make_unique<Timer>(loop_->timers(), [this] { on_turn(); });
    turn_->set(0);
}

void TlsPipe::on_turn() {
    if (closing_ || !handler_) return;
    if (reading_ && !process_kept()) return;
    if (closing_ || failure_.code == Errc::ok) return;
    failed_ = true;
    handler_->on_error(std::exchange(failure_, {}));
}

// ---- What the owner calls ----

void TlsPipe::begin(TlsHandshakeHandler& handler) {
    shaking_ = &handler;
    lower_->start(*this);
    run();
}

void TlsPipe::linger(TlsHandshakeHandler& handler) {
    shaking_ = &handler;
    if (outgoing_.empty()) lower_->shutdown_write();
}

void TlsPipe::start(PipeHandler& handler) {
    handler_ = &handler;
    later();
}

size_t TlsPipe::try_write(std::span<const Bytes> blocks) {
    if (!usable() || !ready_ || shut_down_ || backed_up_ || failure_.code != Errc::ok) return 0;
    size_t taken = 0;
    size_t done = 0;  // of the first block
    std::array<uint8_t, kRecord> gathered;
    while (!blocks.empty()) {
        if (done == blocks.front().size()) {
            blocks = blocks.subspan(1);
            done = 0;
            continue;
        }
        if (!outgoing_.empty()) {
            backed_up_ = true;
            break;
        }
        // One record: from one block where that fills it, else gathered from several.
        Bytes record = blocks.front().subspan(done, std::min(kRecord, blocks.front().size() - done));
        if (record.size() < kRecord && blocks.size() > 1) {
            size_t size = 0;
            size_t skip = done;
            for (const Bytes block : blocks) {
                const Bytes part = block.subspan(skip, std::min(kRecord - size, block.size() - skip));
                copy_bytes(gathered.data() + size, part);
                size += part.size();
                skip = 0;
                if (size == kRecord) break;
            }
            record = Bytes(gathered.data(), size);
        }
        if (!wake()) {
            fail_later({Errc::no_memory, "no memory for a TLS record"});
            break;
        }
        ++busy_;
        int status = mbedtls_ssl_write(&ssl_, record.data(), record.size());
        // Reading was turned off in the middle of a ticket.
        while (status == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
            keep_session();
            status = mbedtls_ssl_write(&ssl_, record.data(), record.size());
        }
        --busy_;
        if (status <= 0) {
            fail_later(tls_handshake_error(status));
            break;
        }
        taken += static_cast<size_t>(status);
        for (size_t left = static_cast<size_t>(status); left > 0;) {
            const size_t step = std::min(left, blocks.front().size() - done);
            done += step;
            left -= step;
            if (done == blocks.front().size()) {
                blocks = blocks.subspan(1);
                done = 0;
            }
        }
    }
    rest();
    return taken;
}

void TlsPipe::shutdown_write() {
    if (!usable() || !ready_ || shut_down_) return;
    shut_down_ = true;
    backed_up_ = false;
    if (!wake()) return;  // no memory: the peer misses the close_notify
    ++busy_;
    mbedtls_ssl_close_notify(&ssl_);
    --busy_;
    rest();
    if (outgoing_.empty() && !std::exchange(lower_shut_, true)) lower_->shutdown_write();
}

void TlsPipe::close() {
    if (closing_) return;
    const bool whole = ready_ && !failed_ && !shut_down_ && !between_loops_;
    if (whole && outgoing_.empty() && wake()) {
        ++busy_;
        mbedtls_ssl_close_notify(&ssl_);
        --busy_;
    }
    closing_ = true;
    kept_ = {};
    rest();
    if (!between_loops_) lower_->close();
}

void TlsPipe::set_reading(bool on) {
    reading_ = on;
    if (!usable()) return;
    if (kept_.empty()) lower_->set_reading(on);
    else if (on && handler_) later();
}

bool TlsPipe::leave_loop() {
    if (closing_ || shaking_ || busy_ > 0 || !lower_->leave_loop()) return false;
    turn_due_ = turn_ && turn_->armed();
    turn_.reset();
    between_loops_ = true;
    return true;
}

Result<void> TlsPipe::enter_loop(Loop& loop) {
    loop_ = &loop;
    if (Result<void> entered = lower_->enter_loop(loop); !entered) return entered;
    between_loops_ = false;
    if (std::exchange(turn_due_, false)) later();
    return {};
}

std::string TlsPipe::remote_address() const { return with_tls_scheme(lower_->remote_address()); }

std::string TlsPipe::local_address() const { return with_tls_scheme(lower_->local_address()); }

}  // namespace sealwire
