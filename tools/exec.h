// Programs that answer requests: what comes is their input, and what they print the answer.
#pragma once

#include <sealwire/sealwire.hpp>

#include <atomic>
#include <cstdint>
#include <list>
#include <string>
#include <thread>

namespace tool {

// One thread and one process for each request that runs; how many do is for the caller to limit. No locks: start() and stop() are
// called on one thread, and answers go by handles.
class Programs {
public:
    // `command` is for /bin/sh; a program that prints more than `most_output` bytes is ended.
    Programs(std::string command, uint64_t most_output);
    ~Programs() { stop(); }
    Programs(const Programs&) = delete;
    Programs& operator=(const Programs&) = delete;

    // Answers the request: what was printed with exit status 0, STATUS 64 + the exit status otherwise, handler_failed where it
    // was killed or printed too much. It is killed at the requester's deadline.
    void start(const sealwire::incoming& request);
    // Kills those that run.
    void stop();

private:
    struct Job {
        sealwire::exchange exchange;
        std::string route, peer, type, input;
        uint32_t timeout_ms = SW_NEVER;
        std::atomic<bool> over{false};
    };
    void run(Job& job) const;

    const std::string command_;
    const uint64_t most_output_;
    int stop_[2] = {-1, -1};  // a pipe whose end is closed: all are to end
    std::list<std::thread> threads_;
    std::list<Job> jobs_;
};

}  // namespace tool
