// The sessions of the simulated programs of topics, each over one way after the other.
#include <algorithm>

#include "protocol/topic_run.h"
#include "sim/topics_world.h"

namespace sealwire::sim {

TopicSession::~TopicSession() {
    if (connection_) connection_->drop_topics();
}

void TopicSession::begin(Time now, bool dials, const PeerId& peer, Link& out) {
    dials_ = dials;
    out_ = &out;
    outbox_ = std::make_unique<Outbox>(program_.config().limits, dials);
    connection_ = dials ? Connection::initiator(program_.config(), peer, *outbox_, rng_, now, {})
                        : Connection::responder(program_.config(), *outbox_, rng_, now);
    connection_->set_topics(&program_.topics(), other_ + 1, this);
    if (dials) connection_->transport_connected(now);
    drive(now);
}

bool TopicSession::is_cut() const { return connection_->suspended() || program_.world().is_broken(out_); }

void TopicSession::drive(Time now) {
    std::array<uint8_t, 3 * Connection::kOutputUnit> scratch;
    for (unsigned rounds = 0; rounds < 10'000; ++rounds) {
        if (connection_->wants_topics()) {
            connection_->sync_topics(now, 0);
            asked_ = connection_->has_topics();
        }
        connection_->sync(now);
        while (!out_->full()) {
            const size_t size = connection_->poll_output(scratch);
            if (size == 0) break;
            out_->push(now, Bytes(scratch.data(), size));
            if (rng_.chance(70)) connection_->written();
        }
        while (Event* next = connection_->poll_event()) handle(now, Event(std::move(*next)));
        if (connection_->wants_transport_shutdown() || connection_->wants_transport_close()) {
            out_->close(now, LinkEnd::ended);
        }
        if (!connection_->wants_sync() || out_->full()) return;
    }
    program_.world().complain("a session never comes to rest");
}

void TopicSession::handle(Time now, const Event& event) {
    if (closed_) return program_.world().complain("an event after closed");
    switch (event.kind) {
        case EventKind::asks: return connection_->accept(now, {});
        case EventKind::connected: up_ = true; return;
        case EventKind::resumed: ++program_.world().counts.resumed; return;
        case EventKind::closed:
            closed_ = true;
            connection_->drop_topics();
            return program_.lost_session(other_);
        case EventKind::topic_message:
        case EventKind::topic_run: {
            uint64_t dropped = event.last_number;
            if (event.route && program_.topics().routed()) {
                if (event.foreign) program_.world().complain("passed on by one who is no hub");
                const TopicPassed passed = connection_->pass_on(event);
                if (!passed.fresh) return connection_->taken(event.taken);
                dropped = passed.dropped;
            }
            std::shared_ptr<const TopicAudience> audience = connection_->audience(event, program_.topics().version());
            if (!audience) audience = connection_->renew_audience(event);
            if (audience && !audience->listeners.empty()) on_messages(event, *audience, dropped);
            if (!settling_ && rng_.chance(program_.late_taken())) {
                held_.push_back({now + static_cast<Time>(rng_.between(1, 200'000)), event.taken});
            } else {
                connection_->taken(event.taken);
            }
            return;
        }
        default: return;
    }
}

void TopicSession::on_messages(const Event& event, const TopicAudience& audience, uint64_t dropped) {
    if (event.kind == EventKind::topic_message) return program_.on_message(other_, event, audience, dropped);
    TopicRun run(event.body);
    Event each;
    each.first = event.first;
    for (; run.next(); ++each.first) {
        each.body = run.body();
        program_.on_message(other_, each, audience, 0);
    }
    if (each.first != event.first + event.last_number) program_.world().complain("a run of another length");
}

void TopicSession::arrive(Time now, const Link& out, Bytes bytes, LinkEnd end) {
    Connection* const to = &out == out_                        ? connection_.get()
                           : carrier_ && &out == carrier_->out ? carrier_->connection.get()
                                                               : nullptr;
    if (!to) return;
    if (!bytes.empty()) to->receive(now, bytes);
    if (end == LinkEnd::ended) to->transport_ended(now);
    if (end == LinkEnd::broken) to->transport_failed(now, {Errc::peer_lost, "cut"});
    if (to == connection_.get()) drive(now);
    else drive_carrier(now);
}

void TopicSession::begin_carrier(Time now, bool dials, const PeerId& peer, Link& out) {
    carrier_ = std::make_unique<Carrier>();
    carrier_->outbox = std::make_unique<Outbox>(program_.config().limits, dials);
    carrier_->out = &out;
    carrier_->connection = dials ? Connection::initiator(program_.config(), peer, *carrier_->outbox, rng_, now, {})
                                 : Connection::responder(program_.config(), *carrier_->outbox, rng_, now);
    carrier_->connection->hello_on_demand();
    if (dials) carrier_->connection->transport_connected(now);
    drive_carrier(now);
}

void TopicSession::drive_carrier(Time now) {
    std::array<uint8_t, 3 * Connection::kOutputUnit> scratch;
    while (carrier_) {
        Connection& carrier = *carrier_->connection;
        carrier.sync(now);
        while (const size_t size = carrier.poll_output(scratch)) carrier_->out->push(now, Bytes(scratch.data(), size));
        while (Event* event = carrier.poll_event()) {
            const bool asks = event->kind == EventKind::asks;
            if (event->kind != EventKind::proved && !asks) continue;
            const WireCode judged = closed_ ? WireCode::lease : asks ? connection_->judge(carrier) : WireCode::ok;
            if (judged != WireCode::ok) {
                if (asks) carrier.reject(now, static_cast<uint32_t>(judged), "");
                else carrier.abort(now, {Errc::closed, "over"});
                break;
            }
            connection_->resume(now, carrier);
            if (!carrier.closed()) {
                carrier.abort(now, {Errc::closed, "ending"});
                break;
            }
            out_->close(now, LinkEnd::broken);
            out_ = carrier_->out;
            carrier_.reset();
            return drive(now);
        }
        if (carrier.wants_transport_close()) {
            carrier_->out->close(now, LinkEnd::broken);
            if (carrier.closed()) return carrier_.reset();
        }
        if (!carrier.wants_sync()) return;
    }
}

void TopicSession::close(Time now, Time deadline) {
    if (closed_) return;
    connection_->close(now, 0, "", deadline);
    drive(now);
}

void TopicSession::tick(Time now) {
    if (connection_->next_timeout() <= now) connection_->on_timeout(now);
    if (carrier_ && carrier_->connection->next_timeout() <= now) {
        carrier_->connection->on_timeout(now);
        drive_carrier(now);
    }
    std::erase_if(held_, [&](const Held& held) {
        if (held.at > now && !settling_) return false;
        if (!closed_) connection_->taken(held.taken);
        return true;
    });
    drive(now);
}

Time TopicSession::next() const {
    Time next = connection_->next_timeout();
    if (carrier_) next = std::min(next, carrier_->connection->next_timeout());
    for (const Held& held : held_) next = std::min(next, settling_ ? 0 : held.at);
    return next;
}

}  // namespace sealwire::sim
