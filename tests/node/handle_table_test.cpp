// Handles: what a stale, foreign, null or made-up one yields, and that one lock validates and guards.
#include "node/handle_table.h"

#include <doctest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "support/scale.h"
#include "support/test_rng.h"

namespace handle_table_test {

using namespace sealwire;

namespace {

struct Object {
    uint64_t handle = 0;
    unsigned calls = 0;
};

Errc lock_as(HandleTable& table, uint64_t handle, HandleKind kind) {
    const HandleTable::Locked<Object> locked(table, handle, kind);
    return locked.errc();
}

}  // namespace

TEST_CASE("a handle finds its object until it is closed, says closed until it is retired, and is stale then") {
    HandleTable table(0x123456789abcdef);
    Object object;
    object.handle = table.add(HandleKind::peer, &object);
    {
        const HandleTable::Locked<Object> locked(table, object.handle, HandleKind::peer);
        REQUIRE(locked);
        CHECK(&*locked == &object);
    }
    table.close(object.handle);
    CHECK(lock_as(table, object.handle, HandleKind::peer) == Errc::closed);
    table.retire(object.handle);
    CHECK(lock_as(table, object.handle, HandleKind::peer) == Errc::handle);
    table.retire(object.handle);
    CHECK(table.add(HandleKind::peer, &object) != object.handle);
}

TEST_CASE("null, foreign kinds, other libraries' and made-up handles are refused") {
    HandleTable table(0x123456789abcdef);
    HandleTable other(0xfedcba987654321);
    Object object;
    const uint64_t handle = table.add(HandleKind::peer, &object);
    CHECK(lock_as(table, 0, HandleKind::peer) == Errc::handle);
    CHECK(lock_as(table, handle, HandleKind::node) == Errc::handle);
    CHECK(lock_as(table, handle, HandleKind::listener) == Errc::handle);
    CHECK(lock_as(other, handle, HandleKind::peer) == Errc::handle);
    CHECK(lock_as(other, other.add(HandleKind::peer, &object), HandleKind::peer) == Errc::ok);
    CHECK(lock_as(other, handle, HandleKind::peer) == Errc::handle);
    test::SeededRng rng(7);
    for (int i = 0; i < 100'000; ++i) {
        const uint64_t random = rng.next();
        if (random != handle) CHECK(lock_as(table, random, HandleKind::peer) == Errc::handle);
        const uint64_t near = handle ^ (uint64_t{1} << (random % 64));
        CHECK(lock_as(table, near, HandleKind::peer) == Errc::handle);
    }
}

TEST_CASE("a slot is used again under another generation, and never once they are used up") {
    HandleTable table(42, HandleTable::kLastGeneration - 1);
    Object object;
    const uint64_t first = table.add(HandleKind::node, &object);
    table.retire(first);
    const uint64_t second = table.add(HandleKind::node, &object);
    CHECK((first ^ second) < (uint64_t{1} << 40));  // the same slot
    table.retire(second);
    const uint64_t third = table.add(HandleKind::node, &object);
    CHECK((first ^ third) >= (uint64_t{1} << 40));
    CHECK(lock_as(table, first, HandleKind::node) == Errc::handle);
    CHECK(lock_as(table, second, HandleKind::node) == Errc::handle);
    CHECK(lock_as(table, third, HandleKind::node) == Errc::ok);
}

TEST_CASE("more handles than one page holds") {
    HandleTable table(1);
    std::vector<Object> objects(5000);
    for (Object& object : objects) object.handle = table.add(HandleKind::topic, &object);
    for (Object& object : objects) {
        const HandleTable::Locked<Object> locked(table, object.handle, HandleKind::topic);
        REQUIRE(locked);
        CHECK(&*locked == &object);
    }
}

TEST_CASE("threads that use handles while others end them never see another's object or a freed one") {
    constexpr unsigned kHandles = 64;
    HandleTable table(3);
    std::vector<std::atomic<uint64_t>> handles(kHandles);
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> found{0};
    std::atomic<uint64_t> stale{0};
    std::atomic<uint64_t> wrong{0};
    std::vector<std::thread> users;
    for (unsigned t = 0; t < 3; ++t) {
        users.emplace_back([&, t] {
            for (unsigned i = t; !stop.load(std::memory_order_relaxed); ++i) {
                const uint64_t handle = handles[i % kHandles].load();
                const HandleTable::Locked<Object> locked(table, handle, HandleKind::peer);
                if (!locked) {
                    stale.fetch_add(1, std::memory_order_relaxed);
                    continue;
                }
                found.fetch_add(1, std::memory_order_relaxed);
                ++locked->calls;
                if (locked->handle != handle) wrong.fetch_add(1);
            }
        });
    }
    for (uint64_t round = 0; round < test::scaled_race(200'000); ++round) {
        auto object = std::make_unique<Object>();
        const uint64_t handle = table.add(HandleKind::peer, object.get());
        {
            const std::lock_guard lock(table.mutex_of(handle));
            object->handle = handle;
        }
        handles[round % kHandles].store(handle);
        table.close(handle);
        object.reset();
        table.retire(handle);
    }
    Object lasting;
    lasting.handle = table.add(HandleKind::peer, &lasting);
    for (auto& handle : handles) handle.store(lasting.handle);
    const uint64_t before = found.load();
    while (found.load() < before + 1000) std::this_thread::yield();
    stop = true;
    for (std::thread& user : users) user.join();
    CHECK(wrong == 0);
    CHECK(stale > 0);
    CHECK(found > 0);
    MESSAGE("found " << found.load() << ", stale " << stale.load());
}

}  // namespace handle_table_test
