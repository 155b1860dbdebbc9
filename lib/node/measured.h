// Measured: adds the processor time of its life to that of the node's handshakes.
#pragma once

#include <ctime>

#include "node/node.h"

namespace sealwire {

// Processor time of this thread: what others take of the processor in between does not count.
class Measured {
public:
    explicit Measured(Node& node) : node_(node), start_(thread_nanoseconds()) {}
    ~Measured() { node_.handshake_time().add(node_.front().loop().now(), thread_nanoseconds() - start_); }
    Measured(const Measured&) = delete;
    Measured& operator=(const Measured&) = delete;

private:
    static int64_t thread_nanoseconds() {
        timespec time{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
    }

    Node& node_;
    const int64_t start_;
};

}  // namespace sealwire
