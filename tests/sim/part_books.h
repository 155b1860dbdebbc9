// What a simulated program knows of the parts it sends and receives, and how badly it treats them.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "protocol/outbox.h"
#include "sim/world.h"

namespace sealwire::sim {

class PartBooks {
public:
    using Key = std::pair<uint64_t, uint64_t>;  // exchange and part

    explicit PartBooks(SeededRng& rng) : rng_(rng) {}

    // Parts for a message that is about to be sent, with `most` bytes each; and, when it was taken, their numbers.
    std::vector<PartHead> make(size_t most);
    void sent(uint64_t exchange, const std::vector<PartHead>& heads, const uint64_t* numbers);
    // Told with a message.
    void came(Time now, const Event& event, unsigned unread);
    void data(const Event& event);
    void done(const Event& event);
    void writable(const Event& event);
    void exchange_over(uint64_t exchange);

    // Writes, reads, stops; all of what is left when `settling`.
    void act(Time now, Outbox& outbox, bool settling);
    Time next() const;
    bool empty() const { return out_.empty() && in_.empty(); }
    std::string complaint;
    uint64_t parts = 0, bytes = 0, whole = 0, agains = 0;

private:
    struct Out {
        uint64_t serial, total, written = 0;
        Time at = 0;
        bool blocked = false, ended = false;
    };
    struct In {
        uint64_t serial, total, got = 0;
        Time at = kNever;  // of the next command; kNever: none
        bool stops = false, all = false;
    };
    void complain(const std::string& text) {
        if (complaint.empty()) complaint = text;
    }
    void write(Time now, const Key& key, Out& part, Outbox& outbox, bool settling);
    bool refused(Errc errc, const char* what);

    SeededRng& rng_;
    uint64_t next_serial_ = 1;
    std::deque<std::string> names_;
    std::map<Key, Out> out_;
    std::map<Key, In> in_;
};

}  // namespace sealwire::sim
