// NodeBox: peers by their ids, and messages to many of them; lib/broadcast.ts says what becomes of those who have no room.
#include <algorithm>

#include "node_box.h"

namespace sealwire_node {

namespace {

// Whom a broadcast is for, by handle, and who did not take it.
struct Audience {
    std::vector<std::pair<uint64_t, uint32_t>> slots;  // sorted
    std::vector<std::pair<uint32_t, sw_result>> missed;

    auto find(sw_peer peer) const {
        const auto at = std::lower_bound(slots.begin(), slots.end(), std::pair<uint64_t, uint32_t>{peer.value, 0});
        return at != slots.end() && at->first == peer.value ? at : slots.end();
    }
};

uint32_t is_in_audience(const sw_member* member, void* user) {
    const auto& audience = *static_cast<const Audience*>(user);
    return audience.find(member->peer) != audience.slots.end();
}

void note_missed(sw_peer peer, const sw_peer_id*, sw_result why, void* user) {
    auto& audience = *static_cast<Audience*>(user);
    audience.missed.emplace_back(audience.find(peer)->second, why);
}

}  // namespace

// (id) => slot; -1: there is none, -2: lib/ has not heard of it yet
Napi::Value NodeBox::find_peer(const Napi::CallbackInfo& info) {
    const std::string id_text = text_arg(info[0]);
    sw_peer_id id;
    sw_peer peer{};
    check(info.Env(), sw_peer_id_parse(text_of(id_text), &id));
    if (sw_node_find_peer(node_, &id, &peer) != SW_OK) return Napi::Number::New(info.Env(), -1);
    const uint32_t slot = slot_of(peer, false);
    return Napi::Number::New(info.Env(), slot == UINT32_MAX ? -2.0 : slot);
}

// (route, or number of a draft; type, body, slots) => how many took it, then slot and result of each that did not, in turn
Napi::Value NodeBox::broadcast(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    Audience audience;
    const auto slots = info[3].As<Napi::Array>();
    for (uint32_t i = 0; i < slots.Length(); ++i) {
        const uint32_t slot = u32_arg(slots.Get(i));
        if (slot >= peers_.size()) continue;
        if (peers_[slot].blocked) audience.missed.emplace_back(slot, SW_ERR_AGAIN);
        else audience.slots.emplace_back(peers_[slot].handle.value, slot);
    }
    std::sort(audience.slots.begin(), audience.slots.end());
    std::string route;
    uint64_t sent = 0;
    sw_broadcast_options options;
    sw_broadcast_options_init(&options);
    if (info[0].IsNumber()) options.draft = draft_at(u32_arg(info[0]));
    else route = text_arg(info[0]);
    if (!options.draft) options.type = u32_arg(info[1]);
    options.filter = is_in_audience;
    options.left_out = note_missed;
    options.filter_user = options.left_out_user = &audience;
    options.sent = &sent;
    const sw_result result = sw_node_broadcast(node_, text_of(route), bytes_arg(info[2]), &options);
    if (result != SW_ERR_NOT_SENT) check(env, result);
    Napi::Array all = Napi::Array::New(env);
    uint32_t count = 0;
    all.Set(count++, Napi::Number::New(env, static_cast<double>(sent)));
    for (const auto& [slot, why] : audience.missed) {
        if (why == SW_ERR_AGAIN) peers_[slot].blocked = true;
        all.Set(count++, Napi::Number::New(env, slot));
        all.Set(count++, Napi::Number::New(env, why));
    }
    return all;
}

}  // namespace sealwire_node
