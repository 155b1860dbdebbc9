// Keys of requests, and the answers of some of them, each with a bound of number, bytes and time.
#include "node/answers.h"

#include <algorithm>

namespace sealwire {

Answers::Found Answers::begin(const PeerId& peer, Bytes key, Place place, bool storable, Time now, Answer& answer) {
    expire(now);
    std::string of_peer(reinterpret_cast<const char*>(peer.bytes.data()), peer.bytes.size());
    std::string name = of_peer + std::string(as_text(key));
    if (const auto found = index_.find(name); found != index_.end()) {
        const At entry = found->second;
        if (entry->running) {
            entry->waiting.push_back(place);
            waiting_.emplace(place, entry);
            return Found::runs;
        }
        answer = entry->answer;
        return answer ? Found::answer : Found::gone;
    }
    if (index_.size() >= kMaxKeys && !make_room(of_peer)) return Found::fresh;  // all run: this one is not known again
    const At entry = entries_.emplace(entries_.end());
    entry->peer = of_peer;
    entry->name = name;
    entry->place = place;
    entry->since = now;
    entry->storable = storable;
    std::list<At>& own = peers_[of_peer];
    entry->of_peer = own.insert(own.end(), entry);
    entry->stored = stored_.end();
    index_.emplace(std::move(name), entry);
    running_.emplace(place, entry);
    return Found::fresh;
}

Answers::Waiting Answers::finish(Place place, Answer answer, Time now) {
    const auto found = running_.find(place);
    if (found == running_.end()) return {};
    const At entry = found->second;
    Waiting waiting{end(entry, now), entry->storable};
    if (answer && entry->storable && answer->size() <= kMaxAnswerBytes) {
        bytes_ += answer->size();
        entry->answer = std::move(answer);
        entry->stored = stored_.insert(stored_.end(), entry);
        while (stored_.size() > kMaxAnswers || bytes_ > kMaxAnswerBytes) drop_answer(stored_.front());
    }
    expire(now);
    return waiting;
}

bool Answers::cut(Place place, Time now, std::vector<Place>& waited) {
    if (const auto found = waiting_.find(place); found != waiting_.end()) {
        std::vector<Place>& all = found->second->waiting;
        all.erase(std::find(all.begin(), all.end(), place));
        waiting_.erase(found);
        return true;
    }
    if (const auto found = running_.find(place); found != running_.end()) waited = end(found->second, now);
    return false;
}

// It is over: the last of its peer's, and of all, in the order of their ends.
std::vector<Answers::Place> Answers::end(At entry, Time now) {
    entry->running = false;
    entry->since = now;
    running_.erase(entry->place);
    entries_.splice(entries_.end(), entries_, entry);
    std::list<At>& own = peers_[entry->peer];
    own.splice(own.end(), own, entry->of_peer);
    for (const Place& place : entry->waiting) waiting_.erase(place);
    return std::exchange(entry->waiting, {});
}

void Answers::expire(Time now) {
    while (!stored_.empty() && now - stored_.front()->since >= kAnswerTime) drop_answer(stored_.front());
    // Behind one that runs others may wait for their end longer than they have to: the bound of their number holds.
    while (!entries_.empty() && !entries_.front().running && now - entries_.front().since >= kKeyTime) {
        forget(entries_.begin());
    }
    if (!entries_.empty() && entries_.front().running && now - entries_.front().since >= kKeyTime) {
        entries_.front().since = now;
        entries_.splice(entries_.end(), entries_, entries_.begin());
    }
}

// A peer that uses many makes room by its own oldest, not by those of others.
bool Answers::make_room(const std::string& peer) {
    if (const auto own = peers_.find(peer); own != peers_.end()) {
        if (const At oldest = own->second.front(); !oldest->running) return forget(oldest), true;
    }
    if (entries_.front().running) return false;
    return forget(entries_.begin()), true;
}

void Answers::drop_answer(At entry) {
    bytes_ -= entry->answer->size();
    entry->answer.reset();
    stored_.erase(entry->stored);
    entry->stored = stored_.end();
}

void Answers::forget(At entry) {
    if (entry->answer) drop_answer(entry);
    index_.erase(entry->name);
    const auto own = peers_.find(entry->peer);
    own->second.erase(entry->of_peer);
    if (own->second.empty()) peers_.erase(own);
    entries_.erase(entry);
}

}  // namespace sealwire
