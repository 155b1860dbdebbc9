// A hub between another hub and two clients that have the key and send any frames of topics: what is passed on goes to members, each
// message once, in order and not back; and when all have gone nothing is kept.
#include <cstdio>
#include <cstdlib>
#include <map>

#include "protocol/topic_program.h"

using namespace sealwire;
using namespace sealwire::test;

namespace {

constexpr std::string_view kNames[] = {"news", "chat"};
constexpr size_t kHands = 3;  // the first one is the other hub

void require(bool good, const char* what) {
    if (good) return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

PeerId id_of(size_t number) {
    PeerId id;
    id.bytes.fill(static_cast<uint8_t>(number + 1));
    return id;
}

TopicTag tag_of_bit(uint8_t byte) { return tag_of(kNames[byte & 1]); }

struct Peer {
    Hand* hand = nullptr;
    uint64_t joins = 0;
    uint64_t numbers[2] = {};

    // Of JOINs and REACHs that it has heard.
    std::vector<const Frame*> heard(FrameKind kind) const {
        std::vector<const Frame*> found;
        for (const OwnedFrame& each : hand->heard) {
            if (each.frame.kind == kind) found.push_back(&each.frame);
        }
        return found;
    }
};

// Kept by the caller while the frame is.
struct Made {
    Frame frame{.kind = FrameKind::pad};
    TopicTag tag{};
    TopicOrigin origin{};
    TopicWave wave{};
};

void make_publish(Made& made, Peer& peer, size_t number, uint8_t byte, Bytes body) {
    const std::vector<const Frame*> joins = peer.heard(FrameKind::join);
    if (joins.empty()) return;
    Frame& frame = made.frame;
    frame.kind = FrameKind::publish;
    frame.id = byte % joins.size();
    if (joins[frame.id]->has(join_flag::publisher))
        return static_cast<void>(made.frame = Frame{.kind = FrameKind::pad});
    frame.flags = publish_flag::first | publish_flag::last | (byte & 128 ? 0 : publish_flag::routed);
    frame.body = body;
    std::copy(joins[frame.id]->body.begin(), joins[frame.id]->body.end(), made.tag.begin());
    // The hub speaks for others, also for those that are here, clients for themselves, or for others where they may not.
    const size_t of = number == 0 || byte & 64 ? byte >> 4 & 7 : number;
    made.origin = topic_origin(id_of(of), made.tag, byte & 32 ? 7 : 8);
    frame.tlvs = made.origin;
    frame.route = 1 + (byte >> 5 & 1);
    frame.number = peer.numbers[frame.id & 1] += byte & 3;
    frame.code = 1 + byte % 8;
}

void make(Made& made, Peer& peer, size_t number, unsigned kind, uint8_t byte, Bytes body) {
    Frame& frame = made.frame;
    made.tag = tag_of_bit(byte);
    made.wave[0] = byte & 15;
    switch (kind) {
        case 0:
            frame.kind = FrameKind::join;
            frame.flags = byte & 2 ? join_flag::publisher : byte & 4 ? join_flag::hub : 0;
            frame.number = 1 + (byte >> 4) % 7u;
            frame.amount = byte & 2 ? 0 : 200'000;
            frame.body = made.tag;
            ++peer.joins;
            return;
        case 1:
            if (peer.joins == 0) return;
            frame.kind = FrameKind::leave;
            frame.id = byte % peer.joins;
            return;
        case 2: {
            const size_t joins = peer.heard(FrameKind::join).size();
            if (joins == 0) return;
            frame.kind = FrameKind::joined;
            frame.id = byte % joins;
            frame.code = byte < 230 ? 0 : 7;
            if (frame.code != 0 || (byte & 1) == 0) return;
            frame.flags = joined_flag::origin;
            made.origin = topic_origin(id_of(number), made.tag, 7);
            frame.tlvs = made.origin;
            frame.number = byte & 7;
            return;
        }
        case 3:
            if (peer.joins == 0) return;
            frame.kind = FrameKind::distance;
            frame.id = byte % peer.joins;
            frame.number = 1 + (byte >> 4) % 7u;
            return;
        case 4:
            frame.kind = FrameKind::reach;
            frame.tlvs = made.wave;
            frame.body = made.tag;
            return;
        case 5: {
            const std::vector<const Frame*> asked = peer.heard(FrameKind::reach);
            frame.kind = FrameKind::reached;
            frame.tlvs = asked.empty() ? Bytes(made.wave) : asked[byte % asked.size()]->tlvs;
            return;
        }
        default: make_publish(made, peer, number, byte, body);
    }
}

using Place = std::pair<uint64_t, uint64_t>;

// Of one origin under one alias places only go up.
void check_heard(const Hand& hand) {
    std::map<std::pair<uint64_t, Block>, Place> last;
    for (const OwnedFrame& each : hand.heard) {
        const Frame& frame = each.frame;
        if (frame.kind != FrameKind::publish || !frame.has(publish_flag::routed)) continue;
        const Place place{frame.route, frame.number};
        const auto [found, first] = last.try_emplace({frame.id, Block(frame.tlvs.begin(), frame.tlvs.end())}, place);
        require(first || found->second < place, "a message that was passed on twice, or out of order");
        found->second = place;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const Block kBody(9'000, 'b');
    Budget budget(1 << 20, 1 << 20);
    TopicProgram program(&budget, {.self = id_of(9), .hub = true, .hubs = {id_of(0)}, .queue = 100'000, .start_ms = 7});
    Peer peers[kHands];
    Limits few;
    few.topics = 8;
    for (size_t i = 0; i < kHands; ++i) peers[i].hand = &program.session(few, 8, id_of(i));
    std::vector<TopicHandle*> handles;
    size_t current = 0;
    for (size_t at = 0; at + 1 < size; at += 2) {
        const unsigned step = data[at] % 16u;
        const uint8_t byte = data[at + 1];
        Peer& peer = peers[current];
        Hand& hand = *peer.hand;
        TopicHandle* const handle = handles.empty() ? nullptr : handles[byte % handles.size()];
        if (step == 0 && handles.size() < 16) {
            handles.push_back(&program.join(kNames[byte & 1], {.publish_only = (byte & 2) != 0}));
        } else if (step == 1 && handle) {
            (void)program.topics.leave(*handle);
        } else if (step == 2 && handle) {
            program.publish(*handle, as_text(Bytes(kBody).first(byte)));
        } else if (step == 3) {
            hand.end.transport_full = (byte & 3) == 0;
        } else if (step == 4 && !hand.end.closed() && byte < 32) {
            hand.end.connection->transport_ended(hand.now);
        } else if (step >= 13) {
            current = byte % kHands;
        } else if (!hand.end.closed()) {
            Made made;
            make(made, peer, current, (step - 5) % 8, byte, Bytes(kBody).first(byte & 8 ? kBody.size() : byte & 7));
            hand.send(made.frame);
        }
        hand.drive();
        program.serve();
    }
    for (TopicHandle* handle : handles) {
        if (handle->topic != 0) program.topics.leave(*handle);
    }
    for (const Peer& peer : peers) {
        peer.hand->end.transport_full = false;
        if (!peer.hand->end.closed()) peer.hand->end.connection->transport_ended(peer.hand->now);
        peer.hand->drive();
        peer.hand->wait(60 * kSecond);
        check_heard(*peer.hand);
        peer.hand->end.connection->drop_topics();
    }
    program.serve();
    require(program.told(TopicEvent::Kind::left) == handles.size(), "a join without its last event");
    require(program.topics.size() == 0, "topics that nobody has joined are kept");
    require(budget.sending.used() == 0, "memory that was not given back");
    return 0;
}
