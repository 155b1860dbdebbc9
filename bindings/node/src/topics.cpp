// NodeBox: topics; lib/topics.ts has them as objects.
#include <algorithm>
#include <cstring>

#include "node_box.h"

namespace sealwire_node {

namespace {

Napi::Number js_number(Napi::Env env, double value) { return Napi::Number::New(env, value); }

uint32_t is_listed(const sw_member* member, void* user) {
    const auto& listed = *static_cast<const std::vector<uint64_t>*>(user);
    return std::find(listed.begin(), listed.end(), member->peer.value) != listed.end();
}

uint32_t note_present(const sw_member* member, void* user) {
    static_cast<std::vector<sw_member>*>(user)->push_back(*member);
    return 0;
}

}  // namespace

sw_topic NodeBox::topic_arg(const Napi::CallbackInfo& info) const {
    const auto found = topics_.find(u32_arg(info[0]));
    return found == topics_.end() ? sw_topic{} : found->second;
}

// (number, name, slow, queue, credit, publish only, keep last, want last, secret or undefined)
void NodeBox::join_topic(const Napi::CallbackInfo& info) {
    const uint32_t number = u32_arg(info[0]);
    const std::string name = text_arg(info[1]);
    sw_topic_options options;
    sw_topic_options_init(&options);
    options.user = user_of(number);
    options.slow = u32_arg(info[2]);
    options.queue_bytes = u64_arg(info[3]);
    options.credit_bytes = u64_arg(info[4]);
    options.publish_only = info[5].ToBoolean();
    options.keep_last = info[6].ToBoolean();
    options.want_last = info[7].ToBoolean();
    const std::string secret = info[8].IsString() ? text_arg(info[8]) : std::string();
    options.secret = text_of(secret);
    sw_topic topic{};
    check(info.Env(), sw_topic_join(node_, text_of(name), &options, &topic));
    topics_[number] = topic;
}

// (number) => a result
Napi::Value NodeBox::leave_topic(const Napi::CallbackInfo& info) {
    return to_js(info.Env(), sw_topic_leave(topic_arg(info)));
}

// (name)
void NodeBox::leave_topics(const Napi::CallbackInfo& info) {
    const std::string name = text_arg(info[0]);
    check(info.Env(), sw_node_leave_topic(node_, text_of(name)));
}

// (pattern, id or undefined, rights, verdict of each in turn; or undefined)
void NodeBox::set_topic_rules(const Napi::CallbackInfo& info) {
    if (!info[0].IsArray()) return check(info.Env(), sw_node_set_topic_rules(node_, nullptr, 0));
    const auto given = info[0].As<Napi::Array>();
    const uint32_t count = given.Length() / 4;
    std::vector<sw_topic_rule> rules(count + 1);  // which are not null then
    std::vector<std::string> patterns(count);
    std::vector<sw_peer_id> ids(count);
    for (uint32_t i = 0; i < count; ++i) {
        patterns[i] = text_arg(given.Get(4 * i));
        rules[i] = {text_of(patterns[i]), nullptr, u32_arg(given.Get(4 * i + 2)), u32_arg(given.Get(4 * i + 3))};
        const Napi::Value id = given.Get(4 * i + 1);
        if (id.IsUndefined()) continue;
        const std::string text = text_arg(id);
        check(info.Env(), sw_peer_id_parse(text_of(text), &ids[i]));
        rules[i].peer = &ids[i];
    }
    check(info.Env(), sw_node_set_topic_rules(node_, rules.data(), count));
}

// (name, slot, rights)
void NodeBox::decide_topic(const Napi::CallbackInfo& info) {
    const std::string name = text_arg(info[0]);
    const uint32_t slot = u32_arg(info[1]);
    const sw_peer peer = slot < peers_.size() ? peers_[slot].handle : sw_peer{};
    check(info.Env(), sw_node_decide_topic(node_, text_of(name), peer, u32_arg(info[2])));
}

// (number, type, body, slot of the one member or -1, slots of those that it is for) => for how many it is, or less than 0: minus a result
Napi::Value NodeBox::publish(const Napi::CallbackInfo& info) {
    uint64_t members = 0;
    sw_publish_options options;
    sw_publish_options_init(&options);
    options.type = u32_arg(info[1]);
    options.members = &members;
    const auto handle_of = [&](uint32_t slot) { return slot < peers_.size() ? peers_[slot].handle : sw_peer{}; };
    if (const int32_t slot = info[3].As<Napi::Number>().Int32Value(); slot >= 0) {
        options.to = handle_of(static_cast<uint32_t>(slot));
    }
    std::vector<uint64_t> listed;
    if (info[4].IsArray()) {
        const auto slots = info[4].As<Napi::Array>();
        for (uint32_t i = 0; i < slots.Length(); ++i) listed.push_back(handle_of(u32_arg(slots.Get(i))).value);
        options.filter = is_listed;
        options.filter_user = &listed;
    }
    const sw_result result = sw_topic_publish(topic_arg(info), bytes_arg(info[2]), &options);
    return js_number(info.Env(), result == SW_OK ? static_cast<double>(members) : -static_cast<double>(result));
}

// (number) => of each: slot, whether it only publishes, and whether it is a hub, in turn
Napi::Value NodeBox::topic_members(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    std::vector<sw_member> present;
    check(env, sw_topic_each_member(topic_arg(info), note_present, &present));
    Napi::Array all = Napi::Array::New(env);
    uint32_t count = 0;
    for (const sw_member& each : present) {
        const uint32_t slot = slot_of(each.peer, false);
        if (slot == UINT32_MAX) continue;  // lib/ has not heard of it yet, or of its end already
        all.Set(count++, js_number(env, slot));
        all.Set(count++, js_number(env, each.publisher));
        all.Set(count++, js_number(env, each.hub));
    }
    return all;
}

// Of a message of a topic with a secret, where that is not the peer, or the peer is gone.
Napi::Value NodeBox::topic_signer(Napi::Env env, const sw_event& event) {
    const sw_peer_id& signer = event.as.topic_message.id;
    sw_peer_id peer{};
    if (sw_peer_get_id(event.peer, &peer) == SW_OK && std::memcmp(&peer, &signer, sizeof peer) == 0) return {};
    return to_js(env, signer);
}

// Of all events of topics but messages. TOPIC_LEFT: its number is free.
Napi::Value NodeBox::topic_extra(Napi::Env env, const sw_event& event) {
    const sw_event_topic& topic = event.as.topic;
    Napi::Object extra = Napi::Object::New(env);
    switch (event.type) {
        case SW_EVENT_TOPIC_LEFT:
            topics_.erase(static_cast<uint32_t>(reinterpret_cast<uintptr_t>(event.user)));
            return {};
        case SW_EVENT_TOPIC_JOINED: extra.Set("refused", js_number(env, topic.refused)); break;
        case SW_EVENT_TOPIC_MEMBER_JOINED:
        case SW_EVENT_TOPIC_MEMBER_LEFT: extra.Set("publisher", Napi::Boolean::New(env, topic.publisher != 0)); break;
        case SW_EVENT_TOPIC_REFUSED: break;
        case SW_EVENT_TOPIC_ASKS:
            extra.Set("name", to_js(env, topic.name));
            extra.Set("rights", js_number(env, topic.rights));
            return extra;
        case SW_EVENT_TOPIC_DROPPED: extra.Set("bytes", js_number(env, static_cast<double>(topic.bytes))); break;
        default: return {};
    }
    if (event.type != SW_EVENT_TOPIC_JOINED) extra.Set("id", to_js(env, topic.id));
    extra.Set("hub", Napi::Boolean::New(env, topic.hub != 0));
    extra.Set("result", js_number(env, topic.result));
    extra.Set("code", js_number(env, topic.code));
    extra.Set("count", js_number(env, static_cast<double>(topic.count)));
    return extra;
}

}  // namespace sealwire_node
