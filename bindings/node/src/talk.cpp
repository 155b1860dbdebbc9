// NodeBox: conversations, deadlines, and what messages carry; calls one by one.
#include "talk.h"

#include "node_box.h"

namespace sealwire_node {

namespace {

Napi::Value number_in_array(Napi::Env env, uint64_t number) {
    Napi::Array all = Napi::Array::New(env, 1);
    all.Set(0u, Napi::Number::New(env, static_cast<double>(number)));
    return all;
}

}  // namespace

Extras::Extras(const Napi::Value& value) {
    if (!value.IsArray()) return;
    const auto all = value.As<Napi::Array>();
    const auto list = all.Get(0u).As<Napi::Array>();
    texts_.reserve(list.Length());  // the pairs point into it
    for (uint32_t i = 0; i < list.Length(); ++i) texts_.push_back(text_arg(list.Get(i)));
    for (size_t i = 0; i + 1 < texts_.size(); i += 2) pairs_.push_back({text_of(texts_[i]), text_of(texts_[i + 1])});
    trace_ = bytes_arg(all.Get(1u));
    key_ = bytes_arg(all.Get(2u));
}

Napi::Value carried(Napi::Env env, const sw_pair* metadata, size_t count, sw_bytes trace, sw_bytes key) {
    if (count == 0 && trace.size == 0 && key.size == 0) return {};
    Napi::Object all = Napi::Object::New(env);
    Napi::Array pairs = Napi::Array::New(env, 2 * count);
    for (uint32_t i = 0; i < count; ++i) {
        pairs.Set(2 * i, to_js(env, metadata[i].name));
        pairs.Set(2 * i + 1, to_js(env, metadata[i].value));
    }
    all.Set("pairs", pairs);
    if (trace.size > 0) all.Set("trace", to_js(env, trace));
    if (key.size > 0) all.Set("key", to_js(env, key));
    return all;
}

// (peer, low, high); or, with high -1, a request of this side by its number in lib/.
sw_exchange NodeBox::talk_arg(const Napi::CallbackInfo& info) const {
    if (info[2].As<Napi::Number>().Int32Value() != -1) return exchange_arg(info);
    const uint32_t tag = u32_arg(info[1]);
    return tag < requests_.size() ? requests_[tag] : sw_exchange{};
}

// (route, type, extras) => its number
Napi::Value NodeBox::draft(const Napi::CallbackInfo& info) {
    const std::string route = text_arg(info[0]);
    const Extras extras(info[2]);
    sw_draft_options options;
    sw_draft_options_init(&options);
    options.type = u32_arg(info[1]);
    extras.set_metadata(options);
    if (free_drafts_.empty()) {
        free_drafts_.push_back(static_cast<uint32_t>(drafts_.size()));
        drafts_.push_back(nullptr);
    }
    const uint32_t place = free_drafts_.back();
    check(info.Env(), sw_draft_create(node_, text_of(route), &options, &drafts_[place]));
    free_drafts_.pop_back();
    return Napi::Number::New(info.Env(), place);
}

// (number): nothing names it any more.
void NodeBox::free_draft(const Napi::CallbackInfo& info) {
    const uint32_t place = u32_arg(info[0]);
    if (!draft_at(place)) return;
    sw_draft_free(drafts_[place]);
    drafts_[place] = nullptr;
    free_drafts_.push_back(place);
}

// (exchange..., type, body, extras) => a result, or [the question's number]
Napi::Value NodeBox::ask(const Napi::CallbackInfo& info) {
    const Extras extras(info[5]);
    sw_send_options options;
    sw_send_options_init(&options);
    options.type = u32_arg(info[3]);
    extras.set(options);
    sw_question question{};
    const sw_result result = sw_exchange_ask(talk_arg(info), bytes_arg(info[4]), &options, &question);
    return result == SW_OK ? number_in_array(info.Env(), question.number) : to_js(info.Env(), result);
}

// (exchange..., question, type, body, extras, asks) => a result, or [the number of what it asks in turn]
Napi::Value NodeBox::answer(const Napi::CallbackInfo& info) {
    const Extras extras(info[6]);
    sw_send_options options;
    sw_send_options_init(&options);
    options.type = u32_arg(info[4]);
    extras.set(options);
    const bool asks = info[7].ToBoolean().Value();
    sw_question back{};
    const sw_question question{talk_arg(info), u64_arg(info[3])};
    const sw_result result = sw_question_answer(question, bytes_arg(info[5]), &options, asks ? &back : nullptr);
    return result == SW_OK && asks ? number_in_array(info.Env(), back.number) : to_js(info.Env(), result);
}

// (exchange..., question, code, text) => a result
Napi::Value NodeBox::question_status(const Napi::CallbackInfo& info) {
    const std::string text = text_arg(info[5]);
    const sw_question question{talk_arg(info), u64_arg(info[3])};
    return to_js(info.Env(), sw_question_status(question, u32_arg(info[4]), text_of(text)));
}

// (exchange..., next, between, total, clock) => a result
Napi::Value NodeBox::set_deadlines(const Napi::CallbackInfo& info) {
    sw_deadlines deadlines;
    sw_deadlines_init(&deadlines);
    deadlines.next_ms = u32_arg(info[3]);
    deadlines.between_ms = u32_arg(info[4]);
    deadlines.total_ms = u32_arg(info[5]);
    deadlines.clock = u32_arg(info[6]);
    return to_js(info.Env(), sw_exchange_set_deadlines(talk_arg(info), &deadlines));
}

// (exchange..., own, place) => a result, or the UUID's bytes
Napi::Value NodeBox::uuid(const Napi::CallbackInfo& info) {
    uint8_t out[16];
    const sw_result result = sw_exchange_uuid(talk_arg(info), u32_arg(info[3]), u64_arg(info[4]), out);
    return result == SW_OK ? to_js(info.Env(), sw_bytes{out, sizeof out}) : to_js(info.Env(), result);
}

// (peer) => a result, or [requests, serving, questions, queued bytes]
Napi::Value NodeBox::running(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    sw_running all{};
    all.size = sizeof all;
    const sw_result result = sw_peer_running(peer_arg(info), &all);
    if (result != SW_OK) return to_js(env, result);
    Napi::Array list = Napi::Array::New(env, 4);
    uint32_t i = 0;
    for (const uint64_t count : {all.requests, all.serving, all.questions, all.queued_bytes}) {
        list.Set(i++, Napi::Number::New(env, static_cast<double>(count)));
    }
    return list;
}

}  // namespace sealwire_node
