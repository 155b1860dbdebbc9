// NodeBox::flush: the commands of one turn, written by lib/ into the shared memory, in one call.
#include "node_box.h"

namespace sealwire_node {

namespace {

// The places in a row; lib/table.ts has the same.
struct In {
    enum Field : uint32_t { kOp, kPeer, kRoute, kRouteLength, kOffset, kLength, kFlags, kTag, kLow, kHigh };
};
enum Op : int32_t { kSend = 1, kRequest = 2, kReply = 3, kStatus = 4, kCancel = 5, kTake = 6 };

enum FlushFlag : uint32_t { kHolds = 1, kReleases = 2 };

constexpr int32_t kTypeMask = 0xff;
constexpr int32_t kWantsReceipt = 0x100;
constexpr int32_t kExternal = 0x200;  // the body is the argument of flush()
constexpr int32_t kMany = 0x400;      // any number of replies
constexpr int32_t kWritten = 0x800;   // with kWantsReceipt: when it is written
constexpr int32_t kDraft = 0x1000;    // the number of the route is that of a draft

uint64_t get64(const int32_t* row) {
    return static_cast<uint32_t>(row[In::kLow]) | static_cast<uint64_t>(static_cast<uint32_t>(row[In::kHigh])) << 32;
}

}  // namespace

// (count, flags, external body) => how many failed; the pairs (command, result) are in the shared memory.
Napi::Value NodeBox::flush(const Napi::CallbackInfo& info) {
    const uint32_t count = std::min(info[0].As<Napi::Number>().Uint32Value(), kMaxCommands);
    const sw_bytes external = info.Length() > 2 ? bytes_arg(info[2]) : sw_bytes{nullptr, 0};
    int32_t* row = ints(SharedLayout::kCommands);
    int32_t* failure = ints(SharedLayout::kFailures);
    uint32_t failed = 0;
    for (uint32_t i = 0; i < count; ++i, row += kCommandRow) {
        const sw_result result = wake_ ? run(row, external) : SW_ERR_CLOSED;
        if (result == SW_OK) continue;
        *failure++ = static_cast<int32_t>(i);
        *failure++ = static_cast<int32_t>(result);
        ++failed;
    }
    if (wake_) {
        const uint32_t flags = info[1].As<Napi::Number>().Uint32Value();
        if (flags & kReleases) release_events();
        hold(info.Env(), flags & kHolds);
    }
    return Napi::Number::New(info.Env(), failed);
}

// Whether the process lives on for this node's sake.
void NodeBox::hold(Napi::Env env, bool wanted) {
    if (wanted == held_) return;
    held_ = wanted;
    if (wanted) napi_ref_threadsafe_function(env, wake_);
    else napi_unref_threadsafe_function(env, wake_);
}

sw_result NodeBox::run(int32_t* row, sw_bytes external) {
    if (row[In::kOp] == kCancel) {
        const auto tag = static_cast<uint32_t>(row[In::kTag]);
        return tag < requests_.size() ? sw_exchange_cancel(requests_[tag], 0) : SW_ERR_HANDLE;
    }
    if (row[In::kOp] == kTake) return take(static_cast<uint32_t>(row[In::kTag]));
    const auto slot = static_cast<uint32_t>(row[In::kPeer]);
    const auto offset = static_cast<uint32_t>(row[In::kOffset]);
    const auto length = static_cast<uint32_t>(row[In::kLength]);
    const auto route_length = static_cast<uint32_t>(row[In::kRouteLength]);
    const bool outside = row[In::kFlags] & kExternal;
    const uint64_t end = uint64_t{offset} + (outside ? 0 : length);
    if (slot >= peers_.size() || end > kTextBytes || route_length > offset) return SW_ERR_ARG;
    Peer& peer = peers_[slot];
    const auto* text = reinterpret_cast<const char*>(memory_ + SharedLayout::kText + offset);
    const sw_text route = {text - route_length, route_length};  // it lies before the body
    const sw_bytes body = outside ? external : sw_bytes{text, length};
    const sw_exchange exchange = {peer.handle, get64(row)};
    sw_send_options options;
    switch (row[In::kOp]) {
        case kSend: return run_send(row, peer, route, body);
        case kRequest: return run_request(row, peer, route, body);
        case kReply:
            sw_send_options_init(&options);
            options.type = static_cast<uint32_t>(row[In::kFlags] & kTypeMask);
            return sw_exchange_reply(exchange, body, &options);
        case kStatus: return sw_exchange_status(exchange, static_cast<uint32_t>(row[In::kTag]), {text, length});
        default: return SW_ERR_ARG;
    }
}

// Route and type, or the draft that has them; false where there is none.
template <class Options>
bool NodeBox::set_head(const int32_t* row, Options& options) const {
    if (row[In::kFlags] & kDraft) return (options.draft = draft_at(static_cast<uint32_t>(row[In::kRoute]))) != nullptr;
    options.type = static_cast<uint32_t>(row[In::kFlags] & kTypeMask);
    options.route = static_cast<sw_route>(row[In::kRoute]);
    return true;
}

sw_result NodeBox::run_send(int32_t* row, Peer& peer, sw_text route, sw_bytes body) {
    if (peer.blocked) return SW_ERR_AGAIN;
    sw_send_options options;
    sw_send_options_init(&options);
    if (!set_head(row, options)) return SW_ERR_ARG;
    uint64_t receipt = 0;
    if (row[In::kFlags] & kWantsReceipt) {
        options.receipt = row[In::kFlags] & kWritten ? SW_RECEIPT_WRITTEN : SW_RECEIPT_ACKNOWLEDGED;
        options.receipt_number = &receipt;
    }
    const sw_result result = sw_peer_send(peer.handle, route, body, &options);
    peer.blocked = result == SW_ERR_AGAIN;
    row[In::kLow] = static_cast<int32_t>(static_cast<uint32_t>(receipt));
    row[In::kHigh] = static_cast<int32_t>(static_cast<uint32_t>(receipt >> 32));
    return result;
}

sw_result NodeBox::run_request(int32_t* row, Peer& peer, sw_text route, sw_bytes body) {
    if (peer.blocked) return SW_ERR_AGAIN;
    const auto tag = static_cast<uint32_t>(row[In::kTag]);
    if (tag >= requests_.size()) requests_.resize(size_t{tag} + 1);
    sw_request_options options;
    sw_request_options_init(&options);
    if (!set_head(row, options)) return SW_ERR_ARG;
    options.timeout_ms = static_cast<uint32_t>(row[In::kLow]);
    options.expects = row[In::kFlags] & kMany ? SW_EXPECTS_MANY : SW_EXPECTS_ONE;
    options.user = reinterpret_cast<void*>(static_cast<uintptr_t>(tag));
    const sw_result result = sw_peer_request(peer.handle, route, body, &options, &requests_[tag]);
    peer.blocked = result == SW_ERR_AGAIN;
    return result;
}

// The reply in this place has reached its reader, the message its handler.
sw_result NodeBox::take(uint32_t place) {
    if (place >= kept_.size() || !kept_[place]) return SW_ERR_HANDLE;
    sw_event_release(kept_[place]);
    kept_[place] = nullptr;
    free_kept_.push_back(place);
    return SW_OK;
}

}  // namespace sealwire_node
