// Any bytes as records, cut at any places, with honest records among them: only honest ones in their order open.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "protocol/record.h"

using namespace sealwire;
using Status = RecordOpener::Status;

static void require(bool good) {
    if (!good) std::abort();
}

static Secret<32> key() {
    Secret<32> key;
    key.data()[0] = 7;
    return key;
}

// First byte: suite and rekey interval. Then steps: 0xff is the next honest record, other bytes are so many raw bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const Suite suite = (data[0] & 1) != 0 ? Suite::aegis256 : Suite::chacha20_poly1305;
    const RecordStart start{uint64_t{data[0]} >> 4, 1 + ((uint64_t{data[0]} >> 1) & 7)};
    RecordSealer sealer(suite, key(), start);
    RecordOpener opener(suite, key(), start);
    std::vector<uint8_t> stream;
    std::vector<std::vector<uint8_t>> honest;
    for (size_t at = 1; at < size;) {
        const uint8_t step = data[at++];
        if (step == 0xff) {
            honest.emplace_back(1 + honest.size() % 40, static_cast<uint8_t>(honest.size()));
            const size_t before = stream.size();
            stream.resize(before + sealer.record_size(honest.back().size()));
            require(sealer.seal(honest.back(), stream.data() + before));
        } else {
            const size_t count = std::min<size_t>(step, size - at);
            stream.insert(stream.end(), data + at, data + at + count);
            at += count;
        }
    }
    size_t opened = 0;
    for (size_t at = 0; at <= stream.size();) {
        const Bytes left = Bytes(stream).subspan(at);
        std::vector<uint8_t> out(left.size());
        size_t consumed = 0;
        size_t plain_size = 0;
        const Status status = opener.open(left, out.data(), consumed, plain_size);
        if (status != Status::ok) {
            require(consumed == 0 && plain_size == 0);
            break;
        }
        require(consumed > 0 && consumed <= left.size() && plain_size < consumed);
        out.resize(plain_size);
        require(opened < honest.size() && out == honest[opened]);
        ++opened;
        at += consumed;
    }
    return 0;
}
