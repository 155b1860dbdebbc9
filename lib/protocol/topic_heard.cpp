// Replays and gaps of what several publish.
#include "protocol/topic_heard.h"

#include <algorithm>

#include "crypto/hash.h"

namespace sealwire {

size_t TopicHeard::Hash::operator()(const PeerId& of) const { return static_cast<size_t>(table_hash(key, of.bytes)); }

TopicHeard::Heard* TopicHeard::find(const TopicNote& note) {
    const auto publisher = heard_.find(note.publisher);
    if (publisher == heard_.end()) return nullptr;
    for (Heard& one : publisher->second.origins) {
        if (one.origin == note.origin) return &one;
    }
    return nullptr;
}

TopicHeard::Verdict TopicHeard::look(const TopicNote& note, bool proved, uint64_t now_ms) {
    if (const Heard* const heard = find(note)) return note.number > heard->number ? Verdict::fresh : Verdict::replay;
    if (proved) return Verdict::fresh;
    const auto publisher = heard_.find(note.publisher);
    if (publisher != heard_.end() && note.time_ms <= publisher->second.floor_ms) return Verdict::stale;
    const uint64_t off = std::max(note.time_ms, now_ms) - std::min(note.time_ms, now_ms);
    return off <= kWindow ? Verdict::fresh : Verdict::stale;
}

TopicHeard::Taken TopicHeard::take(const TopicNote& note, bool proved, uint64_t now_ms) {
    const Verdict verdict = look(note, proved, now_ms);
    if (verdict != Verdict::fresh) return {verdict};
    if (Heard* const heard = find(note)) {
        const bool known = heard->since == since_ && note.before > heard->next;
        const uint64_t dropped = known ? note.before - heard->next : 0;
        note_heard(*heard, note, now_ms);
        return {Verdict::fresh, false, dropped};
    }
    if (!make_room(note, now_ms)) return {Verdict::stale};
    Heard heard{.origin = note.origin};
    note_heard(heard, note, now_ms);
    heard_[note.publisher].origins.push_back(heard);
    ++size_;
    return {Verdict::fresh, true};
}

uint64_t TopicHeard::take_last(const TopicNote& note, uint64_t now_ms) {
    const Heard* const heard = find(note);
    return heard && note.number <= heard->number ? 0 : take(note, true, now_ms).dropped;
}

void TopicHeard::note_heard(Heard& heard, const TopicNote& note, uint64_t now_ms) const {
    heard.number = note.number;
    heard.next = note.before + (note.to_some ? 0 : 1);
    heard.since = since_;
    heard.time_ms = std::max(heard.time_ms, std::min(note.time_ms, now_ms + kWindow));
}

bool TopicHeard::make_room(const TopicNote& note, uint64_t now_ms) {
    // Who begins anew again and again pushes out its own alone.
    if (const auto own = heard_.find(note.publisher); own != heard_.end()) {
        std::vector<Heard>& origins = own->second.origins;
        const auto older = [](const Heard& a, const Heard& b) { return a.time_ms < b.time_ms; };
        if (origins.size() >= kMostOfOne) {
            const auto oldest = std::min_element(origins.begin(), origins.end(), older);
            own->second.floor_ms = std::max(own->second.floor_ms, oldest->time_ms);
            origins.erase(oldest);
            --size_;
        }
    }
    if (size_ < kMost) return true;
    if (now_ms - looked_ms_ < kWindow / 10) return false;  // that looks at all of them
    looked_ms_ = now_ms;
    // What has said nothing for so long has said only what is stale by now.
    const auto is_over = [&](uint64_t time_ms) { return time_ms < now_ms && now_ms - time_ms > kWindow; };
    for (auto& [id, publisher] : heard_) {
        size_ -= std::erase_if(publisher.origins, [&](const Heard& one) { return is_over(one.time_ms); });
    }
    std::erase_if(heard_, [&](const auto& one) { return one.second.origins.empty() && is_over(one.second.floor_ms); });
    return size_ < kMost;
}

}  // namespace sealwire
