// Any bytes as a record's worth of frames: what is taken has one form only, and nothing is read outside the input.
#include <cstdlib>

#include "protocol/frame_by_hand.h"

using namespace sealwire;

static void require(bool good) {
    if (!good) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Reader in(Bytes(data, size));
    while (!in.empty()) {
        const uint8_t* start = in.position();
        Frame frame;
        const FrameStatus status = decode_frame(in, frame);
        if (status == FrameStatus::malformed) break;
        require(in.position() > start);
        const Bytes bytes(start, static_cast<size_t>(in.position() - start));
        if (status == FrameStatus::skipped) {
            require((bytes[0] & kSkippableKind) != 0 && bytes.size() <= kMaxFrame);
            continue;
        }
        // The engine's encoding and the one by hand, from the document.
        const test::Block ours = test::encoded(frame);
        const test::Block hand = test::written(frame);
        require(std::equal(ours.begin(), ours.end(), bytes.begin(), bytes.end()));
        require(ours == hand);
        require(test::flags_allowed(frame.kind, frame.flags));
    }
    return 0;
}
