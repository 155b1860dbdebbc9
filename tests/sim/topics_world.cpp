// The simulated programs of topics, their sessions and their books.
#include "sim/topics_world.h"

#include <algorithm>

#include "base/reader.h"
#include "base/writer.h"
#include "protocol/handshake.h"
#include "protocol/topic_run.h"

namespace sealwire::sim {

namespace {

constexpr size_t kTopicHead = 20;  // publisher, topic, serial

uint8_t topic_filling(uint64_t serial, size_t i) { return static_cast<uint8_t>(serial * 31 + i * 7); }

std::string name_of(size_t topic) { return "topic " + std::to_string(topic); }

}  // namespace

// ---- Sessions ----

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
            std::shared_ptr<const TopicAudience> audience = connection_->audience(event, program_.topics().version());
            if (!audience) audience = connection_->renew_audience(event);
            if (audience && !audience->listeners.empty()) on_messages(event, *audience);
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

void TopicSession::on_messages(const Event& event, const TopicAudience& audience) {
    if (event.kind == EventKind::topic_message) return program_.on_message(other_, event, audience);
    TopicRun run(event.body);
    Event each;
    each.first = event.first;
    for (; run.next(); ++each.first) {
        each.body = run.body();
        program_.on_message(other_, each, audience);
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

// ---- Programs ----

TopicProgram::TopicProgram(TopicWorld& world, size_t number, const Identity& identity, SeededRng& rng, size_t programs)
    : world_(world),
      number_(number),
      identity_(identity),
      rng_(rng),
      slow_(static_cast<SlowPeers>(rng.below(3))),
      queue_(rng.chance(50) ? 4 * 1024 * 1024 : rng.between(1'000, 40'000)),
      late_taken_(rng.chance(50) ? static_cast<unsigned>(rng.below(90)) : 0),
      topics_(std::make_unique<Topics>(1, *this, rng)),
      sessions_(programs) {
    config_.identity = &identity_;
    config_.network = &world.network();
    config_.suites = supported_suites();
    config_.limits.lease = 600 * kSecond;
    if (rng.chance(40)) config_.limits.send_queue = rng.between(20'000, 200'000);
    if (rng.chance(40)) config_.limits.encoded_ahead = rng.between(4'000, 70'000);
    config_.limits.message = 1024 * 1024;
    config_.limits.assembly = 2 * config_.limits.message;
    config_.dials = &dials_;
    config_.instance.fill(static_cast<uint8_t>(number + 1));
}

TopicProgram::~TopicProgram() { sessions_.clear(); }

void TopicProgram::join(size_t name) {
    auto made = std::make_unique<Join>();
    Join& join = *made;
    joins_[name] = std::move(made);
    join.handle.id = name + 1;
    join.handle.user = &join;
    join.handle.options.slow = slow_;
    join.handle.options.queue = queue_;
    join.handle.options.publish_only = rng_.chance(20);
    join.handle.options.credit = rng_.chance(50) ? kTopicCredit : kLeastTopicCredit;
    for (const auto& session : sessions_) {
        if (session && session->joins()) join.asked.insert(session->other());
    }
    topics_->open(topic_tag(world_.network().psk(), name_of(name)), name_of(name), join.handle);
    ++world_.counts.joins;
}

void TopicProgram::leave(size_t name) {
    joins_[name]->left = true;
    topics_->leave(joins_[name]->handle);
    leaving_.push_back(std::move(joins_[name]));
    for (auto& [pair, serials] : expected_) {
        if (pair.second == name) serials.clear();
    }
    ++world_.counts.leaves;
}

void TopicProgram::act(Time now) {
    const size_t name = static_cast<size_t>(rng_.below(kNames));
    const unsigned dice = static_cast<unsigned>(rng_.below(100));
    if (!joins_[name]) join(name);
    else if (dice < 4) leave(name);
    else publish(now, name);
    serve(now);
}

void TopicProgram::publish(Time, size_t name) {
    // Rarely so many at once that all members are sent the same bytes.
    uint64_t count = rng_.chance(20) ? rng_.below(60) : 1;
    if (rng_.chance(1)) count = rng_.below(600);
    for (; count > 0; --count) {
        const uint64_t serial = serials_[name] + 1;
        size_t size = kTopicHead + static_cast<size_t>(rng_.below(120));
        if (rng_.chance(2)) size = static_cast<size_t>(rng_.between(1'000, 150'000)), ++world_.counts.large;
        std::vector<uint8_t> body(size);
        Writer out{MutableBytes(body)};
        out.le64(serial);
        out.le64(number_);
        out.le32(static_cast<uint32_t>(name));
        for (size_t i = kTopicHead; i < size; ++i) body[i] = topic_filling(serial, i);
        const Errc errc = topics_->publish(joins_[name]->handle, {.body = body}, nullptr);
        if (errc == Errc::again) {
            ++world_.counts.again;
            if (!blocks()) world_.complain("again without blocking");
            return;
        }
        if (errc != Errc::ok) return world_.complain("publish gave " + std::string(describe(errc).name));
        ++serials_[name];
        ++world_.counts.published;
        world_.published(number_, name, serial);
    }
}

void TopicProgram::serve(Time now) {
    for (;;) {
        std::vector<TopicLink*> links;
        if (topics_->has_work(0)) topics_->take_work(0, links);
        for (const auto& session : sessions_) {
            if (session && !session->closed() && !links.empty()) session->call(), session->drive(now);
        }
        std::vector<TopicEvent> events;
        if (topics_->has_events(0)) topics_->take_events(0, events);
        for (const TopicEvent& event : events) told(event);
        if (links.empty() && events.empty()) return;
    }
}

void TopicProgram::told(const TopicEvent& event) {
    Join& join = *static_cast<Join*>(event.user);
    const Pair pair(static_cast<size_t>(event.link) - 1, static_cast<size_t>(event.handle) - 1);
    switch (event.kind) {
        case TopicEvent::Kind::joined:
            if (join.told) world_.complain("joined twice");
            if (event.refused > 0) world_.complain("a join was refused");
            join.told = true;
            return;
        case TopicEvent::Kind::left:
            if (!join.left) world_.complain("left without a leave");
            if (!topics_->is_over(event)) world_.complain("left twice");
            std::erase_if(leaving_, [&](const auto& each) { return each.get() == &join; });
            return;
        case TopicEvent::Kind::dropped:
            if (blocks() && event.count > 0 && !world_.closing()) world_.complain("dropped where it blocks");
            dropped_[pair] += event.count;
            world_.counts.dropped += event.count;
            return;
        default: return;
    }
}

void TopicProgram::on_message(size_t from, const Event& event, const TopicAudience& audience) {
    Reader in(event.body);
    const uint64_t serial = in.le64();
    const uint64_t publisher = in.le64();
    const auto name = static_cast<size_t>(in.le32());
    ++world_.counts.delivered;
    if (!in.ok() || publisher != from || name >= kNames || audience.name != name_of(name)) {
        return world_.complain("a message of another publisher or topic");
    }
    for (size_t i = kTopicHead; i < event.body.size(); ++i) {
        if (event.body[i] != topic_filling(serial, i)) return world_.complain("a message came altered");
    }
    const Pair pair(from, name);
    if (serial <= last_[pair]) world_.complain("a message came twice or out of order");
    last_[pair] = serial;
    gaps_[pair] += event.last_number;
    expected_[pair].erase(serial);
}

// Nothing more is expected of it.
void TopicProgram::lost_session(size_t other) {
    for (auto& [pair, serials] : expected_) {
        if (pair.first == other) serials.clear();
    }
    ++world_.counts.ended;
}

void TopicProgram::tick(Time now) {
    for (const auto& session : sessions_) {
        if (session && session->next() <= now) session->tick(now);
    }
    serve(now);
}

Time TopicProgram::next() const {
    Time next = kNever;
    for (const auto& session : sessions_) {
        if (session) next = std::min(next, session->next());
    }
    return next;
}

void TopicProgram::settle() {
    for (const auto& session : sessions_) {
        if (session) session->settle();
    }
}

bool TopicProgram::quiet() {
    if (topics_->has_work(0) || topics_->has_events(0)) return false;
    return std::all_of(sessions_.begin(), sessions_.end(), [](const auto& each) { return !each || each->quiet(); });
}

bool TopicProgram::over() const {
    return std::all_of(sessions_.begin(), sessions_.end(), [](const auto& each) { return !each || each->closed(); });
}

// When everything has settled: what is missing was told as dropped.
void TopicProgram::check(const std::vector<std::unique_ptr<TopicProgram>>& all) {
    for (const auto& [pair, serials] : expected_) {
        const auto& told = all[pair.first]->dropped_;
        const auto found = told.find({number_, pair.second});
        const uint64_t dropped = found == told.end() ? 0 : found->second;
        if (serials.size() <= dropped) continue;
        world_.complain("program " + std::to_string(number_) + " misses " + std::to_string(serials.size()) + " of " +
                        std::to_string(pair.first) + " on " + name_of(pair.second) + ", first " +
                        std::to_string(*serials.begin()) + "; told as dropped: " + std::to_string(dropped));
    }
    for (const auto& [pair, gap] : gaps_) {
        const auto& told = all[pair.first]->dropped_;
        const auto found = told.find({number_, pair.second});
        if (gap > (found == told.end() ? 0 : found->second)) world_.complain("a gap that its publisher was not told");
    }
}

// ---- The world ----

TopicWorld::TopicWorld(const std::vector<Identity>& identities, const Network& network, uint64_t seed)
    : network_(network), rng_(seed * 0x2545F4914F6CDD1DULL + 5), actions_(rng_.between(20, 250)) {
    const size_t count = static_cast<size_t>(rng_.between(2, identities.size()));
    for (size_t i = 0; i < count; ++i) {
        programs_.push_back(std::make_unique<TopicProgram>(*this, i, identities[i], rng_, count));
    }
}

TopicWorld::~TopicWorld() = default;

TopicWorld::Way& TopicWorld::new_way(size_t dialler, size_t other) {
    Way& way = ways_.emplace_back();
    way.dialler = dialler;
    way.other = other;
    for (Link* link : {&way.there, &way.back}) {
        link->latency = static_cast<Time>(rng_.chance(30) ? 0 : rng_.below(30'000));
        if (rng_.chance(20)) link->slice = static_cast<size_t>(rng_.between(100, 3'000));
        if (rng_.chance(30)) link->capacity = static_cast<size_t>(rng_.between(100, 100'000));
    }
    return way;
}

// Whose join is complete gets it, or is told of it.
void TopicWorld::published(size_t from, size_t name, uint64_t serial) {
    for (const auto& program : programs_) {
        const size_t to = program->number();
        if (to == from || !program->listens(name, from)) continue;
        if (program->session(from).closed() || programs_[from]->session(to).closed()) continue;
        if (!programs_[from]->has_member(name, to)) complain("a join was answered by who does not know of it");
        program->expect(from, name, serial);
    }
}

std::string TopicWorld::run() {
    for (size_t i = 0; i < programs_.size(); ++i) {
        for (size_t j = i + 1; j < programs_.size(); ++j) {
            programs_[i]->add_session(j);
            programs_[j]->add_session(i);
        }
    }
    for (size_t i = 0; i < programs_.size(); ++i) {
        for (size_t j = i + 1; j < programs_.size(); ++j) {
            Way& way = new_way(i, j);
            programs_[j]->session(i).begin(now_, false, {}, way.back);
            programs_[i]->session(j).begin(now_, true, programs_[j]->id(), way.there);
        }
    }
    for (uint64_t steps = 0; complaint_.empty(); ++steps) {
        if (steps > 50'000) return "no end: " + state();
        step();
        if (actions_ == 0 && !settling_) {
            settling_ = true;
            for (const auto& program : programs_) program->settle();
        }
        if (settling_ && settled()) break;
    }
    for (const auto& program : programs_) program->check(programs_);
    if (!complaint_.empty()) return complaint_;
    closing_ = true;
    for (const auto& program : programs_) {
        for (size_t other = 0; other < programs_.size(); ++other) {
            if (program->has_session(other)) program->session(other).close(now_, now_ + 5 * kSecond);
        }
    }
    const auto over = [&] {
        return std::all_of(programs_.begin(), programs_.end(), [](const auto& each) { return each->over(); });
    };
    for (uint64_t steps = 0; complaint_.empty() && !over(); ++steps) {
        if (steps > 500'000) return "no end of closing";
        step();
    }
    return complaint_;
}

std::string TopicWorld::state() const {
    std::string all;
    for (const auto& program : programs_) {
        for (size_t other = 0; other < programs_.size(); ++other) {
            if (!program->has_session(other) || program->session(other).quiet()) continue;
            all += std::to_string(program->number()) + " to " + std::to_string(other) + ": " +
                   program->session(other).state() + "; ";
        }
    }
    for (const Way& way : ways_) {
        if (!way.broken && (way.there.next() != kNever || way.back.next() != kNever)) all += "a way is in use; ";
    }
    return all;
}

bool TopicWorld::settled() const {
    for (const Way& way : ways_) {
        if (way.there.next() != kNever && !way.broken) return false;
        if (way.back.next() != kNever && !way.broken) return false;
    }
    return std::all_of(programs_.begin(), programs_.end(), [](const auto& each) { return each->quiet(); });
}

void TopicWorld::step() {
    if (actions_ > 0) {
        --actions_;
        programs_[static_cast<size_t>(rng_.below(programs_.size()))]->act(now_);
        if (rng_.chance(10)) {
            Way& way = ways_[static_cast<size_t>(rng_.below(ways_.size()))];
            if (!std::exchange(way.broken, true)) {
                ++counts.breaks;
                way.there.close(now_, LinkEnd::broken);
                way.back.close(now_, LinkEnd::broken);
            }
        }
    }
    Time next = kNever;
    for (const Way& way : ways_) next = std::min({next, way.there.next(), way.back.next()});
    for (const auto& program : programs_) next = std::min(next, program->next());
    if (actions_ > 0) next = std::min(next, now_ + static_cast<Time>(rng_.below(20'000)));
    if (next == kNever) next = now_ + kMillisecond;
    now_ = std::max(now_, next);
    for (size_t i = 0; i < ways_.size(); ++i) {
        move(ways_[i].there, ways_[i].back, ways_[i].dialler, ways_[i].other);
        move(ways_[i].back, ways_[i].there, ways_[i].other, ways_[i].dialler);
    }
    for (const auto& program : programs_) {
        program->tick(now_);
        for (size_t other = 0; other < programs_.size(); ++other) {
            if (!program->has_session(other) || !program->session(other).wants_dial()) continue;
            Way& way = new_way(program->number(), other);
            programs_[other]->session(program->number()).dialled(now_, way.back);
            program->session(other).redial(now_, programs_[other]->id(), way.there);
        }
    }
}

void TopicWorld::move(Link& link, Link& answers, size_t from, size_t to) {
    if (link.next() > now_) return;
    LinkEnd end{};
    const auto bytes = link.pop(now_, rng_, end);
    programs_[to]->session(from).arrive(now_, answers, bytes, end);
    programs_[to]->serve(now_);
    programs_[from]->session(to).drive(now_);  // there is room on the link
    programs_[from]->serve(now_);
}

}  // namespace sealwire::sim
