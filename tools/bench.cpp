// sealwire bench: how fast a peer that echoes is reached: round trips, requests that overlap, messages without an answer.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "command.h"
#include "output.h"
#include "session.h"

namespace tool {
namespace {

using Clock = std::chrono::steady_clock;

int64_t microseconds(Clock::duration time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

// What one measurement has come to.
struct Measured {
    std::vector<uint64_t> trips;  // of requests, in microseconds
    uint64_t messages = 0;
    Clock::duration took{};
};

// `begun` requests at once for a while, each answered one followed by the next; or as many messages as there is room for.
class Load {
public:
    Load(std::string route, size_t size, Clock::duration time)
        : route_(std::move(route)), body_(size, 'x'), time_(time) {}

    // Runs in the handlers and in `over` of run_until, all on one thread.
    void start_requests(const sealwire::peer& peer, uint32_t outstanding) {
        begin();
        for (uint32_t i = 0; i < outstanding; ++i) ask(peer);
    }
    bool requests_over(const sealwire::peer& peer) {
        if (Clock::now() >= end_) held_ = 0;
        for (uint64_t room = held_; room > 0; --room) {
            --held_;
            if (!ask(peer)) break;
        }
        return failure || running_ + held_ == 0;
    }
    void start_messages() { begin(); }
    // A request behind the last message: its answer says that all have been taken.
    bool messages_over(const sealwire::peer& peer) {
        while (Clock::now() < end_ && peer.try_send(route_, body_)) ++measured_.messages;
        if (Clock::now() < end_) return failure.has_value();  // WRITABLE follows
        if (!last_asked_) last_asked_ = ask(peer, true);
        return failure || (last_asked_ && running_ == 0);
    }
    Measured take() { return std::move(measured_); }

    struct Failure {
        sw_result result;
        uint32_t code;
        std::string words;
    };
    std::optional<Failure> failure;

private:
    void begin() {
        measured_ = {};
        held_ = 0;
        last_asked_ = false;
        began_ = Clock::now();
        end_ = began_ + time_;
    }
    // False: there is no room.
    bool ask(const sealwire::peer& peer, bool last = false) {
        const Clock::time_point sent = Clock::now();
        try {
            peer.request(route_, last ? std::string_view() : std::string_view(body_),
                         [this, peer, sent, last](const sealwire::outcome& done) {
                             --running_;
                             on_done(peer, sent, last, done);
                         });
        } catch (const sealwire::error& error) {
            if (error.code() == SW_ERR_AGAIN) {
                if (!last) ++held_;  // WRITABLE follows
                return false;
            }
            // It has gone: its last event, which says why, is on its way.
            if (error.code() != SW_ERR_CLOSED && error.code() != SW_ERR_HANDLE) throw;
            return false;
        }
        ++running_;
        return true;
    }
    void on_done(const sealwire::peer& peer, Clock::time_point sent, bool last, const sealwire::outcome& done) {
        if (done.result() != SW_OK) {
            if (!failure) failure = Failure{done.result(), done.code(), std::string(done.text())};
            return;
        }
        const Clock::time_point now = Clock::now();
        measured_.took = now - began_;
        if (last) return;
        measured_.trips.push_back(static_cast<uint64_t>(microseconds(now - sent)));
        if (now < end_) ask(peer);
    }

    const std::string route_, body_;
    const Clock::duration time_;
    Clock::time_point began_, end_;
    Measured measured_;
    uint64_t running_ = 0;
    uint64_t held_ = 0;  // requests that wait for room
    bool last_asked_ = false;
};

int64_t a_second(uint64_t count, Clock::duration took) {
    return std::llround(static_cast<double>(count) * 1e6 /
                        static_cast<double>(std::max<int64_t>(microseconds(took), 1)));
}

uint64_t part_of(const std::vector<uint64_t>& sorted, double share) {
    return sorted.empty() ? 0 : sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
}

class Bench {
public:
    explicit Bench(const Arguments& arguments)
        : json_(arguments.json()),
          size_(arguments.number("--size", 64, 16 << 20)),
          outstanding_(arguments.number("--outstanding", 100, 10000)),
          load_(arguments.value("--route", "bench"), size_,
                std::chrono::milliseconds(arguments.duration_ms("--seconds", 2000))),
          client_(arguments, arguments.need(0, "ticket")) {}

    int run() {
        if (const int failed = client_.connect()) return failed;
        for (const uint32_t outstanding : {1U, outstanding_}) {
            load_.start_requests(client_.peer(), outstanding);
            if (const int failed = wait([&] { return load_.requests_over(client_.peer()); })) return failed;
            tell_requests(outstanding);
            if (outstanding_ == 1) break;
        }
        load_.start_messages();
        if (const int failed = wait([&] { return load_.messages_over(client_.peer()); })) return failed;
        tell_messages();
        client_.close();
        return kDone;
    }

private:
    int wait(const std::function<bool()>& over) {
        if (const int failed = client_.run_until(over)) return failed;
        if (!load_.failure) return kDone;
        client_.close();
        return explain({.result = load_.failure->result,
                        .where = client_.connected().address,
                        .code = load_.failure->code,
                        .words = load_.failure->words},
                       json_);
    }
    void tell_requests(uint32_t outstanding) {
        Measured all = load_.take();
        std::sort(all.trips.begin(), all.trips.end());
        const uint64_t count = all.trips.size(), p50 = part_of(all.trips, 0.5), p99 = part_of(all.trips, 0.99);
        if (json_) {
            Json()
                .text("event", "requests")
                .number("size", size_)
                .number("outstanding", outstanding)
                .number("count", static_cast<int64_t>(count))
                .number("time_us", microseconds(all.took))
                .number("per_second", a_second(count, all.took))
                .number("p50_us", static_cast<int64_t>(p50))
                .number("p99_us", static_cast<int64_t>(p99))
                .print();
            return;
        }
        std::printf("requests, %u at once: %lld a second; round trip %s ms, 99 of 100 within %s ms\n", outstanding,
                    static_cast<long long>(a_second(count, all.took)), milliseconds(p50).c_str(),
                    milliseconds(p99).c_str());
        std::fflush(stdout);
    }
    void tell_messages() {
        const Measured all = load_.take();
        const int64_t bytes = a_second(all.messages * size_, all.took);
        if (json_) {
            Json()
                .text("event", "messages")
                .number("size", size_)
                .number("count", static_cast<int64_t>(all.messages))
                .number("time_us", microseconds(all.took))
                .number("per_second", a_second(all.messages, all.took))
                .number("bytes_per_second", bytes)
                .print();
            return;
        }
        std::printf("messages without an answer: %lld a second, %.1f MB a second\n",
                    static_cast<long long>(a_second(all.messages, all.took)), static_cast<double>(bytes) / 1e6);
    }

    const bool json_;
    const uint32_t size_, outstanding_;
    Load load_;  // outlives the client, whose handlers write it
    Client client_;
};

int run_bench(const Arguments& arguments) {
    arguments.at_most(1);
    return Bench(arguments).run();
}

}  // namespace

const Command kBench{
    "bench",
    "TICKET",
    "measure how fast a peer is reached",
    "Sends to the peer of TICKET, which has to answer: `sealwire listen --echo --quiet`, or a program with such a "
    "route.\n"
    "Measures requests one at a time, many at once, and messages without an answer, until the peer has taken the last.",
    with_node_options({{"--size", "BYTES", "of each body (64)"},
                       {"--outstanding", "N", "requests at once (100)"},
                       {"--seconds", "SECONDS", "for each of the three measurements (2)"},
                       {"--route", "ROUTE", "where they are sent to (bench)"}},
                      true),
    run_bench};

}  // namespace tool
