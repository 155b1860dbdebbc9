// A program with topics and rules between two peers that have the key and send any frames of topics: nobody gets what it may not, and
// all that was told, counted and drawn comes to its end.
#include <cstdio>
#include <cstdlib>
#include <map>

#include "protocol/topic_program.h"

using namespace sealwire;
using namespace sealwire::test;

namespace {

constexpr std::string_view kNames[] = {"news", "news/a", "chat", "quiet"};

void require(bool good, const char* what) {
    if (good) return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

TopicOptions options_from(uint8_t byte) {
    TopicOptions options;
    options.slow = static_cast<SlowPeers>(byte >> 4 & 3);
    options.queue = byte & 128 ? 4'000 : options.queue;
    options.credit = kLeastTopicCredit;
    options.publish_only = (byte & 64) != 0;
    options.keep_last = (byte & 4) != 0;
    options.want_last = (byte & 8) != 0;
    return options;
}

std::optional<TopicRules> rules_from(uint8_t byte) {
    if (byte % 5 == 0) return std::nullopt;
    const auto verdict = [](unsigned bits) { return static_cast<TopicVerdict>(bits % 3); };
    const auto rights = static_cast<uint8_t>(1 + byte % 3);
    std::vector<TopicRule> rules = {{"news*", keys().bob.id(), rights, verdict(byte >> 2)}};
    if (byte & 64) rules.push_back({"**", std::nullopt, topic_right::join | topic_right::publish, verdict(byte >> 4)});
    return TopicRules(std::move(rules));
}

// An alias of those that there are; seldom another.
uint64_t alias_of(uint8_t byte, uint64_t made) { return byte == 255 || made == 0 ? byte : byte % made; }

// A frame that the peer makes of two bytes. `joins`: that it has sent.
Frame frame_from(const Hand& hand, uint64_t joins, unsigned kind, uint8_t byte, Bytes tag, Bytes body) {
    std::vector<const Frame*> heard;
    for (const OwnedFrame& each : hand.heard) {
        if (each.frame.kind == FrameKind::join) heard.push_back(&each.frame);
    }
    Frame frame{.kind = FrameKind::pad};
    switch (kind) {
        case 0:
            frame.kind = FrameKind::join;
            frame.flags = byte >> 2 & 3;
            frame.amount = byte & 64 ? 200'000 : byte & 32 ? 100 : 0;
            frame.body = tag;
            break;
        case 1:
            if (byte != 255 && joins == 0) break;
            frame.kind = FrameKind::leave;
            frame.id = alias_of(byte, joins);
            break;
        case 2:
            if (byte != 255 && heard.empty()) break;
            frame.kind = FrameKind::joined;
            frame.id = alias_of(byte, heard.size());
            frame.code = byte < 200 ? 0 : byte % 8u;
            break;
        case 3:
            if (byte != 255 && joins == 0) break;
            frame.kind = FrameKind::credit_topic;
            frame.id = alias_of(byte, joins);
            frame.amount = 1 + byte * 1'000u;
            break;
        default:
            if (byte != 255 && heard.empty()) break;
            frame.id = alias_of(byte, heard.size());
            if (byte != 255 && heard[frame.id]->has(join_flag::publisher)) break;
            frame.kind = FrameKind::publish;
            frame.flags = publish_flag::first | publish_flag::last;
            if (byte % 16 == 15) frame.flags ^= byte & 128 ? publish_flag::first : publish_flag::last;
            frame.total = byte & 16 ? 3 * body.size() : 100'000;
            frame.body = body;
    }
    return frame;
}

// A message comes under an alias that was agreed to, and that neither end has ended.
void check_heard(const Hand& hand) {
    std::map<uint64_t, bool> agreed;
    for (const OwnedFrame& each : hand.heard) {
        const Frame& frame = each.frame;
        if (frame.kind == FrameKind::joined) agreed[frame.id] = frame.code == 0;
        if (frame.kind == FrameKind::publish) require(agreed[frame.id], "a message for one that may not have it");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const Block kBody(40'000, 'b');
    Budget budget(1 << 20, 1 << 20);
    TopicProgram program(&budget);
    Hand* const hands[] = {&program.session(), &program.session({}, 3)};
    std::vector<TopicHandle*> handles;
    uint64_t joins[2] = {};
    size_t current = 0;
    for (size_t at = 0; at + 1 < size; at += 2) {
        const unsigned step = data[at] % 16u;
        const uint8_t byte = data[at + 1];
        Hand& hand = *hands[current];
        TopicHandle* const handle = handles.empty() ? nullptr : handles[byte % handles.size()];
        const bool open = !hand.end.closed();
        const TopicTag tag = topic_tag(keys().network.psk(), kNames[byte % std::size(kNames)]);
        switch (step) {
            case 0:
                if (handles.size() < 64) handles.push_back(&program.join(kNames[byte % 4], options_from(byte)));
                break;
            case 1:
                if (handle) (void)program.topics.leave(*handle);
                break;
            case 2:
            case 3:
                if (handle) program.publish(*handle, as_text(Bytes(kBody).first(byte & 128 ? kBody.size() : byte)));
                break;
            case 4: program.topics.set_rules(rules_from(byte)); break;
            case 5: (void)program.topics.decide(tag, 1 + current, byte >> 2 & 3); break;
            case 6:
            case 7:
            case 8:
            case 9:
            case 10:
            case 11:
                if (open) {
                    const Bytes body = Bytes(kBody).first(byte & 8 ? 30'000 : byte % 8);
                    const Frame frame = frame_from(hand, joins[current], step - 6, byte, tag, body);
                    joins[current] += frame.kind == FrameKind::join;
                    hand.send(frame);
                }
                break;
            case 12: hand.end.takes = (byte & 1) != 0; break;
            case 13: hand.end.transport_full = (byte & 3) == 0; break;
            case 14:
                if (byte < 32 && open) hand.end.connection->transport_ended(hand.now);
                else if (byte < 64 && open) hand.end.connection->close(hand.now, 0, {}, kSecond);
                else hand.end.give_back(hand.now);
                break;
            default: current = byte % 2;
        }
        hand.drive();
        program.serve();
    }
    for (TopicHandle* handle : handles) {
        if (handle->topic != 0) program.topics.leave(*handle);
    }
    for (Hand* hand : hands) {
        hand->end.transport_full = false;
        if (!hand->end.closed()) hand->end.connection->transport_ended(hand->now);
        hand->drive();
        hand->wait(60 * kSecond);
        check_heard(*hand);
        hand->end.connection->drop_topics();
    }
    program.serve();
    require(program.told(TopicEvent::Kind::left) == handles.size(), "a join without its last event");
    require(program.told(TopicEvent::Kind::joined) <= handles.size(), "a join that was told of twice");
    const size_t came = program.told(TopicEvent::Kind::member_joined),
                 went = program.told(TopicEvent::Kind::member_left);
    require(went <= came, "more members left than joined");
    require(budget.sending.used() == 0, "memory that was not given back");
    return 0;
}
