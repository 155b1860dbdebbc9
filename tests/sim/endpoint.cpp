// The hostile application and its books.
#include "sim/endpoint.h"

#include <cinttypes>

namespace sealwire::sim {

namespace {

constexpr size_t kScratch = 128 * 1024;

constexpr size_t kHead = 16;  // serial and size; a shorter body is not looked into

uint8_t filling(uint64_t serial, size_t i) { return static_cast<uint8_t>(serial * 31 + i * 7); }

}  // namespace

Endpoint::Endpoint(std::string name, const ConnectionConfig& config, SeededRng& rng, const Temper& temper)
    : name_(std::move(name)), config_(config), rng_(rng), temper_(temper), scratch_(kScratch), parts_(rng) {}

void Endpoint::connect(Time now, const PeerId& responder) {
    peer_ = responder;
    outbox_ = std::make_unique<Outbox>(config_.limits, true, config_.budget);
    connection_ = Connection::initiator(config_, responder, *outbox_, rng_, now, {});
    if (temper_.late_taken % 2 == 1) connection_->hello_on_demand();  // as the world has it: no draw of its own
    connection_->transport_connected(now);
    drive(now);
}

void Endpoint::listen(Time now) {
    outbox_ = std::make_unique<Outbox>(config_.limits, false, config_.budget);
    connection_ = Connection::responder(config_, *outbox_, rng_, now);
}

void Endpoint::complain(std::string text) {
    if (complaint_.empty()) complaint_ = name_ + ": " + std::move(text);
}

// serial, size, then bytes that follow from both.
std::vector<uint8_t> Endpoint::body(uint64_t serial) {
    size_t size = 16 + static_cast<size_t>(rng_.below(100));
    if (rng_.chance(10)) size = static_cast<size_t>(rng_.between(16, 16 * 1024 + 2));
    if (temper_.large && rng_.chance(6)) size = static_cast<size_t>(rng_.between(16, temper_.large)), ++counts.large;
    std::vector<uint8_t> bytes(size);
    Writer out{MutableBytes(bytes)};
    out.le64(serial);
    out.le64(size);
    for (size_t i = kHead; i < size; ++i) bytes[i] = filling(serial, i);
    return bytes;
}

std::vector<uint8_t> Endpoint::reply_body() {
    const uint64_t serial = next_serial_++;
    if (temper_.replies == 0 || rng_.chance(60)) return body(serial);
    ++counts.mixed;
    std::vector<uint8_t> bytes(static_cast<size_t>(rng_.below(rng_.chance(30) ? 20 : temper_.replies + 1)));
    if (bytes.size() >= kHead) {
        Writer out{MutableBytes(bytes)};
        out.le64(serial);
        out.le64(bytes.size());
    }
    for (size_t i = bytes.size() < kHead ? 0 : kHead; i < bytes.size(); ++i) bytes[i] = filling(serial, i);
    return bytes;
}

bool Endpoint::check_body(Bytes bytes, uint64_t& serial) {
    if (bytes.size() < kHead) return true;
    Reader in(bytes);
    serial = in.le64();
    if (in.le64() != bytes.size() || !in.ok()) return false;
    for (size_t i = kHead; i < bytes.size(); ++i) {
        if (bytes[i] != filling(serial, i)) return false;
    }
    return true;
}

std::vector<PartHead> Endpoint::add_parts(OutMessage& message) {
    if (!rng_.chance(temper_.parts)) return {};
    // Few are large: most of a run's time would go into them.
    std::vector<PartHead> heads = parts_.make(temper_.large == 0 ? 5'000 : rng_.chance(5) ? 2 * temper_.large : 30'000);
    message.parts = heads;
    message.part_numbers = part_numbers_;
    return heads;
}

bool Endpoint::accepted(Errc errc, const char* what) {
    if (errc == Errc::ok) return true;
    if (errc == Errc::again) {
        ++agains_;
        return false;
    }
    const bool allowed = errc == Errc::closed || errc == Errc::closing || errc == Errc::handle || errc == Errc::state;
    if (!allowed) complain(std::string(what) + " gave " + std::string(describe(errc).name));
    return false;
}

void Endpoint::act(Time now) {
    if (closed_ || closing_ || settling_ || !connection_) return;
    const std::string route = "route" + std::to_string(rng_.below(rng_.chance(5) ? 3000 : 4));
    const unsigned dice = static_cast<unsigned>(rng_.below(100));
    if (dice < 45) {
        const auto bytes = body(next_serial_);
        OutMessage message{.route = route, .body = bytes};
        message.receipt = rng_.chance(temper_.receipts);
        message.written = rng_.chance(temper_.receipts);
        const auto heads = add_parts(message);
        uint64_t receipt = 0, number = 0;
        if (accepted(outbox_->send(message, &receipt, this, &number), "send")) {
            if (!heads.empty()) {
                requests_[number].receipt = receipt;
                ++counts.requests;
                parts_.sent(number, heads, part_numbers_);
            }
            one_way_[receipt] = next_serial_++;
            if (message.receipt) wanted_.insert(receipt);
            if (message.written) to_write_.insert(receipt);
            ++counts.sends;
        }
    } else if (dice < 90) {
        const auto bytes = body(next_serial_);
        OutMessage message{.route = route, .body = bytes};
        const bool endless = rng_.chance(temper_.endless);
        if (!endless) {
            const auto some = [&] {
                return static_cast<uint32_t>(rng_.between(temper_.timeout_ms / 2 + 1, temper_.timeout_ms));
            };
            message.timeout_ms = some();
            if (rng_.chance(20)) message.between_ms = some();
            if (rng_.chance(20)) message.total_ms = 2 * some();
        }
        message.converse = rng_.chance(temper_.talks);
        const auto heads = add_parts(message);
        const Expects expects = rng_.chance(80) ? Expects::one : Expects::many;
        uint64_t number = 0;
        if (accepted(outbox_->request(message, expects, this, number), "request")) {
            ++next_serial_;
            if (requests_.count(number)) complain("an exchange number was used twice");
            requests_[number].endless = endless;
            requests_[number].talks = message.converse;
            requests_[number].first_only = message.between_ms == UINT32_MAX && message.total_ms == UINT32_MAX;
            parts_.sent(number, heads, part_numbers_);
            ++counts.requests;
            counts.endless += endless;
        }
    } else if (dice < 93 && !requests_.empty() && rng_.chance(50)) {
        auto at = requests_.lower_bound(rng_.below(requests_.rbegin()->first + 1));
        if (!at->second.endless) {
            at->second.first_only = false;
            DeadlineChange change{.number = at->first};
            change.next_ms = static_cast<uint32_t>(rng_.below(temper_.timeout_ms));
            change.between_ms = static_cast<uint32_t>(rng_.below(temper_.timeout_ms));
            change.clock = static_cast<DeadlineChange::Clock>(rng_.below(3));
            const bool pauses = change.clock == DeadlineChange::Clock::pause;
            if (accepted(outbox_->set_deadlines(change), "set_deadlines") && pauses) paused_.insert(at->first);
        }
    } else if (dice < 96 && !requests_.empty() && rng_.chance(temper_.asks)) {
        for (auto at = requests_.rbegin(); at != requests_.rend(); ++at) {
            if (!at->second.talks || at->second.done || rng_.chance(50)) continue;
            ask(at->first);
            break;
        }
    } else if (dice < 98 && !requests_.empty() && rng_.chance(temper_.cancel)) {
        auto at = requests_.lower_bound(rng_.below(requests_.rbegin()->first + 1));
        if (accepted(outbox_->cancel(at->first, rng_.chance(50) ? 11 : 70), "cancel")) {
            ++counts.cancels;
            one_way_.erase(at->second.receipt);
        }
    } else {
        connection_->ping(now, rng_.below(1000));
    }
    drive(now);
}

void Endpoint::arrive(Time now, Bytes bytes, LinkEnd end) {
    if (!connection_) return;
    if (!bytes.empty()) connection_->receive(now, bytes);
    if (end == LinkEnd::ended) connection_->transport_ended(now);
    if (end == LinkEnd::broken) connection_->transport_failed(now, {Errc::peer_lost, "cut"});
    drive(now);
}

void Endpoint::tick(Time now) {
    if (!connection_) return;
    if (connection_->next_timeout() <= now) connection_->on_timeout(now);
    for (size_t i = 0; i < held_.size();) {
        if (held_[i].at > now && !settling_) {
            ++i;
            continue;
        }
        const Taken taken = held_[i].taken;
        held_[i] = held_.back();
        held_.pop_back();
        give_back(now, taken);
    }
    for (size_t i = 0; i < answers_.size();) {
        if (answers_[i].at > now && !settling_) {
            ++i;
            continue;
        }
        const uint64_t number = answers_[i].number;
        answers_[i] = answers_.back();
        answers_.pop_back();
        answer(now, number);
    }
    for (size_t i = 0; i < to_answer_.size();) {
        if (to_answer_[i].at > now && !settling_) {
            ++i;
            continue;
        }
        const Question asked = to_answer_[i];
        to_answer_[i] = to_answer_.back();
        to_answer_.pop_back();
        answer_question(asked);
    }
    for (; settling_ && !paused_.empty(); paused_.erase(paused_.begin())) {
        accepted(outbox_->set_deadlines({.number = *paused_.begin(), .clock = DeadlineChange::Clock::resume}),
                 "resume");
    }
    parts_.act(now, *outbox_, settling_);
    drive_carriers(now);
    drive(now);
}

void Endpoint::close(Time now, Time deadline) {
    if (closed_ || closing_ || !connection_) return;
    closing_ = true;
    connection_->close(now, 0, "", deadline);
    drive(now);
}

Time Endpoint::next() const {
    if (!connection_) return kNever;
    if (more_) return 0;
    Time next = std::min(connection_->next_timeout(), closed_ ? kNever : parts_.next());
    for (const auto& carrier : carriers_) next = std::min(next, carrier->connection->next_timeout());
    for (const Held& held : held_) next = std::min(next, held.at);
    for (const Answer& answer : answers_) next = std::min(next, answer.at);
    for (const Question& asked : to_answer_) next = std::min(next, asked.at);
    return next;
}

bool Endpoint::quiet() const {
    for (const auto& [number, request] : requests_) {
        if (!request.done) return false;
    }
    for (const auto& [key, ended] : asked_) {
        if (!ended) return false;
    }
    return parts_.empty() && to_answer_.empty() && held_.empty() && answers_.empty() && wanted_.empty() &&
           (!outbox_ || outbox_->settled());
}

// The loop that connection.h asks for, in turns of a few rounds like a node's; what is left waits for the next.
void Endpoint::drive(Time now) {
    more_ = false;
    for (int round = 0; round <= temper_.rounds; ++round) {
        connection_->sync(now);
        while (!out_->full()) {
            const size_t size = connection_->poll_output(scratch_);
            if (size == 0) break;
            out_->push(now, Bytes(scratch_.data(), size));
            if (rng_.chance(temper_.writes)) connection_->written();
            if (rng_.chance(50)) connection_->sync(now);  // not needed, and must not be
        }
        while (Event* next = connection_->poll_event()) {
            Event event = std::move(*next);
            handle(now, event);
        }
        if (connection_->wants_transport_shutdown()) out_->close(now, LinkEnd::ended);
        if (connection_->wants_transport_close()) out_->close(now, LinkEnd::ended);
        if (!connection_->wants_sync() || out_->full()) {
            turns_in_a_row_ = 0;
            return;
        }
    }
    more_ = true;
    ++counts.rounds_full;
    if (++turns_in_a_row_ > 10'000) complain("the connection never comes to rest");
}

void Endpoint::handle(Time now, Event& event) {
    if (closed_) return complain("an event after closed");
    switch (event.kind) {
        case EventKind::proved: connection_->hello(now, {}); return;
        case EventKind::asks: connection_->accept(now, {}); return;
        case EventKind::connected: connected_ = true; return;
        case EventKind::suspended:
            if (std::exchange(suspended_, true)) complain("suspended twice");
            ++counts.suspended;
            return;
        case EventKind::resumed:
            if (std::exchange(suspended_, false) != (event.first != 0)) complain("resumed, but not suspended");
            ++(event.first ? counts.resumed : counts.moved);
            return;
        case EventKind::refused:
            if (!suspended_) complain("refused, but not suspended");
            ++counts.refused;
            return;
        case EventKind::closing:
        case EventKind::part_end: return;  // nothing is saved here
        case EventKind::message: return on_message(now, event);
        case EventKind::question: {
            free_hostages(now);
            uint64_t serial = 0;
            if (!check_body(event.body, serial)) complain("a question came altered");
            parts_.came(now, event, temper_.unread);
            on_question(now, event.number, event.first);
            if (rng_.chance(temper_.late_taken)) {
                held_.push_back({now + static_cast<Time>(rng_.between(1, 100'000)), event.taken});
            } else {
                give_back(now, event.taken);
            }
            return;
        }
        case EventKind::answer: return on_answer(now, event);
        case EventKind::talk_over: return complain("an internal event");
        case EventKind::reply:
        case EventKind::done: {
            free_hostages(now);
            if (event.kind == EventKind::done) parts_.exchange_over(event.number);
            if (event.kind == EventKind::done && !event.mine) {
                if (!serving_.count(event.number)) complain("done of an exchange that was answered or never was");
                serving_.erase(event.number);
                outbox_->forget(event.number);
                return;
            }
            const auto request = requests_.find(event.number);
            if (request == requests_.end()) return complain("an answer to no request");
            if (request->second.done) return complain("an answer after done");
            if (event.user != this) complain("user of the exchange is lost");
            uint64_t serial = 0;
            if (event.has_body && !check_body(event.body, serial)) complain("a reply came altered");
            parts_.came(now, event, temper_.unread);
            if (event.has_body) give_back(now, event.taken);
            if (event.kind == EventKind::reply) {
                request->second.replied = true;
                return;
            }
            if (event.errc == Errc::timeout && request->second.replied && request->second.first_only)
                complain("timeout behind the first reply");
            request->second.done = true;
            request->second.errc = event.errc;
            ++counts.done;
            if (event.errc == Errc::protocol || event.errc == Errc::flow || event.errc == Errc::limit) {
                complain("an exchange ended with " + std::string(describe(event.errc).name));
            }
            return;
        }
        case EventKind::receipt:
            free_hostages(now);
            if (event.errc == Errc::ok && event.code == static_cast<uint32_t>(ReceiptStage::written)) {
                for (uint64_t receipt = event.first; receipt <= event.last_number; ++receipt) {
                    if (to_write_.erase(receipt) == 0) complain("written, but not wanted, twice, or behind its end");
                    ++counts.written;
                }
                return;
            }
            for (uint64_t receipt = event.first; receipt <= event.last_number; ++receipt) {
                const bool unwritten = to_write_.erase(receipt) > 0;
                if (unwritten && event.errc == Errc::ok) complain("acknowledged, but not written");
                if (!settled_.emplace(receipt, event.errc).second) complain("a message was settled twice");
                wanted_.erase(receipt);
                ++counts.receipts;
            }
            return;
        case EventKind::writable:
            if (++writables_ > agains_) complain("writable without again");
            return;
        case EventKind::part_data:
            parts_.data(event);
            if (event.user != this && event.mine) complain("user of the exchange is lost with a part");
            if (rng_.chance(temper_.late_taken)) {
                held_.push_back({now + static_cast<Time>(rng_.between(1, 100'000)), event.taken});
            } else {
                give_back(now, event.taken);
            }
            return;
        case EventKind::part_done: return parts_.done(event);
        case EventKind::part_writable: return parts_.writable(event);
        case EventKind::pong:
        case EventKind::stalled: return;
        case EventKind::topic_message:
        case EventKind::topic_run: return complain("a message of a topic");
        case EventKind::closed: closed_ = true; return;
    }
}

void Endpoint::on_message(Time now, Event& event) {
    free_hostages(now);
    uint64_t serial = 0;
    if (!check_body(event.body, serial)) return complain("a message came altered");
    if (!delivered_.insert(serial).second) complain("a message was delivered twice");
    ++counts.delivered;
    if (event.expects == Expects::none && event.body.size() <= kMaxFrameBody && !event.part_count)
        delivered_small_.push_back(serial);
    if (rng_.chance(3)) {
        connection_->refuse(event.taken, WireCode::no_route);
        return;
    }
    parts_.came(now, event, temper_.unread);
    if (event.expects != Expects::none) {
        serving_[event.number] = event.expects == Expects::many;
        if (!event.last) may_ask_.insert(event.number);
        if (event.timeout_ms != UINT32_MAX && rng_.chance(temper_.never)) {
            if (rng_.chance(50)) answers_.push_back({kNever, event.number});
            else silent_.insert(event.number);
        } else if (rng_.chance(temper_.hostage)) {
            answers_.push_back({kNever, event.number});
        } else if (rng_.chance(temper_.late_reply)) {
            answers_.push_back({now + static_cast<Time>(rng_.between(1, 200'000)), event.number});
        } else {
            answer(now, event.number);
        }
    }
    if (rng_.chance(temper_.late_taken)) {
        held_.push_back({now + static_cast<Time>(rng_.between(1, 100'000)), event.taken});
    } else {
        give_back(now, event.taken);
    }
}

void Endpoint::give_back(Time, const Taken& taken) {
    if (rng_.chance(50)) connection_->taken(taken);
    else outbox_->taken(taken);  // as from another thread
}

void Endpoint::answer(Time now, uint64_t number) {
    const auto serving = serving_.find(number);
    if (serving == serving_.end()) return;
    const bool many = serving->second;
    if (!settling_ && may_ask_.count(number) && rng_.chance(temper_.asks) && ask(number) && rng_.chance(70)) {
        answers_.push_back({kNever, number});  // until the question is answered, or something else comes
        return;
    }
    if (rng_.chance(temper_.cancel / 4)) {
        if (accepted(outbox_->cancel(number, 11), "handler's cancel")) serving_.erase(number);
        return;
    }
    if (rng_.chance(temper_.status)) {
        if (accepted(outbox_->status(number, rng_.chance(50) ? 0 : 64, "words"), "status")) serving_.erase(number);
        return;
    }
    const uint64_t replies = many ? rng_.below(6) : 0;
    for (uint64_t i = 0; i < replies; ++i) {
        const auto bytes = reply_body();
        OutMessage message{.body = bytes, .more = true};
        const auto heads = add_parts(message);
        const Errc errc = outbox_->reply(number, message, nullptr);
        if (errc == Errc::too_many || !accepted(errc, "reply")) break;
        parts_.sent(number, heads, part_numbers_);
        ++counts.replies;
        if (!settling_ &&
            rng_.chance(temper_.late_reply / 2)) {  // the rest later, also behind the deadline of the first
            answers_.push_back({now + static_cast<Time>(rng_.between(1, 500'000)), number});
            return;
        }
    }
    const auto bytes = reply_body();
    OutMessage last{.body = bytes};
    last.receipt = rng_.chance(temper_.receipts);
    last.written = rng_.chance(temper_.receipts);
    auto heads = add_parts(last);
    uint64_t receipt = 0;
    Errc errc = outbox_->reply(number, last, &receipt);
    if (errc == Errc::too_many && !heads.empty()) {  // as many parts as may be are open
        heads.clear();
        last.parts = {};
        errc = outbox_->reply(number, last, &receipt);
    }
    if (accepted(errc, "last reply")) {
        parts_.sent(number, heads, part_numbers_);
        serving_.erase(number);
        if (last.receipt) wanted_.insert(receipt);
        if (last.written) to_write_.insert(receipt);
        ++counts.replies;
    }
}

void Endpoint::free_hostages(Time now) {
    for (Answer& answer : answers_) {
        if (answer.at == kNever && rng_.chance(40)) answer.at = now;
    }
    for (Question& asked : to_answer_) {
        if (asked.at == kNever && rng_.chance(40)) asked.at = now;
    }
}

void Endpoint::check_books(const Endpoint& other, bool clean) {
    if (!closed_) complain("never closed: " + state());
    if (!parts_.complaint.empty()) complain(parts_.complaint);
    if (!parts_.empty()) complain("a part never ended");
    for (const auto& [number, request] : requests_) {
        if (!request.done) complain("request " + std::to_string(number) + " never ended");
        const bool lost = request.errc == Errc::timeout || request.errc == Errc::outcome_unknown ||
                          request.errc == Errc::not_sent || request.errc == Errc::closing;
        if (clean && request.endless && lost) {
            complain("request " + std::to_string(number) + " without a deadline ended with " +
                     std::string(describe(request.errc).name));
        }
    }
    for (const auto& [key, ended] : asked_) {
        if (!ended)
            complain("question " + std::to_string(key.second) + " of " + std::to_string(key.first) + " never ended");
    }
    if (!to_write_.empty()) complain("message " + std::to_string(*to_write_.begin()) + " neither written nor failed");
    if (!wanted_.empty()) complain("receipt " + std::to_string(*wanted_.begin()) + " never settled");
    const Errc end = why();
    if (end == Errc::protocol || end == Errc::flow || end == Errc::limit || end == Errc::record) {
        complain("ended with " + std::string(describe(end).name) + ": " + connection_->why().detail);
    }
    for (size_t i = 1; i < delivered_small_.size(); ++i) {
        if (delivered_small_[i] < delivered_small_[i - 1]) complain("one-way messages came out of order");
    }
    for (const auto& [receipt, serial] : one_way_) {
        const auto settled = settled_.find(receipt);
        const bool arrived = other.delivered_.count(serial) > 0;
        if (settled != settled_.end() && settled->second == Errc::ok && !arrived)
            complain("acknowledged but not delivered");
        if (settled != settled_.end() && settled->second == Errc::not_sent && arrived)
            complain("not sent but delivered");
        if (!arrived && settled == settled_.end() && connected_) complain("lost silently: " + std::to_string(serial));
        if (clean && !arrived) {
            complain("not delivered in a clean run: " + std::to_string(serial) + " receipt " + std::to_string(receipt) +
                     " " + std::string(settled == settled_.end() ? "not settled" : describe(settled->second).name));
        }
    }
}

std::string Endpoint::state() const {
    return "requests " + std::to_string(requests_.size()) + ", done " + std::to_string(counts.done) + ", held " +
           std::to_string(held_.size()) + ", answers " + std::to_string(answers_.size()) + ", wanted " +
           std::to_string(wanted_.size()) + ", questions " + std::to_string(to_answer_.size()) + ", live " +
           std::to_string(outbox_->live_exchanges()) + ", queued " + std::to_string(outbox_->queued_bytes()) +
           ", sequence " + std::to_string(outbox_->sequence_end()) + "/" + std::to_string(outbox_->received()) +
           (connected_ ? ", connected" : ", not connected") + ", why " + std::string(describe(why()).name);
}

}  // namespace sealwire::sim
