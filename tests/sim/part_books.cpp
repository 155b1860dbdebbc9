// Writers that stop in the middle, readers that read a little, never, or say no; and whether all of it adds up.
#include "sim/part_books.h"

#include <algorithm>

namespace sealwire::sim {

namespace {

uint8_t part_filling(uint64_t serial, uint64_t i) { return static_cast<uint8_t>(serial * 37 + i * 11 + i / 253); }

}  // namespace

std::vector<PartHead> PartBooks::make(size_t most) {
    std::vector<PartHead> heads(static_cast<size_t>(rng_.chance(5) ? rng_.between(1, kMaxParts) : rng_.between(1, 3)));
    names_.clear();
    for (PartHead& head : heads) {
        const uint64_t total = rng_.chance(15) ? 0 : rng_.below(most);
        names_.push_back(std::to_string(next_serial_++) + ":" + std::to_string(total));
        head.kind = rng_.chance(50) ? PartKind::file : PartKind::stream;
        head.name = names_.back();
        if (rng_.chance(50)) head.size = total;
    }
    return heads;
}

void PartBooks::sent(uint64_t exchange, const std::vector<PartHead>& heads, const uint64_t* numbers) {
    for (size_t i = 0; i < heads.size(); ++i) {
        Out part{};
        part.serial = std::stoull(std::string(heads[i].name));
        part.total = std::stoull(std::string(heads[i].name.substr(heads[i].name.find(':') + 1)));
        if (!out_.emplace(Key{exchange, numbers[i]}, part).second) complain("a part's number was used twice");
        ++parts;
    }
}

void PartBooks::came(Time now, const Event& event, unsigned unread) {
    for (uint32_t i = 0; i < event.part_count; ++i) {
        const PartInfo& info = event.parts[i];
        In part{};
        part.serial = std::stoull(std::string(info.name));
        part.total = std::stoull(std::string(info.name.substr(info.name.find(':') + 1)));
        if (info.size != kUnknownSize && info.size != part.total) complain("a part's size came altered");
        part.stops = rng_.chance(10);
        part.all = rng_.chance(60);
        part.at = rng_.chance(unread) ? kNever : now + static_cast<Time>(rng_.below(50'000));
        if (!in_.emplace(Key{event.number, info.number}, part).second) complain("a part came twice");
    }
}

void PartBooks::data(const Event& event) {
    const auto at = in_.find({event.number, event.first});
    if (at == in_.end()) return complain("bytes of a part that is over or never came");
    In& part = at->second;
    if (event.last_number != part.got) complain("bytes of a part left out or twice");
    for (const uint8_t byte : event.body) {
        if (byte != part_filling(part.serial, part.got++)) return complain("bytes of a part came altered");
    }
    bytes += event.body.size();
    if (part.got > part.total) complain("more bytes of a part than were sent");
}

void PartBooks::done(const Event& event) {
    if (event.errc == Errc::protocol || event.errc == Errc::flow || event.errc == Errc::limit) {
        complain("a part ended with " + std::string(describe(event.errc).name));
    }
    const Key key{event.number, event.first};
    if (const auto own = out_.find(key); own != out_.end()) {
        if (event.errc == Errc::ok && !own->second.ended) complain("a part ended well before its last byte");
        out_.erase(own);
        return;
    }
    const auto at = in_.find(key);
    if (at == in_.end()) return complain("the end of a part that is over or never came");
    if (event.errc == Errc::ok && at->second.got != at->second.total) complain("a part ended well and not whole");
    whole += event.errc == Errc::ok;
    in_.erase(at);
}

void PartBooks::writable(const Event& event) {
    const auto own = out_.find({event.number, event.first});
    if (own == out_.end() || !own->second.blocked) return complain("part_writable without again");
    own->second.blocked = false;
    own->second.at = 0;
}

void PartBooks::exchange_over(uint64_t exchange) {
    for (const auto& [key, part] : out_) {
        if (key.first == exchange) complain("an exchange ended before a part that it sends");
    }
    for (const auto& [key, part] : in_) {
        if (key.first == exchange) complain("an exchange ended before a part that it receives");
    }
}

bool PartBooks::refused(Errc errc, const char* what) {
    if (errc == Errc::ok) return false;
    // Over meanwhile, which an event on its way will tell.
    if (errc != Errc::handle && errc != Errc::closed) {
        complain(std::string(what) + " of a part gave " + std::string(describe(errc).name));
    }
    return true;
}

void PartBooks::write(Time now, const Key& key, Out& part, Outbox& outbox, bool settling) {
    if (!settling && rng_.chance(3)) {
        if (!refused(outbox.cancel_part(key.first, key.second, rng_.chance(50) ? 11 : 80), "cancel")) part.ended = true;
        part.at = kNever;
        return;
    }
    const uint64_t left = part.total - part.written;
    const uint64_t size = settling ? std::min<uint64_t>(left, 100'000) : std::min(left, rng_.below(60'000));
    const bool end = size == left && (settling || rng_.chance(70));
    if (size == 0 && !end) return;
    std::vector<uint8_t> piece(static_cast<size_t>(size));
    for (size_t i = 0; i < piece.size(); ++i) piece[i] = part_filling(part.serial, part.written + i);
    const Errc errc = outbox.write(key.first, key.second, {.bytes = piece, .end = end});
    if (errc == Errc::again) {
        part.blocked = true;
        ++agains;
    } else if (refused(errc, "write")) {
        part.at = kNever;
    } else {
        part.written += size;
        part.ended = end;
        if (end) part.at = kNever;
    }
    if (part.at != kNever) part.at = now + static_cast<Time>(settling ? 0 : rng_.below(20'000));
}

void PartBooks::act(Time now, Outbox& outbox, bool settling) {
    for (auto& [key, part] : out_) {
        for (int i = 0; i < (settling ? 100 : 1); ++i) {
            if (part.ended || part.blocked || part.at == kNever || (!settling && part.at > now)) break;
            write(now, key, part, outbox, settling);
        }
    }
    for (auto& [key, part] : in_) {
        if (part.at > now && !settling) continue;
        if (part.stops) {
            (void)refused(outbox.cancel_part(key.first, key.second, 71), "stop");
            part.at = kNever;
        } else if (part.all || settling) {
            (void)refused(outbox.read(key.first, key.second, kEverything), "read");
            part.at = kNever;
        } else {
            (void)refused(outbox.read(key.first, key.second, rng_.between(1, 20'000)), "read");
            part.at = now + static_cast<Time>(rng_.between(1, 50'000));
        }
    }
}

Time PartBooks::next() const {
    Time next = kNever;
    for (const auto& [key, part] : out_) {
        if (!part.ended && !part.blocked) next = std::min(next, part.at);
    }
    for (const auto& [key, part] : in_) next = std::min(next, part.at);
    return next;
}

}  // namespace sealwire::sim
