// SealedTopic: what a node keeps of a topic with a secret: its seal, its place among its publishers, and what it has heard of others.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/errc.h"
#include "node/half_open.h"
#include "protocol/topic_heard.h"
#include "protocol/topic_log.h"
#include "protocol/topic_seal.h"

namespace sealwire {

// All joins of a node with one name and secret share it. Any thread.
class SealedTopic {
public:
    SealedTopic(const Secret<32>& secret, std::string_view name, std::shared_ptr<const Identity> identity, Rng& rng);

    const std::string& name() const { return name_; }
    const TopicTag& tag() const { return seal_.tag(); }

    // Has `give` take it sealed, and counts it unless that fails. Messages are given in the order of their numbers.
    template <class Give>
    Errc publish(const TopicMessage& message, Give give) {
        const std::lock_guard lock(publishing_);
        TopicMessage sealed = message;
        const ChunkRef chunk = seal(message);
        sealed.body = {chunk->data(), chunk->capacity()};
        sealed.owner = sealed.body.size() > TopicLog::kSharing ? chunk.get() : nullptr;
        sealed.type = 0;  // as its body, only members see that
        Errc errc = Errc::ok;
        try {
            errc = give(sealed);
        } catch (...) {  // it may have been taken nevertheless
            count(message);
            throw;
        }
        if (errc == Errc::ok) count(message);
        return errc;
    }

    struct Message {
        ChunkRef chunk;  // keeps the body
        TopicSeal::Opened opened;
        uint64_t dropped = 0;
    };
    struct Refused {
        const char* why = nullptr;  // null: it is for the application
        bool known = false;         // it has been here: as when it comes in two ways
        explicit operator bool() const { return why != nullptr; }
    };
    // What `peer` has sent. `since`: of those whom it is for (TopicAudience).
    Refused open(Bytes sealed, const PeerId& peer, bool last_value, uint64_t since, Message& out);
    LogPace& refused_log(bool known) { return known ? known_log_ : refused_log_; }

    size_t handles = 0;  // the owner's, with its lock

private:
    ChunkRef seal(const TopicMessage& message);
    void count(const TopicMessage& message);

    const std::string name_;
    const TopicSeal seal_;
    const std::shared_ptr<const Identity> identity_;
    Rng& rng_;
    TopicOrigin origin_{};   // does not change
    std::mutex publishing_;  // guards next_; taken before the lock of the node's topics
    TopicNote next_;         // of what is published next
    std::mutex hearing_;     // guards heard_
    TopicHeard heard_;
    LogPace refused_log_, known_log_;
};

}  // namespace sealwire
