// What a Secret Handshake's connection tells, made into what the application is told.
#include "node/node.h"
#include "node/raw_peer.h"

namespace sealwire {

void RawPeer::deliver() {
    while (const Event* event = connection_->poll_event()) handle_event(*event);
}

NodeEvent RawPeer::event_of(NodeEventKind kind, const Event& event) const {
    NodeEvent out{.kind = kind};
    out.errc = event.errc;
    out.code = event.code;
    out.peer = handle_;
    out.user = user_.load(std::memory_order_relaxed);
    out.id = &id_;
    out.number = event.number;
    out.first = event.first;
    out.last_number = event.last_number;
    out.raw = true;
    return out;
}

void RawPeer::handle_event(const Event& event) {
    switch (event.kind) {
        case EventKind::asks: return on_asks();
        case EventKind::connected: return on_up(event);
        case EventKind::part_data:
        case EventKind::part_writable:
        case EventKind::part_done: return on_part(event);
        case EventKind::closed: return on_over(event);
        default: return;
    }
}

// The client has proved its key: is it let in? Its answer, the accept message, waits for that.
void RawPeer::on_asks() {
    id_ = *connection_->peer();
    id_known_.store(true, std::memory_order_release);
    settle();
}

void RawPeer::asked() {
    const Time now = shard_->loop().now();
    const bool allowed = node_.allowed().contains(id_) || node_.access() == Access::anyone;
    if (!allowed && node_.access() == Access::allow_list) {
        log(LogLevel::warning, Errc::not_allowed, "refused: " + id_.text() + " is not on the allow-list");
        return connection_->reject(now, {Errc::not_allowed, "not on the allow-list"});
    }
    if (const auto full = node_.admit(*shard_, *half_open_, *this, id_, address_)) {
        return connection_->reject(now, *full);
    }
    if (allowed && !node_.asks_about_allowed()) {
        set_stage(Stage::decided);
        return connection_->accept(now);
    }
    set_stage(Stage::asking);
    told_ = true;
    NodeEvent out = event_of(NodeEventKind::peer_asks, {});
    out.allowed = allowed;
    out.address = address_;
    out.listener = listener_;
    out.pipe = carried_;
    shard_->emit(out);
}

void RawPeer::on_up(const Event& event) {
    set_stage(Stage::up);
    leave_half_open();
    dial_timer_.reset();
    told_ = true;
    counters_.sessions.set(1);
    counters_.connected.set(1);
    log(LogLevel::info, Errc::ok, dialled_ ? "connected by the Secret Handshake" : "accepted by the Secret Handshake");
    {
        const std::lock_guard lock(*mutex_);  // so that the callback may write and read at once
        connection_->sync(shard_->loop().now());
    }
    NodeEvent out = event_of(NodeEventKind::peer_connected, event);
    out.number = outbox_.exchange();
    out.address = address_;
    out.listener = listener_;
    out.pipe = carried_;
    out.dialled = dialled_;
    shard_->emit(out);
}

void RawPeer::on_part(const Event& event) {
    const bool data = event.kind == EventKind::part_data;
    NodeEvent out = event_of(data                                     ? NodeEventKind::part_data
                             : event.kind == EventKind::part_writable ? NodeEventKind::part_writable
                                                                      : NodeEventKind::part_done,
                             event);
    if (void* user = exchange_user_.load(std::memory_order_relaxed)) out.user = user;
    if (data) {
        counters_.part_bytes_received.add(event.body.size());
        out.body = event.body;
        out.has_body = true;
        out.chunk = event.chunk.get();
        out.taken = event.taken;
        out.owes = true;
    } else if (event.kind == EventKind::part_done) {
        // From here on its handle is stale, also within the callback.
        const std::lock_guard lock(*mutex_);
        connection_->sync(shard_->loop().now());
    }
    const uint64_t charge = event.taken.charge;  // the event is gone once the callback has called something
    shard_->emit(out);
    if (data && !node_.queued()) connection_->taken(charge);
}

void RawPeer::on_over(const Event& event) {
    over_ = true;
    entrance.leave();
    counters_.connected.set(0);
    dial_timer_.reset();
    connecting_.reset();
    const Error& why = connection_->why();
    if (carried_ != 0) node_.note_pipe(*shard_, carried_, why);
    tell_notice();
    if (!told_) log_untold(why);
    leave_half_open();
    if (!told_) return retire_handle();
    NodeEvent out = event_of(NodeEventKind::peer_closed, event);
    out.number = out.first = out.last_number = 0;
    log(out.errc == Errc::ok ? LogLevel::info : LogLevel::warning, out.errc,
        !why.detail.empty()    ? std::string_view(why.detail)
        : out.errc == Errc::ok ? "closed"
                               : describe(out.errc).text);
    out.detail = why.detail;
    out.address = address_;
    out.listener = listener_;
    shard_->emit_last(out, handle_);
}

}  // namespace sealwire
