// NodeBox: opening, the commands that are rare, and the end.
#include "node_box.h"
#include "web.h"

#include <cstring>
#include <iterator>

namespace sealwire_node {

namespace {

// Infinity is any number.
uint64_t count_arg(const Napi::Value& value) {
    const double count = value.As<Napi::Number>().DoubleValue();
    return count < 18446744073709549568.0 ? static_cast<uint64_t>(count) : SW_EVERYTHING;
}

// Peer ids laid end to end.
std::vector<sw_peer_id> ids_arg(const Napi::Value& value) {
    const sw_bytes bytes = bytes_arg(value);
    std::vector<sw_peer_id> ids(bytes.size / SW_PEER_ID_SIZE);
    if (!ids.empty()) std::memcpy(ids.data(), bytes.data, ids.size() * SW_PEER_ID_SIZE);
    return ids;
}

}  // namespace

Napi::Function NodeBox::define(Napi::Env env) {
    return DefineClass(env, "NodeBox",
                       {
                           InstanceMethod<&NodeBox::id>("id"),
                           InstanceMethod<&NodeBox::shared>("shared"),
                           InstanceMethod<&NodeBox::intern>("intern"),
                           InstanceMethod<&NodeBox::draft>("draft"),
                           InstanceMethod<&NodeBox::free_draft>("freeDraft"),
                           InstanceMethod<&NodeBox::route>("route"),
                           InstanceMethod<&NodeBox::unroute>("unroute"),
                           InstanceMethod<&NodeBox::set_allowed>("setAllowed"),
                           InstanceMethod<&NodeBox::listen>("listen"),
                           InstanceMethod<&NodeBox::close_listener>("closeListener"),
                           InstanceMethod<&NodeBox::answer_http>("answerHttp"),
                           InstanceMethod<&NodeBox::set_addresses>("setAddresses"),
                           InstanceMethod<&NodeBox::set_tls>("setTls"),
                           InstanceMethod<&NodeBox::connect>("connect"),
                           InstanceMethod<&NodeBox::hello>("hello"),
                           InstanceMethod<&NodeBox::accept>("accept"),
                           InstanceMethod<&NodeBox::reject>("reject"),
                           InstanceMethod<&NodeBox::ping>("ping"),
                           InstanceMethod<&NodeBox::move>("move"),
                           InstanceMethod<&NodeBox::resume_peer>("resumePeer"),
                           InstanceMethod<&NodeBox::resume_route>("resumeRoute"),
                           InstanceMethod<&NodeBox::close_peer>("closePeer"),
                           InstanceMethod<&NodeBox::shutdown>("shutdown"),
                           InstanceMethod<&NodeBox::terminate>("terminate"),
                           InstanceMethod<&NodeBox::poll>("poll"),
                           InstanceMethod<&NodeBox::flush>("flush"),
                           InstanceMethod<&NodeBox::open_parts>("openParts"),
                           InstanceMethod<&NodeBox::reply>("reply"),
                           InstanceMethod<&NodeBox::status>("status"),
                           InstanceMethod<&NodeBox::ask>("ask"),
                           InstanceMethod<&NodeBox::answer>("answer"),
                           InstanceMethod<&NodeBox::question_status>("questionStatus"),
                           InstanceMethod<&NodeBox::set_deadlines>("setDeadlines"),
                           InstanceMethod<&NodeBox::uuid>("uuid"),
                           InstanceMethod<&NodeBox::running>("running"),
                           InstanceMethod<&NodeBox::stats>("stats"),
                           InstanceMethod<&NodeBox::peer_stats>("peerStats"),
                           InstanceMethod<&NodeBox::connect_pipe>("connectPipe"),
                           InstanceMethod<&NodeBox::accept_pipe>("acceptPipe"),
                           InstanceMethod<&NodeBox::pipe_give>("pipeGive"),
                           InstanceMethod<&NodeBox::pipe_take>("pipeTake"),
                           InstanceMethod<&NodeBox::pipe_end>("pipeEnd"),
                           InstanceMethod<&NodeBox::pipe_fail>("pipeFail"),
                           InstanceMethod<&NodeBox::join_topic>("joinTopic"),
                           InstanceMethod<&NodeBox::leave_topic>("leaveTopic"),
                           InstanceMethod<&NodeBox::leave_topics>("leaveTopics"),
                           InstanceMethod<&NodeBox::set_topic_rules>("setTopicRules"),
                           InstanceMethod<&NodeBox::decide_topic>("decideTopic"),
                           InstanceMethod<&NodeBox::publish>("publish"),
                           InstanceMethod<&NodeBox::topic_members>("topicMembers"),
                           InstanceMethod<&NodeBox::find_peer>("findPeer"),
                           InstanceMethod<&NodeBox::broadcast>("broadcast"),
                           InstanceMethod<&NodeBox::part_write>("partWrite"),
                           InstanceMethod<&NodeBox::part_read>("partRead"),
                           InstanceMethod<&NodeBox::part_cancel>("partCancel"),
                           InstanceMethod<&NodeBox::part_save>("partSave"),
                       });
}

void add_node(Napi::Env env, Napi::Object exports) { exports.Set("NodeBox", NodeBox::define(env)); }

// (options, wake): `wake` is called when there are events to poll.
NodeBox::NodeBox(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NodeBox>(info), env_(info.Env()) {
    const Napi::Env env = info.Env();
    Napi::ArrayBuffer memory = Napi::ArrayBuffer::New(env, SharedLayout::kSize);
    memory_ = static_cast<uint8_t*>(memory.Data());
    memory_owner_ = Napi::Persistent(memory.As<Napi::Object>());

    // Room for one call is enough: one is under way at most until poll() has emptied the queue.
    const napi_status made = napi_create_threadsafe_function(env, info[1], nullptr, Napi::String::New(env, "sealwire"),
                                                             0, 1, nullptr, nullptr, nullptr, nullptr, &wake_);
    if (made != napi_ok) throw Napi::Error::New(env);
    napi_unref_threadsafe_function(env, wake_);
    try {
        open(env, info[0].As<Napi::Object>());
    } catch (...) {
        napi_release_threadsafe_function(wake_, napi_tsfn_abort);
        wake_ = nullptr;
        throw;
    }
    // Hooks run in the reverse order: the loop thread has ended before the runtime takes wake_ away.
    napi_add_env_cleanup_hook(env, on_environment_end, this);
}

NodeBox::~NodeBox() {
    end();
    for (sw_draft* draft : drafts_) sw_draft_free(draft);
}

void NodeBox::open(Napi::Env env, const Napi::Object& given) {
    const auto number = [&](const char* name) { return given.Get(name).As<Napi::Number>(); };
    const std::string network = text_arg(given.Get("network"));
    const std::string key_log = text_arg(given.Get("keyLog"));
    const std::vector<sw_peer_id> allowed = ids_arg(given.Get("allowed"));
    const std::vector<sw_peer_id> hubs = ids_arg(given.Get("hubs"));
    const Napi::Value identity = given.Get("identity");

    sw_node_options options;
    sw_node_options_init(&options);
    options.access = number("access").Uint32Value();
    options.identity = identity.IsUndefined() ? nullptr : identity_arg(identity);
    options.network = text_of(network);
    options.on_wake = on_wake;
    options.user = this;
    options.allowed = allowed.data();
    options.allowed_count = allowed.size();
    options.log = number("log").Uint32Value();
    options.log_level = number("logLevel").Uint32Value();
    options.send_queue_bytes = static_cast<uint64_t>(number("sendQueueBytes").Int64Value());
    options.max_message_bytes = static_cast<uint64_t>(number("maxMessageBytes").Int64Value());
    options.window_bytes = static_cast<uint64_t>(number("windowBytes").Int64Value());
    options.exchange_slots = number("exchangeSlots").Uint32Value();
    options.handshake_timeout_ms = number("handshakeTimeout").Uint32Value();
    options.decision_timeout_ms = number("decisionTimeout").Uint32Value();
    options.request_timeout_ms = number("requestTimeout").Uint32Value();
    options.padding_bytes = number("paddingBytes").Uint32Value();
    options.memory_bytes = static_cast<uint64_t>(number("memoryBytes").Int64Value());
    options.accept_data = bytes_arg(given.Get("acceptData"));
    options.ask_allowed = number("askAllowed").Uint32Value();
    options.several_sessions = number("severalSessions").Uint32Value();
    options.lease_ms = number("lease").Uint32Value();
    options.redial_ms = number("redial").Uint32Value();
    options.redial_max_ms = number("redialMax").Uint32Value();
    options.heartbeat_ms = number("heartbeat").Uint32Value();
    options.heartbeat_count = number("heartbeats").Uint32Value();
    options.refresh_ms = number("refresh").Uint32Value();
    options.max_suspended_per_address = number("maxSuspendedPerAddress").Uint32Value();
    options.loop_threads = number("loopThreads").Uint32Value();
    options.topics_per_peer = number("topicsPerPeer").Uint32Value();
    options.hub = number("hub").Uint32Value();
    options.hubs = hubs.data();
    options.hubs_count = hubs.size();
    options.application_data_bytes = number("applicationDataBytes").Uint32Value();
    options.key_log = text_of(key_log);
    options.connection_limits = limits_arg(given.Get("connectionLimits"));
    check(env, sw_node_open(&options, &node_));
}

// A loop thread, of which several may be here at once. Touches nothing after the call: by then the other side may have gone.
void NodeBox::on_wake(void* self) {
    napi_call_threadsafe_function(static_cast<NodeBox*>(self)->wake_, nullptr, napi_tsfn_nonblocking);
}

// The worker or the process ends without close().
void NodeBox::on_environment_end(void* self) {
    auto* box = static_cast<NodeBox*>(self);
    box->env_ = nullptr;
    box->end();
}

void NodeBox::end() {
    if (!wake_) return;
    constexpr uint32_t kGrace = 100;  // ms
    release_events();
    for (const sw_event* event : kept_) {
        if (event) sw_event_release(event);
    }
    kept_.clear();
    sw_node_close(node_, kGrace, nullptr);  // once it is over already: waits for the thread alone
    napi_release_threadsafe_function(wake_, napi_tsfn_abort);
    wake_ = nullptr;
    if (env_) napi_remove_env_cleanup_hook(env_, on_environment_end, this);
}

Napi::Value NodeBox::id(const Napi::CallbackInfo& info) {
    sw_peer_id id{};
    check(info.Env(), sw_node_id(node_, &id));
    return to_js(info.Env(), id);
}

Napi::Value NodeBox::shared(const Napi::CallbackInfo&) { return memory_owner_.Value(); }

Napi::Value NodeBox::intern(const Napi::CallbackInfo& info) {
    sw_route route = 0;
    check(info.Env(), sw_node_intern(node_, text_of(text_arg(info[0])), &route));
    return Napi::Number::New(info.Env(), route);
}

// (name, number, held): messages to it come with this number, from 1; `held` ones count as taken when take says so.
void NodeBox::route(const Napi::CallbackInfo& info) {
    const uint32_t number = u32_arg(info[1]) | (info[2].ToBoolean() ? kHeldRoute : 0);
    check(info.Env(), sw_node_route(node_, text_of(text_arg(info[0])), nullptr, user_of(number)));
}

void NodeBox::unroute(const Napi::CallbackInfo& info) {
    check(info.Env(), sw_node_unroute(node_, text_of(text_arg(info[0]))));
}

void NodeBox::set_allowed(const Napi::CallbackInfo& info) {
    const std::vector<sw_peer_id> ids = ids_arg(info[0]);
    check(info.Env(), sw_node_set_allowed(node_, ids.data(), ids.size()));
}

namespace {

// [texts, clients, minimum version] of tls.ts, or undefined; the texts live as long as this.
class TlsTexts {
public:
    explicit TlsTexts(const Napi::Value& given) : given_(given.IsArray()) {
        sw_tls_options_init(&options_);
        if (!given_) return;
        const auto array = given.As<Napi::Array>();
        const auto texts = array.Get(0u).As<Napi::Array>();
        sw_text* const fields[] = {
            &options_.ca,       &options_.ca_file, &options_.certificate, &options_.certificate_file, &options_.key,
            &options_.key_file, &options_.crl,     &options_.crl_file,    &options_.server_name};
        for (uint32_t i = 0; i < std::size(fields); ++i) {
            kept_[i] = text_arg(texts.Get(i));
            *fields[i] = text_of(kept_[i]);
        }
        options_.clients = u32_arg(array.Get(1u));
        options_.min_version = u32_arg(array.Get(2u));
    }
    const sw_tls_options* get() const { return given_ ? &options_ : nullptr; }

private:
    const bool given_;
    sw_tls_options options_{};
    std::array<std::string, 9> kept_;
};

}  // namespace

// (url, number, options)
void NodeBox::listen(const Napi::CallbackInfo& info) {
    const uint32_t number = u32_arg(info[1]);
    sw_listen_options options;
    sw_listen_options_init(&options);
    options.user = user_of(number);
    const auto given = info[2].As<Napi::Object>();
    options.backlog = u32_arg(given.Get("backlog"));
    options.ipv6_only = u32_arg(given.Get("ipv6Only"));
    options.unix_mode = u32_arg(given.Get("unixMode"));
    options.keepalive_s = u32_arg(given.Get("keepalive"));
    options.max_handshakes = u32_arg(given.Get("maxHandshakes"));
    options.max_handshakes_per_address = u32_arg(given.Get("maxHandshakesPerAddress"));
    options.handshakes_per_second = u32_arg(given.Get("handshakesPerSecond"));
    options.handshake_burst = u32_arg(given.Get("handshakeBurst"));
    options.handshake_share_percent = u32_arg(given.Get("handshakeSharePercent"));
    options.channel = u32_arg(given.Get("channel"));
    options.shs_network = bytes_arg(given.Get("shsNetwork"));
    const WebOptions web(given.Get("http"));
    options.http = web.given();
    options.connection_limits = limits_arg(given.Get("connectionLimits"));
    const Texts allow(given.Get("allowAddresses")), deny(given.Get("denyAddresses"));
    options.allow_addresses = allow.data();
    options.allow_count = allow.size();
    options.deny_addresses = deny.data();
    options.deny_count = deny.size();
    const TlsTexts tls(given.Get("tls"));
    options.tls = tls.get();
    sw_listener listener{};
    check(info.Env(), sw_node_listen(node_, text_of(text_arg(info[0])), &options, &listener));
    listeners_[number] = listener;
}

void NodeBox::close_listener(const Napi::CallbackInfo& info) {
    const auto found = listeners_.find(u32_arg(info[0]));
    if (found != listeners_.end()) check(info.Env(), sw_listener_close(found->second));
}

// (number, tls)
void NodeBox::set_tls(const Napi::CallbackInfo& info) {
    const auto found = listeners_.find(u32_arg(info[0]));
    const TlsTexts tls(info[1]);
    check(info.Env(), sw_listener_set_tls(found == listeners_.end() ? sw_listener{} : found->second, tls.get()));
}

uint32_t NodeBox::new_slot() {
    if (free_slots_.empty()) {
        peers_.push_back({});
        return static_cast<uint32_t>(peers_.size() - 1);
    }
    const uint32_t slot = free_slots_.back();
    free_slots_.pop_back();
    peers_[slot] = {};
    return slot;
}

// UINT32_MAX where the peer is not known and not to be created.
uint32_t NodeBox::slot_of(sw_peer peer, bool create) {
    if (peer.value == 0) return UINT32_MAX;
    if (peer.value == last_peer_) return last_slot_;
    const auto found = slots_.find(peer.value);
    if (found == slots_.end() && !create) return UINT32_MAX;
    if (found != slots_.end()) {
        last_slot_ = found->second;
    } else {
        last_slot_ = new_slot();
        peers_[last_slot_].handle = peer;
        slots_[peer.value] = last_slot_;
    }
    last_peer_ = peer.value;
    return last_slot_;
}

sw_peer NodeBox::peer_arg(const Napi::CallbackInfo& info) const {
    const uint32_t slot = u32_arg(info[0]);
    return slot < peers_.size() ? peers_[slot].handle : sw_peer{};
}

// (ticket, timeout, data, keepalive, whether the data come by hello(), channel, network identifier, tls) => slot
Napi::Value NodeBox::connect(const Napi::CallbackInfo& info) {
    sw_connect_options options;
    sw_connect_options_init(&options);
    options.timeout_ms = u32_arg(info[1]);
    options.data = bytes_arg(info[2]);
    options.keepalive_s = u32_arg(info[3]);
    options.data_on_demand = info[4].ToBoolean();
    options.channel = u32_arg(info[5]);
    options.shs_network = bytes_arg(info[6]);
    const TlsTexts tls(info[7]);
    options.tls = tls.get();
    sw_peer peer{};
    check(info.Env(), sw_node_connect(node_, text_of(text_arg(info[0])), &options, &peer));
    return Napi::Number::New(info.Env(), slot_of(peer, true));
}

void NodeBox::hello(const Napi::CallbackInfo& info) {
    check(info.Env(), sw_peer_hello(peer_arg(info), bytes_arg(info[1])));
}

void NodeBox::accept(const Napi::CallbackInfo& info) {
    check(info.Env(), sw_peer_accept(peer_arg(info), bytes_arg(info[1])));
}

void NodeBox::reject(const Napi::CallbackInfo& info) {
    check(info.Env(), sw_peer_reject(peer_arg(info), u32_arg(info[1]), text_of(text_arg(info[2]))));
}

// (peer, messages): infinite, any number.
void NodeBox::resume_peer(const Napi::CallbackInfo& info) {
    check(info.Env(), sw_peer_resume(peer_arg(info), count_arg(info[1])));
}

// (route, messages)
void NodeBox::resume_route(const Napi::CallbackInfo& info) {
    check(info.Env(), sw_node_resume(node_, text_of(text_arg(info[0])), count_arg(info[1])));
}

void NodeBox::move(const Napi::CallbackInfo& info) {
    const std::string address = text_arg(info[1]);
    check(info.Env(), sw_peer_move(peer_arg(info), text_of(address)));
}

void NodeBox::ping(const Napi::CallbackInfo& info) {
    check(info.Env(), sw_peer_ping(peer_arg(info), u32_arg(info[1])));
}

void NodeBox::close_peer(const Napi::CallbackInfo& info) {
    check(info.Env(), sw_peer_close(peer_arg(info), u32_arg(info[1]), text_of(text_arg(info[2])), u32_arg(info[3])));
}

void NodeBox::shutdown(const Napi::CallbackInfo& info) { check(info.Env(), sw_node_shutdown(node_, u32_arg(info[0]))); }

// After the last event, or at the end of the process: nothing may be called afterwards.
void NodeBox::terminate(const Napi::CallbackInfo&) { end(); }

}  // namespace sealwire_node
