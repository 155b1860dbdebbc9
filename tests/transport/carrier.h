// An application that carries a custom pipe's bytes over another pipe.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "base/byte_queue.h"
#include "transport/custom_pipe.h"

namespace sealwire::transport_test {

class Carrier final : private PipeHandler, private CustomPipeOwner {
public:
    Carrier(Loop& loop, std::unique_ptr<Pipe> inner, size_t buffer_bytes)
        : loop_(loop), inner_(std::move(inner)), end_(std::make_shared<CustomEnd>(buffer_bytes)) {}

    // Once.
    std::unique_ptr<Pipe> pipe() {
        inner_->start(*this);
        return make_custom_pipe(loop_, end_, {inner_->remote_address(), inner_->local_address()}, *this);
    }
    bool over() const { return closed_; }

private:
    void on_bytes(Bytes bytes) override {
        held_.append(bytes);
        if (!give()) inner_->set_reading(false);
    }
    void on_pipe_room() override {
        if (give()) inner_->set_reading(true);
    }
    bool give() {
        if (end_->give(held_.front()) == Errc::again) return false;
        held_.pop(held_.size());
        return true;
    }
    void on_end() override { end_->end(); }
    void on_error(Error error) override {
        end_->fail(error.detail);
        if (gone_) inner_->close();
    }
    void on_pipe_output() override { send(); }
    void on_writable() override { send(); }
    void on_closed() override { closed_ = true; }
    void on_pipe_gone(std::vector<uint8_t> rest) override {
        gone_ = true;
        output_.append(rest);
        send();
    }
    void send() {
        for (;;) {
            if (output_.empty()) {
                uint8_t block[4096];
                size_t size = 0;
                const Errc errc = end_->take(block, size);
                if (errc == Errc::closed && gone_) return inner_->close();
                if (errc == Errc::closed) return inner_->shutdown_write();
                if (size == 0) return;
                output_.append(Bytes(block).first(size));
            }
            output_.pop(inner_->try_write(output_.front()));
            if (!output_.empty()) return;
        }
    }

    Loop& loop_;
    std::unique_ptr<Pipe> inner_;
    const std::shared_ptr<CustomEnd> end_;
    ByteQueue held_;    // from the inner pipe
    ByteQueue output_;  // to it
    bool gone_ = false;
    bool closed_ = false;
};

}  // namespace sealwire::transport_test
