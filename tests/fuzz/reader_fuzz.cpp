// Fields read off any bytes stay inside them, and what is read is written again as it was.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/reader.h"
#include "base/writer.h"

using namespace sealwire;

static void require(bool good) {
    if (!good) std::abort();
}

// The first byte of each step says which kind of field is read next.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const Bytes input(data, size);
    Reader reader(input);
    std::vector<uint8_t> block(size);
    Writer writer(block);
    while (reader.ok() && !reader.empty()) {
        const size_t left_before = reader.left();
        const uint8_t kind = reader.u8();
        writer.u8(kind);
        switch (kind % 5) {
            case 0: {
                const uint64_t value = reader.varint();
                if (reader.ok()) writer.varint(value);
                break;
            }
            case 1: {
                const uint32_t value = reader.le32();
                if (reader.ok()) writer.le32(value);
                break;
            }
            case 2: {
                const uint64_t value = reader.le64();
                if (reader.ok()) writer.le64(value);
                break;
            }
            case 3: {
                const Bytes content = reader.sized();
                require(content.size() <= left_before);
                if (reader.ok()) writer.sized(content);
                break;
            }
            default: {
                const Bytes content = reader.bytes(kind);
                if (reader.ok()) writer.bytes(content);
                break;
            }
        }
        require(reader.left() < left_before);
    }
    require(writer.ok() && writer.size() <= size);
    require(std::equal(writer.written().begin(), writer.written().end(), data));
    return 0;
}
