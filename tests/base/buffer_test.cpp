// Chunks: freed once, by whoever lets go last, on any thread; views that outlive what they were made from.
#include <doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/buffer.h"

using namespace sealwire;

namespace {

struct Memory {
    std::string bytes = "whatever the caller has";
    std::atomic<int> freed{0};
    static void free(void* data, void* user) {
        auto* self = static_cast<Memory*>(user);
        if (data == self->bytes.data()) ++self->freed;
    }
    ChunkRef wrap() { return ChunkRef::adopt(Chunk::wrap(bytes.data(), bytes.size(), &free, this)); }
};

}  // namespace

TEST_CASE("memory that is wrapped is given back once, when the last reference goes") {
    Memory memory;
    ChunkRef first = memory.wrap();
    CHECK(first->unique());
    CHECK(first->data() == reinterpret_cast<uint8_t*>(memory.bytes.data()));
    CHECK(first->capacity() == memory.bytes.size());
    {
        const ChunkRef second = first;
        ChunkRef third = ChunkRef::share(second.get());
        CHECK_FALSE(first->unique());
        ChunkRef moved = std::move(third);
        CHECK(moved.get() == first.get());
        first.reset();
        CHECK_FALSE(first);
        CHECK(memory.freed == 0);
        first = moved;
    }
    CHECK(first->unique());
    ChunkRef& same = first;
    first = same;
    CHECK(memory.freed == 0);
    first = ChunkRef();
    CHECK(memory.freed == 1);
}

TEST_CASE("references are let go on many threads at once, and the memory goes once") {
    for (int run = 0; run < 200; ++run) {
        Memory memory;
        std::vector<std::thread> threads;
        {
            const ChunkRef chunk = memory.wrap();
            for (int i = 0; i < 4; ++i) {
                threads.emplace_back([mine = chunk] {
                    for (int k = 0; k < 100; ++k) ChunkRef other = mine;
                });
            }
        }
        for (std::thread& thread : threads) thread.join();
        threads.clear();
        REQUIRE(memory.freed == 1);
    }
}

TEST_CASE("a view keeps bytes of its own") {
    std::string text = "changes";
    View view = View::copy_of(as_bytes(text));
    text = "changed";
    CHECK(as_text(view.bytes) == "changes");
    const View other = view;
    view = View::copy_of({});
    CHECK(as_text(other.bytes) == "changes");
    CHECK(view.bytes.empty());
}
