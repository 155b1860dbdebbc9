// Box stream: sealing and opening.
#include "protocol/shs_box.h"

#include <algorithm>
#include <cassert>

#include "base/declassify.h"

namespace sealwire {

namespace {

constexpr size_t kBoxTag = Secretbox::kTagSize;
constexpr size_t kPlainHeader = 2 + kBoxTag;
static_assert(kBoxHeaderSize == kBoxTag + kPlainHeader);

}  // namespace

void BoxKey::count_up() {
    for (size_t i = nonce_.size(); i-- > 0;) {
        if (++nonce_[i] != 0) return;
    }
}

void BoxSealer::seal_header(uint8_t* to, Bytes plain) {
    const Secretbox::Tag tag = Secretbox::seal(to + kBoxTag, plain, key_.nonce(), key_.key());
    copy_bytes(to, tag);
    key_.count_up();
}

size_t BoxSealer::seal(uint8_t* to, size_t size) {
    assert(size > 0 && size <= kMaxBoxBody);
    uint8_t* const body = to + kBoxHeaderSize;
    // The header's nonce comes first, but the header holds the tag of the body.
    BoxKey next(key_.key().clone(), key_.nonce());
    next.count_up();
    const Secretbox::Tag tag = Secretbox::seal(body, Bytes(body, size), next.nonce(), next.key());
    uint8_t plain[kPlainHeader];
    plain[0] = static_cast<uint8_t>(size >> 8);
    plain[1] = static_cast<uint8_t>(size);
    copy_bytes(plain + 2, tag);
    seal_header(to, plain);
    key_.count_up();
    return kBoxHeaderSize + size;
}

size_t BoxSealer::seal_goodbye(uint8_t* to) {
    constexpr uint8_t kZeros[kPlainHeader] = {};
    seal_header(to, kZeros);
    return kBoxHeaderSize;
}

const uint8_t* BoxOpener::gather(Bytes& in, size_t size) {
    if (carry_.empty() && in.size() >= size) {
        const uint8_t* const at = in.data();
        in = in.subspan(size);
        return at;
    }
    const size_t more = std::min(size - carry_.size(), in.size());
    carry_.insert(carry_.end(), in.begin(), in.begin() + static_cast<ptrdiff_t>(more));
    in = in.subspan(more);
    return carry_.size() == size ? carry_.data() : nullptr;
}

BoxOpener::Status BoxOpener::open_header(Bytes header) {
    uint8_t plain[kPlainHeader];
    if (!Secretbox::open(plain, header.subspan(kBoxTag), header.first<kBoxTag>(), key_.nonce(), key_.key())) {
        return Status::bad;
    }
    declassify_memory(plain, sizeof plain);
    key_.count_up();
    uint8_t any = 0;
    for (const uint8_t byte : plain) any |= byte;
    if (any == 0) return Status::goodbye;
    const size_t size = size_t{plain[0]} << 8 | plain[1];
    if (size == 0 || size > kMaxBoxBody) return Status::bad;
    body_size_ = size;
    std::copy_n(plain + 2, kBoxTag, body_tag_.begin());
    return Status::body;
}

BoxOpener::Status BoxOpener::open(Bytes& in, uint8_t* to, size_t& size) {
    if (bad_) return Status::bad;
    if (over_) return Status::goodbye;
    if (body_size_ == 0) {
        const uint8_t* const header = gather(in, kBoxHeaderSize);
        if (!header) return Status::need_more;
        const Status status = open_header({header, kBoxHeaderSize});
        carry_.clear();
        over_ = status == Status::goodbye;
        bad_ = status == Status::bad;
        if (status != Status::body) return status;
    }
    const uint8_t* const body = gather(in, body_size_);
    if (!body) return Status::need_more;
    bad_ = !Secretbox::open(to, {body, body_size_}, body_tag_, key_.nonce(), key_.key());
    if (bad_) return Status::bad;
    key_.count_up();
    size = body_size_;
    body_size_ = 0;
    if (!carry_.empty()) std::vector<uint8_t>().swap(carry_);
    return Status::body;
}

}  // namespace sealwire
