// Saving a file: nothing flows before its temporary file stands, and its name appears when bytes and digest are right.
#include "node/file_save.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "node/peer.h"
#include "protocol/codes.h"

namespace sealwire {

namespace {

// How long the loop waits for a rename that is under way when the session ends: else nobody knows how it went.
constexpr auto kRename = std::chrono::milliseconds(100);

}  // namespace

FileSave::FileSave(std::shared_ptr<TransferHub> hub, SaveOptions options)
    : Transfer(std::move(hub), options.progress), options_(std::move(options)) {
    hub_->busy();
}

FileSave::~FileSave() {
    file_.reset();
    if (!settled_) hub_->settled();
}

// ---- The peer's events ----

bool FileSave::on_data(const Event& event) {
    Piece piece{ChunkRef::share(event.keeper()), event.body, event.taken};
    {
        const std::lock_guard lock(mutex_);
        if (stage_ != Stage::saving) return false;
        pieces_.push_back(std::move(piece));
    }
    schedule();
    return true;
}

void FileSave::on_whole(const Event& event) {
    {
        const std::lock_guard lock(mutex_);
        digest_.assign(event.body.begin(), event.body.end());
        algorithm_ = event.type;
        whole_ = true;
    }
    schedule();
}

void FileSave::on_over(NodeEvent& event) {
    std::vector<Piece> dropped;
    std::unique_lock lock(mutex_);
    if (stage_ == Stage::publishing) changed_.wait_for(lock, kRename, [this] { return stage_ != Stage::publishing; });
    if (stage_ == Stage::publishing && event.errc != Errc::ok) event.errc = Errc::outcome_unknown;
    if (stage_ == Stage::saved && event.errc != Errc::ok) event.errc = Errc::ok, event.code = 0;
    if (event.errc != Errc::ok && event.errc == why_.code) event.detail = why_.detail;
    if (stage_ != Stage::saving) return;
    stage_ = Stage::given_up;
    dropped.swap(pieces_);
    lock.unlock();
    give_back(dropped);
    schedule();
}

// ---- The worker ----

// False when it was over before.
bool FileSave::enter(Stage stage) {
    const std::lock_guard lock(mutex_);
    if (stage_ != Stage::saving && stage_ != Stage::publishing) return false;
    stage_ = stage;
    changed_.notify_all();
    return true;
}

void FileSave::work() {
    std::vector<Piece> pieces;
    for (;;) {
        bool whole;
        Stage stage;
        pieces.clear();
        {
            const std::lock_guard lock(mutex_);
            pieces.swap(pieces_);
            whole = whole_;
            stage = stage_;
        }
        if (stage != Stage::saving) {
            file_.reset();
            if (!std::exchange(settled_, true)) hub_->settled();
            return;
        }
        if (!begun_ && !begin()) continue;
        if (!pieces.empty()) {
            write(pieces);
            give_back(pieces);
        } else if (whole) {
            finish();
        } else {
            return;
        }
    }
}

bool FileSave::begin() {
    begun_ = true;
    const uint64_t size = options_.size == kUnknownSize ? 0 : options_.size;
    auto file = SavedFile::create(options_.folder, options_.name, options_.token, size, options_.mode);
    if (!file) {
        fail_with(file.error());
        return false;
    }
    file_.emplace(std::move(*file));
    Peer::read_saved(peer_, number_, part_);
    return true;
}

// What is not given back would hold up the end of the exchange.
void FileSave::give_back(const std::vector<Piece>& pieces) const {
    std::vector<Taken> taken;
    taken.reserve(pieces.size());
    for (const Piece& piece : pieces) taken.push_back(piece.taken);
    Peer::give_back(peer_, taken);
}

void FileSave::write(const std::vector<Piece>& pieces) {
    std::vector<Bytes> bytes;
    bytes.reserve(pieces.size());
    for (const Piece& piece : pieces) {
        bytes.push_back(piece.bytes);
        written_ += piece.bytes.size();
    }
    if (written_ > options_.most) return fail_with({Errc::too_big, "more bytes than were to be taken"});
    if (auto done = file_->write(bytes); !done) return fail_with(done.error());
    for (const Bytes piece : bytes) hash_.add(piece);
    tell(written_, options_.size);
}

Result<void> FileSave::check_digest() {
    std::vector<uint8_t> digest;
    uint8_t algorithm;
    {
        const std::lock_guard lock(mutex_);
        digest = digest_;
        algorithm = algorithm_;
    }
    if (algorithm != kBlake2b256 || digest.empty()) {
        if (options_.unchecked) return {};
        return fail(Errc::digest, "its sender gave none");
    }
    const Hash32 own = hash_.finish();
    if (!std::equal(digest.begin(), digest.end(), own.begin(), own.end())) return fail(Errc::digest);
    return {};
}

void FileSave::finish() {
    if (auto right = check_digest(); !right) return fail_with(right.error());
    if (auto flushed = file_->flush(); !flushed) return fail_with(flushed.error());
    if (!enter(Stage::publishing)) return;
    if (auto published = file_->publish(); !published) return fail_with(published.error());
    enter(Stage::saved);
    file_->flush_folder();
    Peer::end_part(peer_, number_, part_, {}, WireCode::ok);
}

void FileSave::fail_with(const Error& why) {
    std::vector<Piece> dropped;
    {
        const std::lock_guard lock(mutex_);
        if (stage_ != Stage::saving && stage_ != Stage::publishing) return;
        stage_ = Stage::given_up;
        why_ = why;
        dropped.swap(pieces_);
        changed_.notify_all();
    }
    give_back(dropped);
    file_.reset();
    const WireCode code = why.code == Errc::too_big ? WireCode::too_big : WireCode::handler_failed;
    Peer::end_part(peer_, number_, part_, why, code);
}

void FileSave::give_up(Errc why) { fail_with({why, {}}); }

}  // namespace sealwire
