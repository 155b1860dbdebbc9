// Topics for sealwire.hpp: what a node publishes goes to all of its peers that have joined.
#ifndef SEALWIRE_TOPIC_HPP
#define SEALWIRE_TOPIC_HPP

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "basics.hpp"

namespace sealwire {

// A peer that has joined.
struct topic_member {
    sw_peer peer;
    peer_id id;
    bool publisher;  // nothing is for it
    bool hub;        // it is a hub, and has joined for others, maybe for itself, too
};

// Who may join and publish: sw_topic_rule, without its pointers.
struct topic_rule {
    std::string pattern;
    std::optional<peer_id> peer{};  // or each
    uint32_t rights = SW_TOPIC_JOIN | SW_TOPIC_PUBLISH;
    sw_verdict verdict = SW_ALLOW;
};

// The secret of a topic, for topic_options::secret.
inline std::string new_topic_secret() {
    char out[SW_TOPIC_SECRET_TEXT_SIZE];
    check(sw_topic_secret_generate(out));
    return out;
}
// That of a passphrase for the topic of that name. Takes about a second and 256 MiB.
inline std::string topic_secret_from_passphrase(std::string_view passphrase, std::string_view name) {
    char out[SW_TOPIC_SECRET_TEXT_SIZE];
    check(sw_topic_secret_from_passphrase(text_of(passphrase), text_of(name), out));
    return out;
}
inline void check_topic_secret(std::string_view secret) { check(sw_topic_secret_check(text_of(secret))); }

// A value: one join of a topic, whose handlers are in topic_options. Any thread.
class topic {
public:
    using filter_fn = std::function<bool(const topic_member&)>;

    topic() : raw_{} {}
    explicit topic(sw_topic raw) : raw_(raw) {}
    sw_topic raw() const { return raw_; }
    explicit operator bool() const { return raw_.value != 0; }

    // To all members, says for how many. With SW_SLOW_BLOCK it throws SW_ERR_AGAIN while members are slow.
    uint64_t publish(std::string_view body, sw_body_type type = SW_BODY_BYTES) const {
        uint64_t members = 0;
        sealwire::check(put(body, type, {}, nullptr, &members));
        return members;
    }
    // With SW_SLOW_BLOCK, false when members are slow: nothing was taken, and on_writable follows.
    bool try_publish(std::string_view body, sw_body_type type = SW_BODY_BYTES, uint64_t* members = nullptr) const {
        const sw_result result = put(body, type, {}, nullptr, members);
        if (result == SW_ERR_AGAIN) return false;
        sealwire::check(result);
        return true;
    }
    // To one member; 0: it has not joined.
    uint64_t publish_to(sw_peer member, std::string_view body, sw_body_type type = SW_BODY_BYTES) const {
        uint64_t members = 0;
        sealwire::check(put(body, type, member, nullptr, &members));
        return members;
    }
    // To those for which `filter` returns true, which it does here and without throwing.
    uint64_t publish_if(const filter_fn& filter, std::string_view body, sw_body_type type = SW_BODY_BYTES) const {
        uint64_t members = 0;
        sealwire::check(put(body, type, {}, &filter, &members));
        return members;
    }
    std::vector<topic_member> members() const {
        std::vector<topic_member> all;
        const filter_fn add = [&all](const topic_member& member) { return all.push_back(member), true; };
        sealwire::check(sw_topic_each_member(raw_, &call, user_of(add)));
        return all;
    }
    // on_left follows.
    void leave() const { sealwire::check(sw_topic_leave(raw_)); }
    friend bool operator==(const topic& a, const topic& b) { return a.raw_.value == b.raw_.value; }
    friend bool operator!=(const topic& a, const topic& b) { return !(a == b); }

private:
    static void* user_of(const filter_fn& filter) { return const_cast<void*>(static_cast<const void*>(&filter)); }
    static uint32_t call(const sw_member* member, void* user) {
        return (*static_cast<const filter_fn*>(user))(
                   {member->peer, member->id, member->publisher != 0, member->hub != 0})
                   ? 1
                   : 0;
    }
    sw_result put(std::string_view body, sw_body_type type, sw_peer to, const filter_fn* filter,
                  uint64_t* members) const {
        sw_publish_options options;
        sw_publish_options_init(&options);
        options.type = type;
        options.to = to;
        options.filter = filter ? &call : nullptr;
        options.filter_user = filter ? user_of(*filter) : nullptr;
        options.members = members;
        return sw_topic_publish(raw_, bytes_of(body), &options);
    }

    sw_topic raw_;
};

// Valid until its handler returns.
class topic_message {
public:
    explicit topic_message(const sw_event& event) : event_(event), message_(event.as.topic_message) {}
    sealwire::topic topic() const { return sealwire::topic(message_.topic); }
    std::string_view name() const { return view_of(message_.name); }
    sw_peer peer() const { return event_.peer; }  // that has sent it
    // Who has published it: the peer, or of a topic with a secret whoever has signed it, who need not be that. Without one, where a hub
    // has passed it on: the hub.
    peer_id id() const { return message_.id; }
    std::string_view body() const { return view_of(message_.body); }
    sw_body_type type() const { return static_cast<sw_body_type>(message_.type); }
    uint64_t number() const { return message_.number; }
    uint64_t dropped() const { return message_.dropped; }  // directly before it, as this node was too slow
    bool last_value() const { return message_.last_value != 0; }
    bool passed_on() const { return message_.passed_on != 0; }
    const sw_event& raw() const { return event_; }  // for `retained`, or sw_event_hold

private:
    const sw_event& event_;
    const sw_event_topic_message& message_;
};

// The handlers run where those of the node do; they are kept until on_left.
struct topic_options {
    std::function<void(const topic_message&)> on_message;
    std::function<void(topic, const sw_event_topic&)> on_joined;  // once: all who were connected have answered
    std::function<void(topic, const topic_member&)> on_member_joined;
    std::function<void(topic, const topic_member&)> on_member_left;
    std::function<void(topic, sw_peer, const sw_event_topic&)> on_refused;  // by a peer that came later
    std::function<void(topic)> on_writable;                                 // after SW_ERR_AGAIN
    std::function<void(topic, sw_peer, const sw_event_topic&)>
        on_dropped;                      // messages of this node that a peer does not get
    std::function<void(topic)> on_left;  // the last

    // As in sw_topic_options; 0 is the default.
    sw_slow slow = SW_SLOW_DROP_OLDEST;
    uint64_t queue_bytes = 0;
    uint64_t credit_bytes = 0;
    bool publish_only = false;
    bool keep_last = false;
    bool want_last = false;
    std::string secret;  // of new_topic_secret or topic_secret_from_passphrase; empty: none
};

namespace detail {

inline sw_result set_topic_rules(sw_node node, const std::vector<topic_rule>& rules) {
    std::vector<sw_topic_rule> raw(rules.size() + 1);  // which is not null then
    for (size_t i = 0; i < rules.size(); ++i) {
        const topic_rule& rule = rules[i];
        raw[i] = {text_of(rule.pattern), rule.peer ? &*rule.peer : nullptr, rule.rights,
                  static_cast<uint32_t>(rule.verdict)};
    }
    return sw_node_set_topic_rules(node, raw.data(), rules.size());
}

// What a join's `user` points to.
struct topic_entry {
    topic_options options;
    sw_topic_options raw() {
        sw_topic_options out;
        sw_topic_options_init(&out);
        out.slow = options.slow;
        out.queue_bytes = options.queue_bytes;
        out.credit_bytes = options.credit_bytes;
        out.publish_only = options.publish_only;
        out.keep_last = options.keep_last;
        out.want_last = options.want_last;
        out.secret = text_of(options.secret);
        out.user = this;
        return out;
    }
    void forget_secret() {
        options.secret.assign(options.secret.size(), 0);
        options.secret.clear();
    }
    void deliver(const sw_event& event) const {
        const sw_event_topic& about = event.as.topic;
        const topic at(about.topic);
        const topic_member member{event.peer, about.id, about.publisher != 0, about.hub != 0};
        switch (event.type) {
            case SW_EVENT_TOPIC_JOINED: return options.on_joined ? options.on_joined(at, about) : void();
            case SW_EVENT_TOPIC_MEMBER_JOINED:
                return options.on_member_joined ? options.on_member_joined(at, member) : void();
            case SW_EVENT_TOPIC_MEMBER_LEFT:
                return options.on_member_left ? options.on_member_left(at, member) : void();
            case SW_EVENT_TOPIC_REFUSED: return options.on_refused ? options.on_refused(at, event.peer, about) : void();
            case SW_EVENT_TOPIC_WRITABLE: return options.on_writable ? options.on_writable(at) : void();
            case SW_EVENT_TOPIC_DROPPED: return options.on_dropped ? options.on_dropped(at, event.peer, about) : void();
            case SW_EVENT_TOPIC_LEFT: return options.on_left ? options.on_left(at) : void();
            default: break;
        }
    }
    void message(const sw_event& event) const {
        if (options.on_message) options.on_message(topic_message(event));
    }
};

}  // namespace detail
}  // namespace sealwire

#endif
