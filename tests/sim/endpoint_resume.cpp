// How a simulated program finds other ways to its peer: dials of its own and of the other end, as many at once as come.
#include "sim/endpoint.h"

namespace sealwire::sim {

void Endpoint::redial(Time now, Link& out) {
    auto carrier = std::make_unique<Carrier>();
    carrier->outbox = std::make_unique<Outbox>(config_.limits, true);
    const PeerId& peer = connection_->peer() ? *connection_->peer() : peer_;
    carrier->connection = Connection::initiator(config_, peer, *carrier->outbox, rng_, now, {});
    carrier->connection->hello_on_demand();
    carrier->connection->transport_connected(now);
    carrier->out = &out;
    carriers_.push_back(std::move(carrier));
    drive_carriers(now);
}

void Endpoint::dialled(Time now, Link& out) {
    auto carrier = std::make_unique<Carrier>();
    carrier->outbox = std::make_unique<Outbox>(config_.limits, false);
    carrier->connection = Connection::responder(config_, *carrier->outbox, rng_, now);
    carrier->out = &out;
    carriers_.push_back(std::move(carrier));
}

void Endpoint::arrive(Time now, const Link& out, Bytes bytes, LinkEnd end) {
    if (&out == out_) return arrive(now, bytes, end);
    for (const auto& carrier : carriers_) {
        if (carrier->out != &out || carrier->over) continue;
        if (!bytes.empty()) carrier->connection->receive(now, bytes);
        if (end == LinkEnd::ended) carrier->connection->transport_ended(now);
        if (end == LinkEnd::broken) carrier->connection->transport_failed(now, {Errc::peer_lost, "cut"});
        break;
    }
    drive_carriers(now);
}

void Endpoint::drive_carriers(Time now) {
    for (size_t i = 0; i < carriers_.size(); ++i) {
        Carrier& carrier = *carriers_[i];
        if (carrier.connection->next_timeout() <= now) carrier.connection->on_timeout(now);
        drive(now, carrier);
    }
    std::erase_if(carriers_, [](const auto& carrier) { return carrier->over; });
}

void Endpoint::drive(Time now, Carrier& carrier) {
    while (!carrier.over) {
        carrier.connection->sync(now);
        while (const size_t size = carrier.connection->poll_output(scratch_)) {
            carrier.out->push(now, Bytes(scratch_.data(), size));
        }
        while (Event* next = carrier.over ? nullptr : carrier.connection->poll_event()) {
            const Event event = std::move(*next);
            on_carrier(now, carrier, event);
        }
        if (carrier.over) return;
        if (carrier.connection->wants_transport_close()) {
            carrier.out->close(now, LinkEnd::broken);
            if (carrier.connection->closed()) carrier.over = true;
        }
        if (!carrier.connection->wants_sync()) return;
    }
}

void Endpoint::on_carrier(Time now, Carrier& carrier, const Event& event) {
    if (event.kind == EventKind::proved) {
        if (!closed_) return take_over(now, carrier);
        carrier.connection->abort(now, {Errc::closed, "the session is over"});
        return;
    }
    if (event.kind == EventKind::asks) {
        const SessionState* const wanted = carrier.connection->asks_to_resume();
        if (!wanted) return complain("a dial for a session that asks for a new one");
        const WireCode code = closed_ ? WireCode::closed : connection_->judge(*carrier.connection);
        if (code == WireCode::ok) return take_over(now, carrier);
        counts.stale += code == WireCode::stale;
        counts.yielded += code == WireCode::yield;
        counts.foreign += code == WireCode::lease;
        SessionState ended{connection_->session_id(), connection_->received()};
        const bool known = closed_ && connected_ && wanted->id == ended.id;
        carrier.connection->reject(now, static_cast<uint32_t>(code), "", known ? &ended : nullptr);
        return;
    }
    if (event.kind == EventKind::connected) complain("a carrier has a session of its own");
    if (event.kind == EventKind::message) complain("a message to a carrier");
}

// What the old way still holds is given up, at this end unread.
void Endpoint::take_over(Time now, Carrier& carrier) {
    connection_->resume(now, *carrier.connection);
    if (!carrier.connection->closed()) {  // the session was ending
        carrier.connection->abort(now, {Errc::closed, "the session is over"});
        return;
    }
    out_->close(now, LinkEnd::broken);
    out_ = carrier.out;
    carrier.over = true;
    drive(now);
}

}  // namespace sealwire::sim
