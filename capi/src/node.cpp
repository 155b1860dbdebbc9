// Nodes: options, routes, fetching events, and the end.
#include "node/node.h"

#include "edge.h"
#include "event.h"
#include "identity.h"
#include "limits_handle.h"
#include "node/random.h"

using namespace sealwire;
using namespace sealwire::capi;

namespace {

constexpr uint64_t kMostMessageBytes = 64u * 1024 * 1024;  // frames of one message times their bodies
constexpr uint64_t kLeastWindowBytes = 64u * 1024;
constexpr uint32_t kLeastSlots = 16;
constexpr uint64_t kLeastMemoryBytes = 1024 * 1024;
constexpr uint32_t kMostLoopThreads = 64;
constexpr uint32_t kMostTopicsPerPeer = 1024 * 1024;

// Runs `body` with the node, which it keeps alive meanwhile.
template <class Body>
sw_result with_node(sw_node handle, Body body) {
    return guarded([&]() -> sw_result {
        Errc errc = Errc::ok;
        const std::shared_ptr<Node> node = Node::find(handle.value, errc);
        return node ? body(*node) : failed(errc);
    });
}

// Commands that a node takes until its end has begun.
template <class Body>
sw_result with_open_node(sw_node handle, Body body) {
    return with_node(handle, [&](Node& node) { return node.closing() ? failed(Errc::closed) : body(node); });
}

// Of what may be switched off: 0 then.
Time span_of(uint32_t ms, Time otherwise) { return ms == SW_NEVER ? 0 : duration_of(ms, otherwise); }

Result<Limits> limits_of(const sw_node_options& options) {
    Limits limits;
    if (options.send_queue_bytes) limits.send_queue = options.send_queue_bytes;
    if (options.max_message_bytes > kMostMessageBytes) return fail(Errc::argument, "max_message_bytes is above 64 MiB");
    if (options.max_message_bytes) limits.message = options.max_message_bytes;
    limits.assembly = std::max(limits.assembly, 2 * limits.message);
    if (options.window_bytes && options.window_bytes < kLeastWindowBytes) {
        return fail(Errc::argument, "window_bytes is below 64 KiB");
    }
    if (options.window_bytes) limits.window = options.window_bytes;
    limits.window_max = std::max(limits.window_max, limits.window);
    if (options.exchange_slots && options.exchange_slots < kLeastSlots) {
        return fail(Errc::argument, "exchange_slots is below 16");
    }
    if (options.exchange_slots) limits.exchange_slots = options.exchange_slots;
    if (options.topics_per_peer > kMostTopicsPerPeer) return fail(Errc::argument, "topics_per_peer is above 1,048,576");
    if (options.topics_per_peer) limits.topics = options.topics_per_peer;
    const uint32_t padding = options.padding_bytes;
    if (padding != 0 && padding != 64 && padding != 256 && padding != 1024 && padding != 4096) {
        return fail(Errc::argument, "padding_bytes is none of 0, 64, 256, 1024, 4096");
    }
    limits.padding = padding;
    if (options.application_data_bytes > kMaxApplicationData) {
        return fail(Errc::argument, "application_data_bytes is above 60 KiB");
    }
    if (options.application_data_bytes) limits.application_data = options.application_data_bytes;
    limits.handshake = duration_of(options.handshake_timeout_ms, limits.handshake);
    limits.decision = duration_of(options.decision_timeout_ms, limits.decision);
    limits.request = duration_of(options.request_timeout_ms, limits.request);
    limits.lease = span_of(options.lease_ms, 60 * kSecond);
    limits.heartbeat = span_of(options.heartbeat_ms, 15 * kSecond);
    if (options.heartbeat_count) limits.heartbeats = options.heartbeat_count;
    return limits;
}

// Of the option of that name.
Result<std::vector<PeerId>> ids_of(const std::string& name, const sw_peer_id* ids, size_t count) {
    if (count > 0 && !ids) return fail(Errc::argument, name + " is null");
    if (count > SSIZE_MAX / sizeof *ids) return fail(Errc::argument, name + "_count is too large");
    std::vector<PeerId> all;
    all.reserve(count);
    for (size_t i = 0; i < count; ++i) all.push_back(id_of(ids[i]));
    return all;
}

Result<NodeConfig> config_of(const sw_node_options& options) {
    if (options.access > SW_ACCESS_ANYONE) return fail(Errc::argument, "access is no value of sw_access");
    if (options.log_level > SW_LOG_NONE) return fail(Errc::argument, "log_level is no value of sw_log_level");
    if (!valid(options.network)) return fail(Errc::argument, "network is not a text");
    auto allowed = ids_of("allowed", options.allowed, options.allowed_count);
    if (!allowed) return Unexpected{std::move(allowed).error()};
    auto hubs = ids_of("hubs", options.hubs, options.hubs_count);
    if (!hubs) return Unexpected{std::move(hubs).error()};
    if (options.memory_bytes && options.memory_bytes < kLeastMemoryBytes) {
        return fail(Errc::argument, "memory_bytes is below 1 MiB");
    }
    if (options.loop_threads > kMostLoopThreads) return fail(Errc::argument, "loop_threads is above 64");
    if (!valid(options.accept_data)) return fail(Errc::argument, "accept_data is null or too large");
    if (options.accept_data.size > kMaxApplicationData) return fail(Errc::too_big, "accept_data is above 60 KiB");
    if (!valid(options.key_log)) return fail(Errc::argument, "key_log is not a text");
    if (view(options.key_log).find('\0') != std::string_view::npos)
        return fail(Errc::argument, "key_log holds a zero byte");
    if (!prepare_crypto()) return fail(Errc::system, "the system gives no randomness");
    auto limits = limits_of(options);
    if (!limits) return Unexpected{std::move(limits).error()};
    auto network = Network::parse(view(options.network));
    if (!network) return Unexpected{std::move(network).error()};
    NodeConfig config{.identity = options.identity ? options.identity->identity : nullptr,
                      .network = std::move(*network),
                      .access = static_cast<Access>(options.access),
                      .limits = *limits,
                      .user = options.user};
    config.hub = options.hub != 0;
    config.hubs = std::move(*hubs);
    config.allowed = std::move(*allowed);
    const Bytes accept_data = view(options.accept_data);
    config.accept_data.assign(accept_data.begin(), accept_data.end());
    if (options.memory_bytes) config.memory = options.memory_bytes;
    config.ask_allowed = options.ask_allowed != 0;
    config.several_sessions = options.several_sessions != 0;
    if (options.loop_threads) config.loop_threads = options.loop_threads;
    config.redial.first = span_of(options.redial_ms, config.redial.first);
    config.redial.longest = std::max(config.redial.first, span_of(options.redial_max_ms, config.redial.longest));
    config.redial.refresh = span_of(options.refresh_ms, config.redial.refresh);
    static_assert(SW_NEVER == Suspended::kNoLimit);
    if (options.max_suspended_per_address) {
        config.suspended = {.per_address = options.max_suspended_per_address, .loopback = true};
    }
    config.log = options.log != 0 && options.log_level != SW_LOG_NONE;
    config.log_level = options.log_level == 0 ? LogLevel::info : static_cast<LogLevel>(options.log_level);
    config.queued = options.on_event == nullptr;
    config.on_wake = config.queued ? options.on_wake : nullptr;
    config.key_log = view(options.key_log);
    if (options.connection_limits) config.connection_limits = options.connection_limits->limits;
    return config;
}

}  // namespace

sw_result sw_node_open(const sw_node_options* given, sw_node* out) {
    return guarded([&] {
        if (!out) return bad("out is null");
        sw_node_options options;
        if (!read_options(given, options)) return bad(kSizeRule);
        auto config = config_of(options);
        if (!config) return failed(config.error());
        auto sink = std::make_unique<Sink>(options.on_event, options.user);
        return result_of(Node::open(std::move(*config), std::move(sink), &out->value));
    });
}

sw_result sw_node_id(sw_node node, sw_peer_id* out) {
    return with_node(node, [&](Node& self) {
        if (!out) return bad("out is null");
        put_id(self.id(), *out);
        return SW_OK;
    });
}

sw_result sw_node_set_allowed(sw_node node, const sw_peer_id* ids, size_t count) {
    return with_open_node(node, [&](Node& self) {
        const auto list = ids_of("ids", ids, count);
        if (!list) return failed(list.error());
        self.allowed().set(*list);
        return SW_OK;
    });
}

sw_result sw_node_route(sw_node node, sw_text route, sw_event_fn fn, void* user) {
    return with_open_node(node, [&](Node& self) {
        if (!valid(route)) return bad("route is not a text");
        if (route.size > 0 && !is_route_name(view(route))) return bad(kRouteRule);
        if (fn && self.queued()) return failed(Errc::state, "this node's events are fetched: fn has to be NULL");
        self.routes().set(view(route), {reinterpret_cast<void (*)()>(fn), user});
        return SW_OK;
    });
}

sw_result sw_node_unroute(sw_node node, sw_text route) {
    return with_open_node(node, [&](Node& self) {
        if (!valid(route)) return bad("route is not a text");
        const Errc errc = self.routes().remove(view(route));
        return errc == Errc::ok ? SW_OK : failed(errc, "the route is not registered");
    });
}

sw_result sw_node_pause(sw_node node, sw_text route) { return sw_node_resume(node, route, 0); }

sw_result sw_node_resume(sw_node node, sw_text route, uint64_t messages) {
    return with_open_node(node, [&](Node& self) {
        if (!valid(route)) return bad("route is not a text");
        return result_of(self.allow_messages(view(route), messages));
    });
}

sw_result sw_node_intern(sw_node node, sw_text route, sw_route* out) {
    return with_open_node(node, [&](Node& self) {
        if (!out) return bad("out is null");
        if (!valid(route) || !is_route_name(view(route))) return bad(kRouteRule);
        const auto number = self.routes().intern(view(route));
        if (!number) return failed(number.error());
        *out = *number;
        return SW_OK;
    });
}

sw_result sw_node_next_events(sw_node node, const sw_event** out, size_t max, size_t* count) {
    return with_node(node, [&](Node& self) {
        if (!count || (!out && max > 0)) return bad("out or count is null");
        if (!self.queued()) return failed(Errc::state, "this node's events go to on_event");
        *count = 0;
        QueuedEvent* batch[64];
        while (*count < max) {
            const size_t wanted = std::min(max - *count, std::size(batch));
            const size_t taken = self.next_events(batch, wanted, *count);
            for (size_t i = 0; i < taken; ++i) out[(*count)++] = &static_cast<HeapEvent*>(batch[i])->box().face;
            if (taken < wanted) break;
        }
        return SW_OK;
    });
}

sw_result sw_node_wait(sw_node node, uint32_t timeout_ms) {
    return with_node(node, [&](Node& self) {
        if (!self.queued()) return failed(Errc::state, "this node's events go to on_event");
        return result_of(self.wait(timeout_ms == SW_NEVER ? kNever : Time{timeout_ms} * kMillisecond));
    });
}

sw_result sw_node_fd(sw_node node, int* out) {
    return with_node(node, [&](Node& self) {
        if (!out) return bad("out is null");
        if (!self.queued()) return failed(Errc::state, "this node's events go to on_event");
        const auto descriptor = self.descriptor();
        if (!descriptor) return failed(descriptor.error());
        *out = *descriptor;
        return SW_OK;
    });
}

sw_result sw_node_shutdown(sw_node node, uint32_t deadline_ms) {
    return with_node(node, [&](Node& self) {
        self.shutdown(duration_of(deadline_ms, kDefaultEnd));
        return SW_OK;
    });
}

sw_result sw_node_close(sw_node node, uint32_t deadline_ms, sw_close_report* report) {
    return with_node(node, [&](Node& self) {
        const size_t room = report ? report->size : 0;
        if (report && room < 8) return bad("the size of the report is not set");
        const auto closed = self.close(duration_of(deadline_ms, kDefaultEnd));
        if (!closed) return failed(closed.error());
        if (!report) return SW_OK;
        sw_close_report whole;
        put_report(*closed, whole);
        whole.size = static_cast<uint32_t>(room);
        std::memcpy(report, &whole, std::min(room, sizeof whole));
        return SW_OK;
    });
}
