// Pipes that the application carries: their commands by handle, and their events.
#include "node/piping.h"

#include "node/shard.h"

namespace sealwire {

Piping::Piping(Shard& shard, PipingOptions options)
    : shard_(shard), options_(std::move(options)), end_(std::make_shared<CustomEnd>(options_.buffer_bytes)) {
    handle_ = HandleTable::process().add(HandleKind::pipe, this);
}

Piping::~Piping() {
    HandleTable::process().close(handle_);
    if (!over_) HandleTable::process().retire(handle_);
}

// The end has a lock of its own, so that that of the slot is not held while bytes are copied.
std::shared_ptr<CustomEnd> Piping::end_of(uint64_t pipe, Errc& errc) {
    const HandleTable::Locked<Piping> locked(HandleTable::process(), pipe, HandleKind::pipe);
    errc = locked.errc();
    return locked ? locked->end_ : nullptr;
}

Errc Piping::give(uint64_t pipe, Bytes bytes) {
    Errc errc = Errc::ok;
    const std::shared_ptr<CustomEnd> end = end_of(pipe, errc);
    return end ? end->give(bytes) : errc;
}

Errc Piping::take(uint64_t pipe, MutableBytes into, size_t& size) {
    Errc errc = Errc::ok;
    const std::shared_ptr<CustomEnd> end = end_of(pipe, errc);
    return end ? end->take(into, size) : errc;
}

Errc Piping::end(uint64_t pipe) {
    Errc errc = Errc::ok;
    const std::shared_ptr<CustomEnd> end = end_of(pipe, errc);
    return end ? end->end() : errc;
}

Errc Piping::fail(uint64_t pipe, std::string_view why) {
    Errc errc = Errc::ok;
    const std::shared_ptr<CustomEnd> end = end_of(pipe, errc);
    return end ? end->fail(why) : errc;
}

std::unique_ptr<Pipe> Piping::open() {
    return make_custom_pipe(shard_.loop(), end_, {options_.address, options_.address}, *this);
}

void Piping::note(const Error& why) {
    if (noted_) return;
    noted_ = true;
    why_ = why;
}

void Piping::note(uint64_t pipe, const Error& why) {
    Piping* piping = nullptr;
    {
        const HandleTable::Locked<Piping> locked(HandleTable::process(), pipe, HandleKind::pipe);
        if (locked) piping = &*locked;
    }
    if (piping) piping->note(why);
}

void Piping::on_pipe_output() {
    NodeEvent event{.kind = NodeEventKind::pipe_output};
    event.pipe = handle_;
    event.user = options_.user;
    shard_.emit(event);
}

void Piping::on_pipe_room() {
    NodeEvent event{.kind = NodeEventKind::pipe_room};
    event.pipe = handle_;
    event.user = options_.user;
    shard_.emit(event);
}

// From within a call to the pipe: the event waits for the end of the turn.
void Piping::on_pipe_gone(std::vector<uint8_t> rest) {
    rest_ = std::move(rest);
    shard_.piping_gone(*this);
}

void Piping::tell_closed() {
    over_ = true;
    NodeEvent event{.kind = NodeEventKind::pipe_closed};
    event.pipe = handle_;
    event.user = options_.user;
    event.errc = why_.code;
    event.detail = why_.detail;
    event.address = options_.address;
    event.body = rest_;
    shard_.emit_last(event, handle_);
}

}  // namespace sealwire
