// The simulated programs of topics and their books.
#include "sim/topics_world.h"

#include <algorithm>

#include "base/reader.h"
#include "base/writer.h"
#include "protocol/handshake.h"

namespace sealwire::sim {

namespace {

constexpr size_t kTopicHead = 28;  // serial, publisher, topic, the publisher's join

uint8_t topic_filling(uint64_t serial, size_t i) { return static_cast<uint8_t>(serial * 31 + i * 7); }

std::string name_of(size_t topic) { return "topic " + std::to_string(topic); }

}  // namespace

// ---- Programs ----

TopicProgram::TopicProgram(TopicWorld& world, size_t number, const Identity& identity, SeededRng& rng, size_t programs,
                           TopicRouting routing)
    : world_(world),
      number_(number),
      identity_(identity),
      rng_(rng),
      slow_(static_cast<SlowPeers>(rng.below(3))),
      queue_(rng.chance(50) ? 4 * 1024 * 1024 : rng.between(1'000, 40'000)),
      late_taken_(rng.chance(50) ? static_cast<unsigned>(rng.below(90)) : 0),
      topics_(std::make_unique<Topics>(1, *this, rng, nullptr, std::move(routing))),
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
    join.number = next_join_++;
    join.whole = world_.all_connected();
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

void TopicProgram::leave_all() {
    for (size_t name = 0; name < kNames; ++name) {
        if (joins_[name]) leave(name);
    }
}

bool TopicProgram::connected() const {
    return std::all_of(sessions_.begin(), sessions_.end(),
                       [](const auto& each) { return !each || (each->joins() && !each->is_cut()); });
}

void TopicProgram::cut() {
    for (const auto& join : joins_) {
        if (join && !join->told) join->whole = false;
    }
}

void TopicProgram::act(Time now) {
    const size_t name = static_cast<size_t>(rng_.below(kNames));
    const unsigned dice = static_cast<unsigned>(rng_.below(100));
    if (is_hub() && !world_.hubs_talk()) return;
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
        out.le64(joins_[name]->number);
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
    if (event.handle == 0) {
        if (event.kind == TopicEvent::Kind::dropped)
            dropped_as_hub_[static_cast<size_t>(event.link) - 1] += event.count;
        if (event.kind == TopicEvent::Kind::refused) world_.complain("a hub was refused");
        return;
    }
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
            // A hub that is left without all that waits for it loses that also where the topic blocks.
            if (blocks() && event.count > 0 && !event.hub && !world_.closing())
                world_.complain("dropped where it blocks");
            dropped_[pair] += event.count;
            world_.counts.dropped += event.count;
            return;
        default: return;
    }
}

void TopicProgram::on_message(size_t from, const Event& event, const TopicAudience& audience, uint64_t dropped) {
    Reader in(event.body);
    const uint64_t serial = in.le64();
    const uint64_t publisher = in.le64();
    const auto name = static_cast<size_t>(in.le32());
    const uint64_t published_by = in.le64();
    ++world_.counts.delivered;
    if (publisher != from) ++world_.counts.over_hubs;
    const bool may = publisher == from || (world_.is_hub(from) && publisher != number_);
    if (!in.ok() || !may || name >= kNames || audience.name != name_of(name)) {
        return world_.complain("a message of another publisher or topic");
    }
    for (size_t i = kTopicHead; i < event.body.size(); ++i) {
        if (event.body[i] != topic_filling(serial, i)) return world_.complain("a message came altered");
    }
    const Pair pair(static_cast<size_t>(publisher), name);
    Last& last = last_[pair];
    if (serial <= last.serial) world_.complain("a message came twice or out of order");
    const uint64_t heard_by = joins_[name]->number;
    if (event.route && last.published_by == published_by && last.heard_by == heard_by) {
        const uint64_t gap = serial - last.serial - 1;
        if (dropped != gap) {
            world_.complain("a gap of " + std::to_string(gap) + " that was told as " + std::to_string(dropped));
        }
        for (uint64_t missed = last.serial + 1; missed < serial; ++missed) expected_[pair].erase(missed);
    }
    last = {serial, published_by, heard_by};
    gaps_[pair] += dropped;
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
    const auto told_to = [&](const TopicProgram& by, size_t of, size_t name) {
        const auto found = by.dropped_.find({of, name});
        const auto as_hub = by.dropped_as_hub_.find(of);
        return (found == by.dropped_.end() ? 0 : found->second) +
               (as_hub == by.dropped_as_hub_.end() ? 0 : as_hub->second);
    };
    for (const auto& [pair, serials] : expected_) {
        uint64_t dropped = told_to(*all[pair.first], number_, pair.second);
        for (const auto& hub : all) {  // on any way to it
            if (!hub->is_hub()) continue;
            dropped += told_to(*all[pair.first], hub->number(), pair.second) + told_to(*hub, number_, pair.second);
            for (const auto& next : all) {
                if (next->is_hub()) dropped += told_to(*hub, next->number(), pair.second);
            }
        }
        if (serials.size() <= dropped) continue;
        world_.complain("program " + std::to_string(number_) + " misses " + std::to_string(serials.size()) + " of " +
                        std::to_string(pair.first) + " on " + name_of(pair.second) + ", first " +
                        std::to_string(*serials.begin()) + "; told as dropped: " + std::to_string(dropped));
    }
    for (const auto& join : joins_) {
        if (join && !join->told) world_.complain("a join was never answered");
    }
    if (world_.has_hubs()) return;  // each gap was looked at when it came
    for (const auto& [pair, gap] : gaps_) {
        const auto& told = all[pair.first]->dropped_;
        const auto found = told.find({number_, pair.second});
        if (gap > (found == told.end() ? 0 : found->second)) world_.complain("a gap that its publisher was not told");
    }
}

// ---- The world ----

TopicWorld::TopicWorld(const std::vector<Identity>& identities, const Network& network, uint64_t seed, size_t hubs)
    : network_(network),
      rng_(seed * 0x2545F4914F6CDD1DULL + 5),
      hubs_(hubs == 0 ? 0 : static_cast<size_t>(rng_.between(1, hubs))),
      hubs_talk_(rng_.chance(30)),
      actions_(rng_.between(20, 250)) {
    const size_t count = static_cast<size_t>(rng_.between(hubs_ + 2, identities.size()));
    for (size_t i = 0; i < count; ++i) {
        for (size_t j = i + 1; j < count; ++j) {
            const bool ring = hubs_ == 3 && !rng_.chance(50);
            const unsigned chance = hubs_ == 0 ? 100 : j < hubs_ ? (j == i + 1 || ring ? 100 : 0) : i < hubs_ ? 50 : 20;
            if (rng_.chance(chance)) linked_.insert({i, j});
        }
    }
    for (size_t i = hubs_; hubs_ > 0 && i < count; ++i) linked_.insert({rng_.below(hubs_), i});
    for (size_t i = 0; i < count; ++i) {
        TopicRouting routing{.self = identities[i].id(), .hub = is_hub(i), .queue = rng_.between(100'000, 4'000'000)};
        for (size_t hub = 0; hub < hubs_; ++hub) {
            if (hub != i) routing.hubs.push_back(identities[hub].id());
        }
        routing.start_ms = static_cast<uint64_t>(now_ / kMillisecond);
        programs_.push_back(std::make_unique<TopicProgram>(*this, i, identities[i], rng_, count, std::move(routing)));
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
        if (to == from) continue;
        if (program->hears_all(name) && programs_[from]->reaches_all(name)) program->expect(from, name, serial);
        if (!program->has_session(from) || !program->listens(name, from)) continue;
        if (program->session(from).closed() || programs_[from]->session(to).closed()) continue;
        if (!programs_[from]->has_member(name, to)) complain("a join was answered by who does not know of it");
        program->expect(from, name, serial);
    }
}

void TopicWorld::connect() {
    for (const auto& [i, j] : linked_) {
        programs_[i]->add_session(j);
        programs_[j]->add_session(i);
    }
    for (const auto& [i, j] : linked_) {
        Way& way = new_way(i, j);
        programs_[j]->session(i).begin(now_, false, {}, way.back);
        programs_[i]->session(j).begin(now_, true, programs_[j]->id(), way.there);
    }
}

bool TopicWorld::all_connected() const {
    return std::all_of(programs_.begin(), programs_.end(), [](const auto& each) { return each->connected(); });
}

bool TopicWorld::is_broken(const Link* link) const {
    return std::any_of(ways_.begin(), ways_.end(),
                       [&](const Way& way) { return way.broken && (link == &way.there || link == &way.back); });
}

std::string TopicWorld::run_until_settled() {
    for (uint64_t steps = 0; complaint_.empty(); ++steps) {
        if (steps > 50'000) return "no end: " + state();
        step();
        if (actions_ == 0 && !settling_) {
            settling_ = true;
            for (const auto& program : programs_) program->settle();
        }
        if (settling_ && settled()) break;
    }
    return complaint_;
}

std::string TopicWorld::run() {
    connect();
    if (const std::string complaint = run_until_settled(); !complaint.empty()) return complaint;
    for (const auto& program : programs_) program->check(programs_);
    if (!complaint_.empty()) return complaint_;
    // What nobody has joined any more is forgotten by all, rings of hubs included.
    for (const auto& program : programs_) program->leave_all();
    if (const std::string complaint = run_until_settled(); !complaint.empty()) return complaint;
    for (const auto& program : programs_) {
        if (program->topics().size() > 0) return "topics that nobody has joined are kept";
    }
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
                for (const auto& program : programs_) program->cut();
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
