// What does not depend on the channel: turns, the way in as a stranger, the log.
#include "node/any_peer.h"

#include "node/measured.h"
#include "node/node.h"
#include "transport/bridge.h"

namespace sealwire {

namespace {

constexpr Time kRetry = 100 * kMillisecond;

}  // namespace

AnyPeer::AnyPeer(Node& node, const PeerId* id, std::shared_ptr<HalfOpen> half_open, void* user, std::string address)
    : node_(node),
      dialled_(id != nullptr),
      place_(id ? Placement::Place(node.placement(), *id) : Placement::Place()),
      shard_(&node.shard(place_.shard())),
      user_(user),
      id_(id ? *id : PeerId{}),
      id_known_(id != nullptr),
      timer_(shard_->loop().timers(), [this] { on_timer(); }),
      address_(std::move(address)),
      half_open_(std::move(half_open)) {}

void AnyPeer::add_to_book() { node_.stats_book().add(*this); }

void AnyPeer::retire_handle() {
    HandleTable::process().close(handle_);
    HandleTable::process().retire(handle_);
}

std::shared_ptr<Shard> AnyPeer::shared_shard() const { return {node_.shared_from_this(), shard_}; }

bool AnyPeer::post_to(Shard& shard, std::function<void()> command) { return shard.loop().post(std::move(command)); }

void AnyPeer::start_pipe() {
    PipeHandler& handler = *this;
    link_ = std::make_unique<PipeRelay>(handler);
    pipe_->start(*link_);
}

// ---- Where it lives ----

void AnyPeer::settle() {
    settled_ = true;
    place_ = Placement::Place(node_.placement(), id_);
    // Who is only to be refused costs the other threads nothing.
    const bool stranger = node_.access() == Access::allow_list && !node_.allowed().contains(id_);
    if (stranger && !resumes()) return asked();
    if (place_.shard() == shard_->number()) return asked();
    shard_->send_away(*this);
}

// It is nobody's for the moment: nobody has its handle yet, and what its pipe tells waits.
void AnyPeer::leave_loop(Shard& to) {
    sealwire::leave_loop(shard_->loop(), link_, pipe_);
    timer_.move_to(to.loop().timers());
    const std::lock_guard lock(*mutex_);
    shard_ = &to;
}

void AnyPeer::arrive() {
    shard_->loop().refresh_now();  // not before the time that it knows
    bool there = false;
    try {
        const Result<void> entered = pipe_->enter_loop(shard_->loop());
        there = entered.has_value();
        if (entered) pipe_->set_reading(reading_);
        if (!entered) pipe_.reset(), give_up(entered.error());
        else if (shard_->shutting_down()) shut_down(shard_->time_left());
        else asked();
        if (pipe_ && blocked_) on_writable();
    } catch (const std::bad_alloc&) {
        if (!there) pipe_.reset();
        give_up({Errc::no_memory, "no memory for a peer that has come to its loop thread"});
    }
    drive();
}

// ---- Turns ----

void AnyPeer::abort(Error why) {
    give_up(std::move(why));
    drive();
}

void AnyPeer::drive() {
    if (driving_) return;
    driving_ = true;
    if (!try_turn() && !try_turn()) {
        // Nothing can be told without memory: once more when there may be some again.
        try {
            timer_.set(after(shard_->loop().now(), kRetry));
        } catch (const std::bad_alloc&) {  // the next thing that happens to it drives it
        }
    }
    driving_ = false;
}

bool AnyPeer::try_turn() {
    try {
        turn();
        return true;
    } catch (const std::bad_alloc&) {
        give_up({Errc::no_memory, "no memory to go on"});
        return false;
    }
}

// ---- As a stranger ----

void AnyPeer::enter_half_open() {
    if (AnyPeer* oldest = half_open_->enter(*this, half_open_place_)) oldest->crowd_out();
}

void AnyPeer::crowd_out() {
    const Error why{Errc::limit, "too many strangers: the oldest is dropped"};
    log(half_open_->dropped_log, LogLevel::info, why);
    abort(why);
}

void AnyPeer::check_newcomer() {
    tell_notice();
    if (dialled_ || shown_ || !network_shown()) return;
    shown_ = true;
    if (!half_open_->promote(half_open_place_, address_)) {
        const Error why{Errc::limit, "busy: too many handshakes at once, this one is refused"};
        log(half_open_->busy_log, LogLevel::warning, why);
        shard_->door_counters().busy.add();
        return turn_away(why);
    }
    if (!node_.short_of_time() && begin_handshake() == Begin::now) return;
    node_.wait_to_begin(*this);
    waits_ = true;
}

Begin AnyPeer::begin_handshake() {
    const Time now = shard_->loop().now();
    if (!node_.handshake_time().below(now, half_open_->limits().share_percent)) return Begin::no_time;
    if (!half_open_->may_begin(half_open_place_, now)) return Begin::too_fast;
    waits_ = false;
    try {
        const Measured measured(node_);
        admit(now);
    } catch (const std::bad_alloc&) {
        give_up({Errc::no_memory, "no memory for a handshake"});
    }
    tell_notice();
    return Begin::now;
}

void AnyPeer::leave_half_open() {
    if (waits_) node_.wait_no_more(*this);
    waits_ = false;
    if (half_open_) half_open_->leave(half_open_place_);
    half_open_.reset();
}

void AnyPeer::tell_notice() {
    const std::optional<Error> notice = take_notice();
    if (!notice) return;
    if (half_open_) log(half_open_->stranger_log, LogLevel::warning, *notice);
    else log(LogLevel::warning, *notice);
}

void AnyPeer::log_untold(const Error& why) {
    if (waits_) {
        return log(half_open_->busy_log, LogLevel::warning, {Errc::limit, "busy: a handshake waited in vain"});
    }
    // Of these a line was written when it happened.
    if (why.code == Errc::handshake || why.code == Errc::limit || why.code == Errc::not_allowed) return;
    const Error told{why.code, why.detail.empty() ? std::string(describe(why.code).text) : why.detail};
    if (half_open_) log(half_open_->stranger_log, LogLevel::info, told);
    else log(LogLevel::info, told);
}

void AnyPeer::tell_connecting(std::string_view address, uint32_t attempt, const Error& before) {
    NodeEvent out{.kind = NodeEventKind::peer_connecting, .errc = before.code};
    out.peer = handle_;
    out.user = user_.load(std::memory_order_relaxed);
    out.id = &id_;
    out.detail = before.detail;
    out.address = address;
    out.first = attempt;
    shard_->emit(out);
}

// ---- The log ----

void AnyPeer::log(LogLevel level, Errc code, std::string_view text, std::string_view route) {
    if (!node_.logs(level)) return;
    const bool known = id_known_.load(std::memory_order_relaxed);
    shard_->log(level, code, known ? &id_ : nullptr, address_, text, route);
}

void AnyPeer::log(LogLevel level, const Error& error) { log(level, error.code, error.detail); }

// What strangers can cause does not flood the log.
void AnyPeer::log(LogPace& pace, LogLevel level, const Error& error) {
    if (!node_.logs(level)) return;
    const std::optional<uint64_t> left_out = pace.allows(shard_->loop().now());
    if (left_out) log(level, error.code, error.detail + left_out_words(*left_out));
}

}  // namespace sealwire
