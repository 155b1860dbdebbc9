// A pipe above a pipe: TLS over any ordered stream of bytes.
#pragma once

#include <mbedtls/ssl.h>
#include <sealwire_ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "io/loop.h"
#include "transport/pipe.h"
#include "transport/tls_context.h"
#include "transport/tls_errors.h"

namespace sealwire {

class TlsPipe;

// Exactly one of the two, once, in a turn of the loop; either may destroy the pipe.
class TlsHandshakeHandler {
public:
    virtual void on_tls_ready(TlsPipe& pipe) = 0;
    virtual void on_tls_failed(TlsPipe& pipe, Error error) = 0;
    // After linger().
    virtual void on_tls_gone(TlsPipe&) {}

protected:
    ~TlsHandshakeHandler() = default;
};

// Of the contract of Pipe:
// - on_end is the peer's close_notify. A connection that ends without it is told as on_error(truncated).
// - What was taken and is not with the system yet (one record at most) is lost by close(); the peer is told, as the
//   close_notify is missing then.
// - Idle it holds no record buffers (see sealwire_ssl.h). While reading is off, it holds what came with one read (256 KiB).
class TlsPipe final : public Pipe, private PipeHandler {
public:
    // `host`: what the server's certificate has to be for; empty at the server.
    static Result<std::unique_ptr<TlsPipe>> make(Loop& loop, std::unique_ptr<Pipe> lower,
                                                 std::shared_ptr<TlsContext> context, std::string host);
    ~TlsPipe() override;

    void begin(TlsHandshakeHandler& handler);
    // After on_tls_failed: ends our direction and reads to the other's end, which on_tls_gone tells. A close with bytes unread
    // would reset the connection, and the alert that says what is wrong could be lost.
    void linger(TlsHandshakeHandler& handler);

    void start(PipeHandler& handler) override;
    using Pipe::try_write;
    size_t try_write(std::span<const Bytes> blocks) override;
    bool flushed() override {
        if (!outgoing_.empty()) backed_up_ = true;
        return outgoing_.empty();
    }
    void shutdown_write() override;
    void close() override;
    void set_reading(bool on) override;
    std::string remote_address() const override;
    std::string local_address() const override;
    bool leave_loop() override;
    Result<void> enter_loop(Loop& loop) override;

private:
    TlsPipe(Loop& loop, std::unique_ptr<Pipe> lower, std::shared_ptr<TlsContext> context, std::string host);
    Result<void> prepare();

    // Of the pipe below.
    void on_bytes(Bytes bytes) override;
    void on_writable() override;
    void on_end() override;
    void on_error(Error error) override;
    void on_closed() override;

    // What mbedTLS calls.
    static int send(void* self, const unsigned char* bytes, size_t size);
    static int receive(void* self, unsigned char* bytes, size_t size);
    static int verify(void* self, mbedtls_x509_crt* certificate, int depth, uint32_t* flags);

    // Each returns false when a callback has destroyed the pipe.
    bool process(Bytes bytes);
    bool process_kept();
    bool run();
    bool shake_hands();
    bool read_records();
    bool fail_now(Error error);

    bool looks_like_tls(Bytes bytes);
    void fail_later(Error error);
    void on_turn();
    void later();
    Error error_of(int status);
    bool wake();
    void rest();
    bool flush();
    void keep_session();
    bool usable() const { return !closing_ && !failed_; }

    Loop* loop_;
    std::unique_ptr<Pipe> lower_;
    const std::shared_ptr<TlsContext> context_;
    std::unique_ptr<TlsVerdict> verdict_;  // until the handshake is over
    std::string server_;                   // what a session is kept under
    mbedtls_ssl_context ssl_;
    sealwire_ssl_rested rested_{};
    TlsHandshakeHandler* shaking_ = nullptr;
    PipeHandler* handler_ = nullptr;
    std::unique_ptr<Timer> turn_;  // made when something is to be told in a turn of its own
    Error failure_;                // to be told then
    Bytes incoming_;               // borrowed while bytes are processed
    std::vector<uint8_t> kept_;    // came while reading was off
    size_t kept_done_ = 0;
    std::vector<uint8_t> outgoing_;  // encrypted, not with the system yet: the rest of a record or two
    size_t outgoing_done_ = 0;
    bool* gone_ = nullptr;    // set while callbacks may run: tells that we were destroyed
    unsigned busy_ = 0;       // calls into mbedTLS under way
    unsigned looked_at_ = 0;  // bytes of the peer's first record
    bool resting_ = false;
    bool ready_ = false;  // the handshake is over
    bool reading_ = true;
    bool ended_ = false;      // close_notify has come
    bool shut_down_ = false;  // ours is sent
    bool lower_shut_ = false;
    bool backed_up_ = false;  // on_writable is owed
    bool failed_ = false;
    bool closing_ = false;
    bool between_loops_ = false;
    bool turn_due_ = false;  // then
};

}  // namespace sealwire
