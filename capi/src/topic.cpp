// Topics: joins by name, what is published, and who is there.
#include "crypto/secret_code.h"
#include "edge.h"
#include "node/node.h"
#include "node/node_topics.h"
#include "node/random.h"

using namespace sealwire;
using namespace sealwire::capi;

namespace {

constexpr std::string_view kNameRule = "a topic is 1 to 255 bytes of UTF-8 without a zero byte";

Result<TopicOptions> options_of_topic(const sw_topic_options& options) {
    if (options.slow > SW_SLOW_DISCONNECT) return fail(Errc::argument, "slow is no sw_slow");
    TopicOptions out;
    out.slow = static_cast<SlowPeers>(options.slow);
    if (options.queue_bytes) out.queue = options.queue_bytes;
    if (options.credit_bytes) out.credit = options.credit_bytes;
    if (out.credit < kLeastTopicCredit) return fail(Errc::argument, "credit_bytes is below 128 KiB");
    if (out.credit > UINT32_MAX) return fail(Errc::argument, "credit_bytes is above 4 GiB");
    out.publish_only = options.publish_only != 0;
    out.keep_last = options.keep_last != 0;
    out.want_last = options.want_last != 0;
    return out;
}

Result<std::optional<Secret<32>>> secret_of(sw_text text) {
    if (!valid(text)) return fail(Errc::argument, "secret is not a text");
    std::optional<Secret<32>> out;
    if (text.size == 0) return out;
    auto secret = kTopicSecret.parse(view(text));
    if (!secret) return Unexpected{std::move(secret).error()};
    out.emplace(std::move(*secret));
    return out;
}

sw_member member_of(const Topics::Present& present) {
    sw_member member{.peer = {present.link}, .id = {}, .publisher = present.publisher, .hub = present.hub};
    put_id(present.id, member.id);
    return member;
}

NodeTopics::Filter filter_of(const sw_publish_options& options) {
    if (!options.filter && options.to.value == 0) return {};
    return [&options](const Topics::Present& member) {
        if (options.to.value != 0 && options.to.value != member.link) return false;
        if (!options.filter) return true;
        const sw_member out = member_of(member);
        return options.filter(&out, options.filter_user) != 0;
    };
}

Result<TopicRule> rule_of(const sw_topic_rule& rule) {
    if (!valid(rule.pattern) || !is_route_name(view(rule.pattern))) {
        return fail(Errc::argument, "a pattern is 1 to 255 bytes of UTF-8 without a zero byte");
    }
    if (rule.rights == 0 || rule.rights > (SW_TOPIC_JOIN | SW_TOPIC_PUBLISH)) {
        return fail(Errc::argument, "rights are none of sw_topic_right");
    }
    if (rule.verdict > SW_ASK) return fail(Errc::argument, "verdict is no sw_verdict");
    TopicRule out{.pattern = std::string(view(rule.pattern))};
    if (rule.peer) out.peer = id_of(*rule.peer);
    out.rights = static_cast<uint8_t>(rule.rights);
    out.verdict = static_cast<TopicVerdict>(rule.verdict);
    return out;
}

}  // namespace

sw_result sw_topic_secret_generate(char out[SW_TOPIC_SECRET_TEXT_SIZE]) {
    return guarded([&] {
        if (!out) return bad("out is null");
        return put_text(new_topic_secret().view(), out, SW_TOPIC_SECRET_TEXT_SIZE) ? SW_OK : bad("no room");
    });
}

sw_result sw_topic_secret_from_passphrase(sw_text passphrase, sw_text name, char out[SW_TOPIC_SECRET_TEXT_SIZE]) {
    return guarded([&] {
        if (!out) return bad("out is null");
        if (!valid(passphrase)) return bad("passphrase is not a text");
        if (!valid(name) || !is_route_name(view(name))) return bad(kNameRule);
        if (!prepare_crypto()) return failed(Errc::system, "the system gives no randomness");
        const auto secret = kTopicSecret.from_passphrase(view(passphrase), view(name));
        if (!secret) return failed(secret.error());
        return put_text(secret->view(), out, SW_TOPIC_SECRET_TEXT_SIZE) ? SW_OK : bad("no room");
    });
}

sw_result sw_topic_secret_check(sw_text secret) {
    return guarded([&] {
        if (!valid(secret)) return bad("secret is not a text");
        const auto parsed = kTopicSecret.parse(view(secret));
        return parsed ? SW_OK : failed(parsed.error());
    });
}

sw_result sw_topic_join(sw_node node, sw_text name, const sw_topic_options* given, sw_topic* out) {
    return guarded([&] {
        if (!out) return bad("out is null");
        if (!valid(name) || !is_route_name(view(name))) return bad(kNameRule);
        sw_topic_options options;
        if (!read_options(given, options)) return bad(kSizeRule);
        const auto topic = options_of_topic(options);
        if (!topic) return failed(topic.error());
        const auto secret = secret_of(options.secret);
        if (!secret) return failed(secret.error());
        Errc errc = Errc::ok;
        const std::shared_ptr<Node> self = Node::find(node.value, errc);
        if (!self) return failed(errc);
        return result_of(
            self->topics().join(view(name), *topic, *secret ? &**secret : nullptr, options.user, &out->value));
    });
}

sw_result sw_topic_publish(sw_topic topic, sw_bytes body, const sw_publish_options* given) {
    return guarded([&] {
        sw_publish_options room;
        const sw_publish_options* const options = options_of(given, room);
        if (!options) return bad(kSizeRule);
        if (!valid(body)) return bad("body is null or too large");
        if (options->type > kMaxType) return bad("type is above 127");
        TopicMessage message{.body = view(body), .type = static_cast<uint8_t>(options->type)};
        if (options->message) {
            message.owner = reinterpret_cast<Chunk*>(options->message);
            message.body = {message.owner->data(), message.owner->capacity()};
        }
        const Errc errc = NodeTopics::publish(topic.value, message, filter_of(*options), options->members);
        if (errc == Errc::ok && options->message) sw_message_release(options->message);
        return errc == Errc::again ? failed(errc, "members of the topic are slow") : result_of(errc);
    });
}

sw_result sw_topic_each_member(sw_topic topic, sw_member_fn fn, void* user) {
    return guarded([&] {
        if (!fn) return bad("fn is null");
        std::vector<Topics::Present> present;
        const Errc errc = NodeTopics::members(topic.value, present);
        if (errc != Errc::ok) return failed(errc);
        for (const Topics::Present& each : present) {
            const sw_member member = member_of(each);
            fn(&member, user);
        }
        return SW_OK;
    });
}

sw_result sw_topic_leave(sw_topic topic) {
    return guarded([&] { return result_of(NodeTopics::leave(topic.value)); });
}

sw_result sw_node_leave_topic(sw_node node, sw_text name) {
    return guarded([&] {
        if (!valid(name) || !is_route_name(view(name))) return bad(kNameRule);
        Errc errc = Errc::ok;
        const std::shared_ptr<Node> self = Node::find(node.value, errc);
        if (!self) return failed(errc);
        const Errc left = self->topics().leave_all(view(name));
        return left == Errc::state ? failed(left, "this topic was not joined") : result_of(left);
    });
}

sw_result sw_node_set_topic_rules(sw_node node, const sw_topic_rule* rules, size_t count) {
    return guarded([&] {
        if (!rules && count > 0) return bad("rules are null");
        std::vector<TopicRule> all;
        for (size_t i = 0; i < count; ++i) {
            auto rule = rule_of(rules[i]);
            if (!rule) return failed(rule.error());
            all.push_back(std::move(*rule));
        }
        Errc errc = Errc::ok;
        const std::shared_ptr<Node> self = Node::find(node.value, errc);
        if (!self) return failed(errc);
        self->topics().set_rules(rules ? std::optional<TopicRules>(std::move(all)) : std::nullopt);
        return SW_OK;
    });
}

sw_result sw_node_decide_topic(sw_node node, sw_text topic, sw_peer peer, uint32_t rights) {
    return guarded([&] {
        if (!valid(topic) || !is_route_name(view(topic))) return bad(kNameRule);
        if (rights > (SW_TOPIC_JOIN | SW_TOPIC_PUBLISH)) return bad("rights are none of sw_topic_right");
        Errc errc = Errc::ok;
        const std::shared_ptr<Node> self = Node::find(node.value, errc);
        if (!self) return failed(errc);
        const Errc decided = self->topics().decide(view(topic), peer.value, static_cast<uint8_t>(rights));
        return decided == Errc::state ? failed(decided, "nothing is asked about this peer") : result_of(decided);
    });
}
