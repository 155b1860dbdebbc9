// The intrusive heap against a sorted reference.
#include "base/heap.h"

#include <doctest.h>

#include <algorithm>
#include <map>
#include <random>

namespace {

struct Item {
    int key = 0;
    sealwire::HeapPlace place;
};

}  // namespace

TEST_CASE("a heap yields its items in the order of their keys whatever was set, moved and removed before") {
    std::mt19937 random(7);
    std::vector<Item> items(500);
    sealwire::Heap<Item, int, &Item::place> heap;
    std::multimap<int, Item*> reference;
    const auto forget = [&](Item& item) {
        for (auto [entry, end] = reference.equal_range(item.key); entry != end; ++entry) {
            if (entry->second == &item) {
                reference.erase(entry);
                return;
            }
        }
    };
    for (int step = 0; step < 20'000; ++step) {
        Item& item = items[random() % items.size()];
        const bool was_in = item.place.linked();
        if (was_in) forget(item);
        if (random() % 3 == 0) {
            heap.remove(item);
            REQUIRE_FALSE(item.place.linked());
        } else {
            item.key = static_cast<int>(random() % 1000);
            heap.set(item, item.key);
            reference.emplace(item.key, &item);
        }
        REQUIRE(heap.size() == reference.size());
        if (!reference.empty()) REQUIRE(heap.top_key() == reference.begin()->first);
    }
    CHECK(heap.size() > 100);
    int last = -1;
    while (!heap.empty()) {
        Item& top = heap.top();
        REQUIRE(top.key >= last);
        last = top.key;
        heap.remove(top);
    }
}
