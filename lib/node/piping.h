// Piping: one pipe that the application carries, from the command to its last event.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "node/handle_table.h"
#include "protocol/shs_handshake.h"
#include "transport/custom_pipe.h"

namespace sealwire {

class Shard;

struct PipingOptions {
    std::string address = "pipe:";  // shown as where the peer is; one that begins with tcp:// is counted as such
    size_t buffer_bytes = 256 * 1024;
    void* user = nullptr;
    std::shared_ptr<const ShsNetwork> shs;  // of one that is accepted without a listener: by the Secret Handshake
    uint64_t listener = 0;  // of one that is accepted: whose limits hold, and which its peer's events name; 0: none
};

class Piping final : private CustomPipeOwner {
public:
    // ---- Commands: any thread, by handle ----
    static Errc give(uint64_t pipe, Bytes bytes);
    static Errc take(uint64_t pipe, MutableBytes into, size_t& size);
    static Errc end(uint64_t pipe);
    static Errc fail(uint64_t pipe, std::string_view why);

    // ---- For the node ----
    // Any thread.
    Piping(Shard& shard, PipingOptions options);
    ~Piping();
    uint64_t handle() const { return handle_; }
    Shard& shard() const { return shard_; }
    const PipingOptions& options() const { return options_; }
    // Its shard's loop thread, once: the pipe, whose end is the end of this.
    std::unique_ptr<Pipe> open();
    // Why it is going to end, or why it was never opened; the first word counts.
    void note(const Error& why);
    static void note(uint64_t pipe, const Error& why);
    // Its last event.
    void tell_closed();

    size_t index = 0;  // in the node's list

private:
    void on_pipe_output() override;
    void on_pipe_room() override;
    void on_pipe_gone(std::vector<uint8_t> rest) override;
    static std::shared_ptr<CustomEnd> end_of(uint64_t pipe, Errc& errc);

    Shard& shard_;
    const PipingOptions options_;
    const std::shared_ptr<CustomEnd> end_;
    uint64_t handle_ = 0;
    // Loop thread.
    std::vector<uint8_t> rest_;
    Error why_;
    bool noted_ = false;
    bool over_ = false;
};

}  // namespace sealwire
