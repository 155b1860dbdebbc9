// Peer's commands: each finds its peer by handle, under the lock of whose slot it speaks to the outbox or posts to the loop.
#include <chrono>
#include <new>

#include "node/node.h"
#include "node/peer.h"

namespace sealwire {

namespace {

constexpr size_t kCommandCost = 32;         // bytes that a command without a body stands for
constexpr size_t kUrgentBytes = 32 * 1024;  // of commands on the loop thread: sent before the next event

void wake(const std::shared_ptr<Shard>& shard) {
    if (shard) shard->loop().wake();
}

// Once they are bound to their parts.
void start(std::span<Peer::FilePart> files) {
    for (Peer::FilePart& file : files) file.transfer->schedule();
}

}  // namespace

// From other threads the first command since the last drain wakes the loop, once the lock is released; on the loop thread
// what waits is sent at the end of the turn.
std::shared_ptr<Shard> Peer::touch(size_t bytes) {
    const size_t waiting = unflushed_.load(std::memory_order_relaxed) + bytes + kCommandCost;
    unflushed_.store(waiting, std::memory_order_relaxed);
    // Cleared under this lock only, by the sync that will see this command.
    const bool listed_already = dirty_.load(std::memory_order_relaxed);
    if (listed_already && waiting < kUrgentBytes) return nullptr;
    const bool here = shard_->loop().on_loop_thread();
    if (here && waiting >= kUrgentBytes) shard_->set_urgent();
    if (listed_already) return nullptr;
    dirty_.store(true);
    const bool first = !listed.exchange(true) && shard_->list_dirty(*this);
    return first && !here ? shared_shard() : nullptr;
}

Errc Peer::resolve(const Locked& peer, OutMessage& message) {
    if (message.interned == 0) return Errc::ok;
    if (message.node != 0 && message.node != peer->node_.handle()) {  // the number means another route here
        message.foreign = true;
        return Errc::argument;
    }
    if (peer->outbox_.knows(message.interned)) return Errc::ok;
    const std::string* route = peer->node_.routes().interned(message.interned);
    if (!route) return Errc::argument;
    message.route = *route;
    return Errc::ok;
}

Errc Peer::send(uint64_t handle, OutMessage& message, uint64_t* receipt, void* user, uint64_t* number,
                std::span<FilePart> files) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (const Errc errc = resolve(peer, message); errc != Errc::ok) return errc;
    if (!files.empty()) peer->transfers_.reserve(peer->transfers_.size() + files.size());
    if (const Errc errc = peer->outbox_.send(message, receipt, user, number); errc != Errc::ok) return errc;
    if (!files.empty()) peer->add_files(*number, message, files);
    const std::shared_ptr<Shard> shard = peer->touch(message.body.size());
    peer.unlock();
    wake(shard);
    start(files);
    return Errc::ok;
}

Errc Peer::request(uint64_t handle, OutMessage& message, Expects expects, void* user, uint64_t* number,
                   std::span<FilePart> files) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (const Errc errc = resolve(peer, message); errc != Errc::ok) return errc;
    peer->set_timeout(message);
    uint64_t opened = 0;
    if (!files.empty()) peer->transfers_.reserve(peer->transfers_.size() + files.size());
    if (const Errc errc = peer->outbox_.request(message, expects, user, opened); errc != Errc::ok) return errc;
    if (number) *number = opened;
    if (!files.empty()) peer->add_files(opened, message, files);
    const std::shared_ptr<Shard> shard = peer->touch(message.body.size());
    peer.unlock();
    wake(shard);
    start(files);
    return Errc::ok;
}

Errc Peer::request(uint64_t handle, OutMessage& message, const RetryPlan& plan, void* user, uint64_t* number) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (const Errc errc = resolve(peer, message); errc != Errc::ok) return errc;
    peer->set_timeout(message);
    if (!peer->retries_) peer->retries_ = std::make_unique<Retries>(peer->outbox_);
    peer->retrying_.store(true, std::memory_order_relaxed);
    uint64_t opened = 0;
    if (const Errc errc = peer->retries_->begin(message, plan, user, opened); errc != Errc::ok) return errc;
    if (number) *number = opened;
    const std::shared_ptr<Shard> shard = peer->touch(message.body.size());
    peer.unlock();
    wake(shard);
    return Errc::ok;
}

// A request that names none has the node's.
void Peer::set_timeout(OutMessage& message) const {
    if (message.timeout_ms != 0) return;
    const Time limit = node_.limits().request;
    message.timeout_ms = limit == kNever ? UINT32_MAX : static_cast<uint32_t>(limit / kMillisecond);
}

Errc Peer::reply(uint64_t handle, uint64_t number, OutMessage& message, uint64_t* receipt, std::span<FilePart> files) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (!files.empty()) peer->transfers_.reserve(peer->transfers_.size() + files.size());
    if (const Errc errc = peer->outbox_.reply(number, message, receipt); errc != Errc::ok) return errc;
    if (!files.empty()) peer->add_files(number, message, files);
    const std::shared_ptr<Shard> shard = peer->touch(message.body.size());
    const std::shared_ptr<Node> keyed = peer->keyed_ && !message.more ? peer->node_.shared_from_this() : nullptr;
    peer.unlock();
    wake(shard);
    start(files);
    if (keyed) keyed->answers().answered({handle, number}, message);
    return Errc::ok;
}

Errc Peer::status(uint64_t handle, uint64_t number, uint32_t code, std::string_view text, Bytes details, uint8_t type) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (const Errc errc = peer->outbox_.status(number, code, text, details, type); errc != Errc::ok) return errc;
    const std::shared_ptr<Shard> shard = peer->touch(text.size() + details.size());
    const std::shared_ptr<Node> keyed = peer->keyed_ ? peer->node_.shared_from_this() : nullptr;
    peer.unlock();
    wake(shard);
    if (keyed) keyed->answers().answered({handle, number}, code, text, details, type);
    return Errc::ok;
}

Errc Peer::cancel(uint64_t handle, uint64_t number, uint32_t code) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    const uint32_t wire = code == 0 ? static_cast<uint32_t>(WireCode::cancelled) : code;
    const std::optional<Errc> retried = peer->retries_ ? peer->retries_->cancel(number, wire) : std::nullopt;
    if (const Errc errc = retried ? *retried : peer->outbox_.cancel(number, wire); errc != Errc::ok) return errc;
    const std::shared_ptr<Shard> shard = peer->touch(0);
    peer.unlock();
    wake(shard);
    return Errc::ok;
}

Errc Peer::write_part(uint64_t handle, uint64_t number, uint64_t part, const PartBytes& bytes) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (const Errc errc = peer->outbox_.write(number, part, bytes); errc != Errc::ok) return errc;
    const std::shared_ptr<Shard> shard = peer->touch(bytes.bytes.size());
    peer.unlock();
    wake(shard);
    return Errc::ok;
}

Errc Peer::read_part(uint64_t handle, uint64_t number, uint64_t part, uint64_t amount) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (const Errc errc = peer->outbox_.read(peer->of_outbox(number), part, amount); errc != Errc::ok) return errc;
    const std::shared_ptr<Shard> shard = peer->touch(0);
    peer.unlock();
    wake(shard);
    return Errc::ok;
}

Errc Peer::cancel_part(uint64_t handle, uint64_t number, uint64_t part, uint32_t code) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    const uint32_t wire = code == 0 ? static_cast<uint32_t>(WireCode::cancelled) : code;
    const Errc errc = peer->outbox_.cancel_part(peer->of_outbox(number), part, wire);
    if (errc != Errc::ok) return errc;
    const std::shared_ptr<Shard> shard = peer->touch(0);
    peer.unlock();
    wake(shard);
    return Errc::ok;
}

Errc Peer::set_exchange_user(uint64_t handle, uint64_t number, void* user) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    const std::optional<Errc> retried = peer->retries_ ? peer->retries_->set_user(number, user) : std::nullopt;
    return retried ? *retried : peer->outbox_.set_user(number, user);
}

Errc Peer::ask(uint64_t handle, uint64_t number, OutMessage& message, uint64_t* receipt, uint64_t& question) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (const Errc errc = peer->outbox_.ask(number, message, receipt, question); errc != Errc::ok) return errc;
    const std::shared_ptr<Shard> shard = peer->touch(message.body.size());
    peer.unlock();
    wake(shard);
    return Errc::ok;
}

Errc Peer::answer(uint64_t handle, uint64_t number, uint64_t question, OutMessage& message, uint64_t* receipt,
                  uint64_t* back) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (const Errc errc = peer->outbox_.answer(number, question, message, receipt, back); errc != Errc::ok) return errc;
    const std::shared_ptr<Shard> shard = peer->touch(message.body.size());
    peer.unlock();
    wake(shard);
    return Errc::ok;
}

Errc Peer::answer_status(uint64_t handle, uint64_t number, uint64_t question, uint32_t code, std::string_view text) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (const Errc errc = peer->outbox_.answer_status(number, question, code, text); errc != Errc::ok) return errc;
    const std::shared_ptr<Shard> shard = peer->touch(text.size());
    peer.unlock();
    wake(shard);
    return Errc::ok;
}

Errc Peer::running(uint64_t handle, uint64_t number) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    const std::optional<Errc> retried = peer->retries_ ? peer->retries_->running(number) : std::nullopt;
    return retried ? *retried : peer->outbox_.running(number);
}

Errc Peer::running(uint64_t handle, Outbox::Running& all, uint64_t& queued_bytes) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    all = peer->outbox_.running();
    if (peer->retries_) all.requests += static_cast<uint64_t>(peer->retries_->beyond_attempts());
    queued_bytes = peer->outbox_.queued_bytes();
    return Errc::ok;
}

Errc Peer::message_uuid(uint64_t handle, uint64_t number, bool own, uint64_t place, Uuid& out) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (!peer->session_id_) return Errc::state;
    const uint64_t parity = peer->outbox_.wire_id_parity();
    const uint64_t exchange = peer->of_outbox(number);
    out = sealwire::message_uuid(*peer->session_id_, own == (parity == 0), exchange ^ parity, place);
    return Errc::ok;
}

Errc Peer::set_deadlines(uint64_t handle, const DeadlineChange& change) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    DeadlineChange meant = change;
    meant.number = peer->of_outbox(change.number);
    const bool retried = peer->retries_ && meant.number == change.number && peer->retries_->running(change.number);
    if (retried) return Errc::state;  // its attempts have theirs
    if (const Errc errc = peer->outbox_.set_deadlines(meant); errc != Errc::ok) return errc;
    const std::shared_ptr<Shard> shard = peer->touch(0);
    peer.unlock();
    wake(shard);
    return Errc::ok;
}

void Peer::give_back(uint64_t handle, const Taken& taken) { give_back(handle, std::span(&taken, 1)); }

void Peer::give_back(uint64_t handle, std::span<const Taken> taken) {
    if (taken.empty()) return;
    Locked peer = lock(handle);
    if (!peer) return;
    for (const Taken& each : taken) peer->outbox_.taken(each);
    const std::shared_ptr<Shard> shard = peer->touch(0);
    peer.unlock();
    wake(shard);
}

Errc Peer::hello(uint64_t handle, Bytes data) {
    if (data.size() > kMaxApplicationData) return Errc::too_big;
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (peer->stage_ == Stage::closing) return Errc::closed;
    if (peer->stage_ != Stage::greeting) return Errc::state;
    std::vector<uint8_t> copy(data.begin(), data.end());
    peer->stage_ = Stage::handshaking;
    return post(peer, [copy = std::move(copy)](Peer& self) {
        self.own_data_ = copy;
        if (self.may_say_hello()) self.say_hello();
        else self.hold_hello();
    });
}

Errc Peer::accept(uint64_t handle, Bytes data) {
    if (data.size() > kMaxApplicationData) return Errc::too_big;
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (peer->stage_ == Stage::closing) return Errc::closed;
    if (peer->stage_ != Stage::asking) return Errc::state;
    std::string copy(as_text(data));
    peer->stage_ = Stage::decided;
    return post(peer, [copy = std::move(copy)](Peer& self) { self.let_in(as_bytes(copy)); });
}

Errc Peer::reject(uint64_t handle, uint32_t code, std::string_view text) {
    if (text.size() > kMaxReasonText) return Errc::argument;
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (peer->stage_ == Stage::closing) return Errc::closed;
    if (peer->stage_ != Stage::asking) return Errc::state;
    std::string copy(text);
    peer->stage_ = Stage::decided;
    return post(peer, [code, copy = std::move(copy)](Peer& self) {
        self.connection_->reject(self.shard_->loop().now(), code, copy);
    });
}

Errc Peer::ping(uint64_t handle, uint64_t token) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (peer->stage_ == Stage::closing) return Errc::closed;
    if (peer->stage_ != Stage::up) return Errc::state;
    if (!peer->pings_.allow(std::chrono::steady_clock::now())) return Errc::too_many;
    return post(peer, [token](Peer& self) { self.connection_->ping(self.shard_->loop().refresh_now(), token); });
}

Errc Peer::move(uint64_t handle, std::optional<Endpoint> endpoint) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (peer->stage_ == Stage::closing) return Errc::closed;
    if (peer->stage_ != Stage::up || (!endpoint && !peer->dialable_)) return Errc::state;
    peer->dialable_ = true;
    return post(peer, [endpoint = std::move(endpoint)](Peer& self) { self.dial_now(endpoint); });
}

Errc Peer::close(uint64_t handle, uint32_t code, std::string_view text, Time deadline) {
    if (text.size() > kMaxReasonText) return Errc::argument;
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (peer->stage_ == Stage::closing) return Errc::closed;
    std::string copy(text);
    peer->stage_ = Stage::closing;
    peer->outbox_.refuse_new(Errc::closed);
    return post(peer, [code, copy = std::move(copy), deadline](Peer& self) {
        const Time now = self.shard_->loop().now();
        self.gates_off_ = true;
        if (self.id_known_) self.shard_->closes_session(self, self.id_);
        if (self.connection_) self.connection_->close(now, code, copy, after(now, deadline));
    });
}

Errc Peer::set_user(uint64_t handle, void* user) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    peer->user_.store(user, std::memory_order_relaxed);
    return Errc::ok;
}

Errc Peer::get_id(uint64_t handle, PeerId& id) {
    Locked peer = lock(handle);
    if (!peer) return peer.errc();
    if (!peer->id_known_.load(std::memory_order_acquire)) return Errc::state;
    id = peer->id_;
    return Errc::ok;
}

bool Peer::takes_new(uint64_t handle) {
    const Locked peer = lock(handle);
    return peer && peer->stage_ == Stage::up && peer->outbox_.refuses() == Errc::ok;
}

}  // namespace sealwire
