// Answers that are given again: what was answered is copied, and said once more to who waits, or asks later.
#include "node/shared_answers.h"

#include <chrono>

#include "node/peer.h"

namespace sealwire {

namespace {

Time now() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

// Null: there is none any more. One that has gone meanwhile hears nothing.
void say(const Answers::Place& place, const StoredAnswer* answer) {
    const auto [peer, number] = place;
    if (!answer) {
        Peer::status(peer, number, static_cast<uint32_t>(WireCode::outcome_unknown), {}, {}, 0);
    } else if (answer->status) {
        Peer::status(peer, number, answer->code, answer->text, answer->body.bytes, answer->type);
    } else {
        OutMessage message;
        message.body = answer->body.bytes;
        message.type = answer->type;
        message.tlvs = answer->tlvs.get();
        Peer::reply(peer, number, message, nullptr);
    }
}

}  // namespace

bool SharedAnswers::begin(const PeerId& peer, Bytes key, Answers::Place place, bool storable) {
    Answers::Answer answer;
    Answers::Found found;
    {
        const std::lock_guard lock(mutex_);
        found = answers_.begin(peer, key, place, storable, now(), answer);
    }
    if (found == Answers::Found::answer || found == Answers::Found::gone) say(place, answer.get());
    return found != Answers::Found::fresh;
}

bool SharedAnswers::runs(Answers::Place place) {
    const std::lock_guard lock(mutex_);
    return answers_.runs(place);
}

void SharedAnswers::answered(Answers::Place place, const OutMessage& message) {
    if (!runs(place)) return;
    if (!message.parts.empty()) return finish(place, nullptr);
    auto answer = std::make_shared<StoredAnswer>();
    answer->type = message.type;
    answer->body = View::copy_of(message.body);
    answer->tlvs = ChunkRef::share(message.tlvs);
    finish(place, answer);
}

void SharedAnswers::answered(Answers::Place place, uint32_t code, std::string_view text, Bytes details, uint8_t type) {
    if (!runs(place)) return;
    auto answer = std::make_shared<StoredAnswer>();
    answer->status = true;
    answer->code = code;
    answer->text = text;
    answer->type = type;
    answer->body = View::copy_of(details);
    finish(place, answer);
}

void SharedAnswers::finish(Answers::Place place, const Answers::Answer& answer) {
    Answers::Waiting waiting;
    {
        const std::lock_guard lock(mutex_);
        waiting = answers_.finish(place, answer, now());
    }
    for (const Answers::Place& one : waiting.places) say(one, waiting.storable ? answer.get() : nullptr);
}

bool SharedAnswers::cut(Answers::Place place) {
    std::vector<Answers::Place> waited;
    {
        const std::lock_guard lock(mutex_);
        if (answers_.cut(place, now(), waited)) return true;
    }
    for (const Answers::Place& one : waited) say(one, nullptr);
    return false;
}

}  // namespace sealwire
